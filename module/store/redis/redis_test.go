package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"lamplighter/module/store"
)

// provisioned is a store of a Caddyfile's block.
func provisioned(t *testing.T, lines ...string) (*Redis, error) {
	t.Helper()
	r := new(Redis)
	if err := r.UnmarshalCaddyfile(caddyfile.NewTestDispenser("redis {\n" + strings.Join(lines, "\n") + "\n}")); err != nil {
		return nil, err
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	return r, r.Provision(ctx)
}

func TestASettingThatCannotWorkIsRefusedWithARemedy(t *testing.T) {
	for line, want := range map[string]string{
		"durability aof":                                                                                 "address is missing: write",
		"address localhost":                                                                              "durability is missing: Redis by itself loses",
		"address localhost\ndurability always":                                                           "durability must be aof, replicas <n> or managed",
		"address localhost\ndurability replicas":                                                         "with three servers, 'durability replicas 1'",
		"address localhost\ndurability aof\ndurability managed":                                          "durability is given twice",
		"address localhost\ndatabase 1\ndatabase 2":                                                      "database is given twice",
		"address localhost\nprefix a\nprefix b":                                                          "prefix is given twice",
		"address localhost\ndurability replicas x":                                                       "replicas takes a number",
		"address localhost\ndurability replicas 0":                                                       "with three servers, 'durability replicas 1'",
		"address localhost\ndurability aof 1":                                                            "wrong argument count",
		"address a b\ndurability managed":                                                                "name the primary with 'sentinel <name>'; Redis Cluster cannot",
		"address localhost\nsentinel s\ndurability aof":                                                  "write 'durability replicas <n>'",
		"address localhost\nsentinel_password p\ndurability aof":                                         "need 'sentinel",
		"address redis.example.com\ndurability aof":                                                      `the connection to "redis.example.com" would be without TLS: write a tls block`,
		"address localhost redis.example.com\nsentinel s\ndurability replicas 1":                         `"redis.example.com" would be without TLS`,
		"address :6379\ndurability aof":                                                                  "is no host:port",
		"address localhost\ndatabase x\ndurability aof":                                                  "database takes a number",
		"address localhost\ndatabase -1\ndurability aof":                                                 "database takes a number",
		"address localhost\nsentinel s\nsentinel_password {env.LAMPLIGHTER_NONE}\ndurability replicas 1": "sentinel_password: the environment variable",
		"address localhost\nprefix \"a{b\"\ndurability aof":                                              "prefix must have no braces",
		"address localhost\nop_timeout 9s\ndurability aof":                                               "op_timeout must be at most a third of the lease",
		"address localhost\npassword {env.LAMPLIGHTER_NONE}\ndurability aof":                             "password: the environment variable LAMPLIGHTER_NONE is not set",
		"address localhost\ncolor red":                                                                   "color: this store has address, sentinel",
		"address localhost\ntls {\nclient_auth example.com\n}\ndurability aof":                           "given by its files",
	} {
		if _, err := provisioned(t, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestAServerIsNamedByItsPlaceAlone(t *testing.T) {
	for line, want := range map[string]string{
		"address localhost\ndurability aof":                                                    "localhost:6379/0/lamplighter:",
		"address [::1]\ndatabase 2\nprefix p:\ndurability aof":                                 "[::1]:6379/2/p:",
		"address localhost 127.0.0.1:99\nsentinel main\nusername u\ndurability replicas 1":     "localhost:26379,127.0.0.1:99/main/0/lamplighter:",
		"address db.example.com:1\ntls\npassword {env.REDIS_TEST}\ndurability managed":         "db.example.com:1/0/lamplighter:",
		"address db.example.com:1\nallow_plaintext\npassword {env.REDIS_TEST}\ndurability aof": "db.example.com:1/0/lamplighter:",
	} {
		t.Setenv("REDIS_TEST", "s3cr3t-word")
		r, err := provisioned(t, line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := r.Identity(); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}

// TestAnAddressThatSentinelsTellIsHeldToTheRulesToo: nobody has seen it in the settings.
func TestAnAddressThatSentinelsTellIsHeldToTheRulesToo(t *testing.T) {
	r, err := provisioned(t, "address localhost", "sentinel main", "durability replicas 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.source.dial(t.Context(), "tcp", "192.0.2.1:6379"); !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "without TLS") {
		t.Errorf("dialed: %v", err)
	}
}

func TestCredentialsAreReadAnewForEachConnection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("before")
	r, err := provisioned(t, "address localhost", "password {file."+file+"}", "durability aof")
	if err != nil {
		t.Fatal(err)
	}
	client, err := r.source.client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	write("after")
	if _, password, err := client.Options().CredentialsProviderContext(t.Context()); err != nil || password != "after" {
		t.Errorf("%s, %v", password, err)
	}
	if o := client.Options(); o.MaxRetries != 0 || !o.ContextTimeoutEnabled {
		t.Errorf("a write whose answer was lost is repeated %d times; deadlines count: %v", o.MaxRetries, o.ContextTimeoutEnabled)
	}
}

func TestAKeyTellsTheNameOfItsObject(t *testing.T) {
	k := keys("p[1]*:")
	for _, name := range []string{"erp", "claims", "a.b_c-d", store.ClaimsName("0f"), "record", "claims.ab"} {
		if got, ok := k.name(k.object(name)); !ok || got != name {
			t.Errorf("%s is %s: %s, %v", name, k.object(name), got, ok)
		}
	}
	for _, key := range []string{k.lease("erp"), k.channel(), "{erp}:record", "other:{erp}:record", string(k) + "{claims}.abc"} {
		if name, ok := k.name(key); ok {
			t.Errorf("%s is the object %s", key, name)
		}
	}
	if got := k.pattern(); got != `p\[1\]\*:{*` {
		t.Error(got)
	}
}

// answer is an error of a server.
type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

func TestAWriteIsInDoubtUnlessTheServerAnswered(t *testing.T) {
	late := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	for _, tc := range []struct {
		err         error
		write, read error
	}{
		{io.EOF, store.ErrUnknown, store.ErrUnavailable},
		{late, store.ErrUnknown, store.ErrUnavailable},
		{context.Canceled, store.ErrUnknown, store.ErrUnavailable},
		{errAnswer, store.ErrUnknown, store.ErrUnavailable},
		{answer("READONLY You can't write against a read only replica."), store.ErrUnavailable, store.ErrUnavailable},
		{answer("NOREPLICAS Not enough good replicas to write."), store.ErrUnavailable, store.ErrUnavailable},
		{answer("LOADING Redis is loading the dataset in memory"), store.ErrUnavailable, store.ErrUnavailable},
		{answer("OOM command not allowed when used memory > 'maxmemory'. script: x, on @user_script:8."), store.ErrFull, store.ErrFull},
		{answer("WRONGPASS invalid username-password pair or user is disabled."), store.ErrRefused, store.ErrRefused},
		{answer("NOAUTH Authentication required."), store.ErrRefused, store.ErrRefused},
		{answer("ERR DB index is out of range"), store.ErrRefused, store.ErrRefused},
		{answer("ERR AUTH <password> called without any password configured"), store.ErrRefused, store.ErrRefused},
		{answer("NOPERM User guest has no permissions to run the 'eval' command"), store.ErrRefused, store.ErrRefused},
		{answer("ERR The user executing the script can't run this command or subcommand script: x"), store.ErrRefused, store.ErrRefused},
		{answer("ERR ACL failure in script: User guest has no permissions"), store.ErrRefused, store.ErrRefused},
		{answer("MOVED 1 127.0.0.1:1"), store.ErrUnsafe, store.ErrUnsafe},
		{fmt.Errorf("x: %w", store.ErrConflict), store.ErrConflict, store.ErrConflict},
	} {
		e := newEngine(&source{addresses: []string{"localhost:1"}}, "p:", durability{kind: byFile})
		for state, want := range map[int]error{sent: tc.write, notSent: tc.read, givenUp: tc.read} {
			got := e.fault(tc.err, state)
			for _, known := range []error{store.ErrNotFound, store.ErrConflict, store.ErrUnavailable, store.ErrUnknown, store.ErrRefused, store.ErrFull, store.ErrUnsafe} {
				if errors.Is(got, known) != errors.Is(want, known) {
					t.Errorf("%v, written %v: %v", tc.err, state == sent, got)
				}
			}
		}
	}
}

func TestAVersionIsCompared(t *testing.T) {
	for version, want := range map[string]bool{"7.2.4": true, "8.0.1": true, "7.10": true, "7.0.15": false, "6.2.6": false, "": false, "x": false} {
		if got := (info{"redis_version": version}).atLeast(7, 2); got != want {
			t.Errorf("%s: %v", version, got)
		}
	}
}

func TestAnAgeThatCannotBeIsUnknown(t *testing.T) {
	for written, want := range map[string]time.Duration{"999000": time.Millisecond, "1000000": 0, "1000001": store.UnknownAge, "": store.UnknownAge, "x": store.UnknownAge} {
		if got := ageOf(1000000, written); got != want {
			t.Errorf("%s: %s", written, got)
		}
	}
}
