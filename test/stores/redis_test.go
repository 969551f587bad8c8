package stores

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"lamplighter/module/store"
	"lamplighter/module/store/redis"
	"lamplighter/module/store/storetest"
	"lamplighter/test/internal/rig"
)

const redisPassword = "redis-s3cret+/&"

// kept are the settings of a server that keeps what it acknowledges.
var kept = []string{"--appendonly", "yes", "--appendfsync", "always"}

func redisEngine(t testing.TB, address string, lines ...string) store.Engine {
	t.Helper()
	return engineOf(t, new(redis.Redis), "redis", append([]string{"address " + address, "prefix " + nameSpace(t) + ":"}, lines...)...)
}

// do gives commands to a server, as its administrator.
func do(t testing.TB, r *rig.Redis, password string, commands ...string) (answer any) {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: r.Address, Password: password})
	defer client.Close()
	for _, command := range commands {
		var words []any
		for word := range strings.FieldsSeq(command) {
			words = append(words, word)
		}
		var err error
		if answer, err = client.Do(t.Context(), words...).Result(); err != nil && !errors.Is(err, goredis.Nil) {
			t.Fatalf("%s: %v", command, err)
		}
	}
	return answer
}

// servers are Redis as Debian has it, whose append-only file is proved by its settings, and
// Valkey, where each write is proved.
var servers = map[string][]string{
	"redis-server":  kept,
	"valkey-server": {"--appendonly", "yes", "--appendfsync", "everysec"},
}

func TestRedisKeepsTheContract(t *testing.T) {
	for program, settings := range servers {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			if program == "valkey-server" {
				settings = []string{"--appendonly", "yes", "--appendfsync", "always"} // else each of its writes takes a second
			}
			r := rig.StartRedis(t, program, append(settings, "--requirepass", redisPassword)...)
			password := secretFile(t, redisPassword)
			storetest.Run(t, func(t *testing.T) store.Engine {
				return redisEngine(t, r.Address, "durability aof", "password "+password, "database 3")
			},
				storetest.Secrets(redisPassword),
				storetest.Cut(func(t *testing.T) { do(t, r, redisPassword, "CLIENT KILL TYPE normal", "CLIENT KILL TYPE pubsub") }))
		})
	}
}

func TestRedisFaults(t *testing.T) {
	for program, settings := range servers {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			r := rig.StartRedis(t, program, settings...)
			engine := func(t testing.TB, address string) store.Engine { return redisEngine(t, address, "durability aof") }
			for name, test := range map[string]func(*testing.T, string, func(testing.TB, string) store.Engine){
				"TellsTheTruth": tellsTheTruth, "KeepsItsLease": keepsItsLease, "NoticesSilence": noticesSilence,
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, r.Address, engine)
				})
			}
		})
	}
}

func TestAUserOfRedisWithoutRightsIsToldTheLineThatGivesThem(t *testing.T) {
	for program, settings := range servers {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			r := rig.StartRedis(t, program, settings...)
			do(t, r, "", "ACL SETUSER guest on >guest-s3cret resetchannels")
			e := redisEngine(t, r.Address, "durability aof", "username guest", "password "+secretFile(t, "guest-s3cret"), "database 2")
			text := refuses(t, e, store.ErrRefused, "ACL SETUSER guest on ~"+nameSpace(t)+":* ")
			for range 3 { // the first line cannot know yet what the server has
				do(t, r, "", text[strings.Index(text, "ACL SETUSER"):])
				err := e.Open(t.Context())
				if err == nil {
					break
				}
				text = err.Error()
			}
			opened(t, e)
			tag, err := e.Put(t.Context(), "erp", []byte("x"), "")
			if err != nil {
				t.Fatal(err)
			}
			if err := e.List(t.Context(), nil, true, func(store.Object) bool { return true }); err != nil {
				t.Error(err)
			}
			do(t, r, "", "ACL SETUSER guest -hset")
			refuses(t, e, store.ErrRefused, "hset", "ACL SETUSER")
			if _, err := e.Put(t.Context(), "erp", []byte("y"), tag); !errors.Is(err, store.ErrRefused) {
				t.Errorf("a write without the right: %v", err)
			}
			wrong := redisEngine(t, r.Address, "durability aof", "username guest", "password "+secretFile(t, "wrong"))
			refuses(t, wrong, store.ErrRefused, "WRONGPASS")
		})
	}
}

func TestARedisThatForgetsIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		program  string
		settings []string
		line     string
		remedies []string
	}{
		"eviction":       {"redis-server", append([]string{"--maxmemory-policy", "allkeys-lru"}, kept...), "durability aof", []string{"allkeys-lru", "noeviction"}},
		"managed too":    {"redis-server", []string{"--maxmemory-policy", "volatile-ttl"}, "durability managed", []string{"noeviction"}},
		"no file":        {"redis-server", nil, "durability aof", []string{"set appendonly to yes"}},
		"no file at all": {"valkey-server", nil, "durability aof", []string{"set appendonly to yes"}},
		"a second late":  {"redis-server", []string{"--appendonly", "yes"}, "durability aof", []string{"appendfsync is", "set it to always"}},
		"while rewriting": {
			"redis-server", append([]string{"--no-appendfsync-on-rewrite", "yes"}, kept...), "durability aof",
			[]string{"no-appendfsync-on-rewrite is", "set it to no"},
		},
		"no replicas": {"redis-server", kept, "durability replicas 1", []string{"has 0 replicas", "reach 1"}},
		"a cluster":   {"redis-server", append([]string{"--cluster-enabled", "yes"}, kept...), "durability managed", []string{"Redis Cluster"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rig.StartRedis(t, tc.program, tc.settings...)
			refuses(t, redisEngine(t, r.Address, tc.line), store.ErrUnsafe, tc.remedies...)
		})
	}
}

// follows reports whether a replica follows, and its primary knows.
func follows(t testing.TB, primary, replica *rig.Redis) bool {
	t.Helper()
	return strings.Contains(fmt.Sprint(do(t, replica, "", "INFO replication")), "master_link_status:up") &&
		strings.Contains(fmt.Sprint(do(t, primary, "", "INFO replication")), "state=online")
}

// follow starts a replica of a server, and waits until it follows.
func follow(t testing.TB, primary *rig.Redis, settings ...string) *rig.Redis {
	t.Helper()
	host, port, _ := net.SplitHostPort(primary.Address)
	r := rig.StartRedis(t, "redis-server", append([]string{"--replicaof", host + " " + port}, settings...)...)
	rig.Eventually(t, "the replica follows", func() bool { return follows(t, primary, r) })
	return r
}

func TestReplicasOfRedisAreProved(t *testing.T) {
	primary := rig.StartRedis(t, "redis-server", kept...)
	replica := follow(t, primary)
	refuses(t, redisEngine(t, replica.Address, "durability managed"), store.ErrUnsafe, "is a replica", "address of the primary")
	refuses(t, redisEngine(t, primary.Address, "durability aof"), store.ErrUnsafe, "has 1 replica,", "durability replicas")
	refuses(t, redisEngine(t, primary.Address, "durability replicas 1"), store.ErrUnsafe, "min-replicas-to-write is", "set it to 1")
	do(t, primary, "", "CONFIG SET min-replicas-to-write 1")
	e := opened(t, redisEngine(t, primary.Address, "durability replicas 1"))
	tag, err := e.Put(t.Context(), "erp", []byte("one"), "")
	if err != nil {
		t.Fatal(err)
	}
	follow(t, primary)
	third := follow(t, primary)
	refuses(t, redisEngine(t, primary.Address, "durability replicas 1"), store.ErrUnsafe, "no majority of 4", "durability replicas 2")
	third.Stop(os.Kill)

	replica.Stop(os.Kill)
	if _, err := e.Put(t.Context(), "erp", []byte("two"), tag); err != nil {
		t.Errorf("one replica is left, and one is enough: %v", err)
	}
}

// TestAWriteThatNoReplicaHasIsNotConfirmed: the primary has it, and may lose it.
func TestAWriteThatNoReplicaHasIsNotConfirmed(t *testing.T) {
	primary := rig.StartRedis(t, "redis-server", append([]string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "60"}, kept...)...)
	b := newBetween(t, primary.Address)
	host, port, _ := net.SplitHostPort(b.Listen)
	replica := rig.StartRedis(t, "redis-server", "--replicaof", host+" "+port)
	rig.Eventually(t, "the replica follows", func() bool { return follows(t, primary, replica) })
	e := opened(t, redisEngine(t, primary.Address, "durability replicas 1"))
	tag, err := e.Put(t.Context(), "erp", []byte("one"), "")
	if err != nil {
		t.Fatal(err)
	}
	heal := b.fail(t, faults[0]) // the replication is cut
	if _, err := e.Put(soon(t), "erp", []byte("two"), tag); !errors.Is(err, store.ErrUnknown) || !strings.Contains(err.Error(), "0 of 1 replicas") && !strings.Contains(err.Error(), "in time") {
		t.Errorf("a write that no replica has: %v", err)
	}
	o := now(t, e, "erp")
	if string(o.Data) != "two" {
		t.Errorf("reading does not tell: %s", o.Data)
	}
	heal()
	rig.Eventually(t, "writes are confirmed again", func() bool {
		tag, err = e.Put(t.Context(), "erp", []byte("three"), o.Tag)
		if errors.Is(err, store.ErrUnknown) {
			o = now(t, e, "erp")
		}
		return err == nil
	})
}

func TestAFullRedisWritesNothing(t *testing.T) {
	r := rig.StartRedis(t, "redis-server", kept...)
	e := opened(t, redisEngine(t, r.Address, "durability aof"))
	tag, err := e.Put(t.Context(), "erp", []byte("one"), "")
	if err != nil {
		t.Fatal(err)
	}
	do(t, r, "", "CONFIG SET maxmemory 1mb")
	if _, err := e.Put(t.Context(), "erp", make([]byte, 200<<10), tag); !errors.Is(err, store.ErrFull) {
		t.Errorf("a write without room: %v", err)
	}
	if o := now(t, e, "erp"); o.Tag != tag {
		t.Error("it was written")
	}
}

// TestRedisRestarts: what was acknowledged is there after a kill.
func TestRedisRestarts(t *testing.T) {
	for program, settings := range servers {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			r := rig.StartRedis(t, program, settings...)
			e := opened(t, redisEngine(t, r.Address, "durability aof"))
			tag, err := e.Put(t.Context(), "erp", []byte("one"), "")
			if err != nil {
				t.Fatal(err)
			}
			r.Stop(os.Kill)
			if _, err := e.Put(soon(t), "erp", []byte("two"), tag); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("a write to nobody: %v", err)
			}
			r.Start()
			r.Await()
			if o := now(t, e, "erp"); o.Tag != tag || string(o.Data) != "one" {
				t.Errorf("it is %s of version %s", o.Data, o.Tag)
			}
		})
	}
}

// TestRedisFailsOver: Sentinel puts the replica into the place of the primary.
func TestRedisFailsOver(t *testing.T) {
	settings := append([]string{"--min-replicas-to-write", "1"}, kept...)
	primary := rig.StartRedis(t, "redis-server", settings...)
	replica := follow(t, primary, append([]string{"--min-replicas-to-write", "0"}, kept...)...)
	host, port, _ := net.SplitHostPort(primary.Address)
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor records %s %s 1\nsentinel down-after-milliseconds records 500\nsentinel failover-timeout records 2000\n", host, port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := rig.StartRedis(t, "redis-sentinel", config)
	rig.Eventually(t, "Sentinel knows the replica", func() bool {
		_, port, _ := net.SplitHostPort(replica.Address)
		return strings.Contains(fmt.Sprint(do(t, sentinel, "", "SENTINEL REPLICAS records")), port)
	})
	e := opened(t, redisEngine(t, sentinel.Address, "sentinel records", "durability replicas 1"))
	epoch := e.Epoch()
	tag, err := e.Put(t.Context(), "erp", []byte("one"), "")
	if err != nil || epoch == "" {
		t.Fatalf("%q, %v", epoch, err)
	}
	primary.Stop(os.Kill)
	rig.Eventually(t, "the replica is the primary", func() bool {
		return strings.Contains(fmt.Sprint(do(t, replica, "", "ROLE")), "master")
	})
	o := now(t, e, "erp")
	if o.Tag != tag || string(o.Data) != "one" || e.Epoch() == epoch {
		t.Errorf("after a failover it is %s of version %s, in the epoch %s (before: %s)", o.Data, o.Tag, e.Epoch(), epoch)
	}
	// No replica is left to keep a write.
	if _, err := e.Put(soon(t), "erp", []byte("two"), tag); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("a write that only the new primary has: %v", err)
	}
}
