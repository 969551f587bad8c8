package stores

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"lamplighter/module/store"
	"lamplighter/test/internal/apiserver"
	"lamplighter/test/internal/rig"
)

// target is an engine with the server that it is measured with.
type target struct {
	store.Engine
	fill func(clients int, data []byte) // puts records there
}

var targets = map[string]func(b *testing.B) target{
	"postgres": postgresTarget,
	"pooler":   poolerTarget,
	"redis":    func(b *testing.B) target { return redisTarget(b, "redis-server") },
	"valkey":   func(b *testing.B) target { return redisTarget(b, "valkey-server") },
}

func postgresTarget(b *testing.B) target {
	p := rig.StartPostgres(b)
	return postgresThrough(b, p, p.Address)
}

// poolerTarget is PostgreSQL behind a pooler of transactions.
func poolerTarget(b *testing.B) target {
	p := rig.StartPostgres(b)
	return postgresThrough(b, p, rig.StartPgBouncer(b, p, "transaction"))
}

// kubernetesTarget has thousands of clients at most.
func kubernetesTarget(b *testing.B) target {
	c := &cluster{Server: apiserver.Start(b), made: make(map[string]bool)}
	return target{allowed(b, c.engine(b, c.namespace(b, rulesOf(allVerbs)))), nil}
}

func postgresThrough(b *testing.B, p *rig.Postgres, address string) target {
	fill := func(clients int, data []byte) {
		sql(b, dsn(p), fmt.Sprintf(`INSERT INTO %s_records SELECT 'client-' || i, '\x%x', md5(i::text), clock_timestamp() FROM generate_series(0, %d) i`, nameSpace(b), data, clients-1),
			"VACUUM ANALYZE")
	}
	return target{opened(b, postgresEngine(b, at(p, address))), fill}
}

func redisTarget(b *testing.B, program string) target {
	r := rig.StartRedis(b, program, kept...)
	fill := func(clients int, data []byte) {
		client := goredis.NewClient(&goredis.Options{Addr: r.Address})
		defer client.Close()
		for i := 0; i < clients; {
			pipe := client.Pipeline()
			for end := min(i+1000, clients); i < end; i++ {
				pipe.HSet(b.Context(), fmt.Sprintf("%s:{client-%d}:record", nameSpace(b), i), "data", data, "tag", i+1, "written", 1)
			}
			if _, err := pipe.Exec(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	return target{opened(b, redisEngine(b, r.Address, "durability aof")), fill}
}

func noise(size int) []byte {
	data := make([]byte, size)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return data
}

// BenchmarkRefreshes is what refreshes ask of a store, 32 at once: look, lease, load,
// journal, answer, release. Records have full lists, encrypted.
func BenchmarkRefreshes(b *testing.B) {
	all := maps.Clone(targets)
	all["kubernetes"] = kubernetesTarget
	for name, target := range all {
		b.Run(name, func(b *testing.B) {
			e := target(b)
			data := noise(21 << 10)
			const at = 32
			tags := make([]store.Tag, at)
			for i := range tags {
				var err error
				if tags[i], err = e.Put(b.Context(), fmt.Sprintf("client-%d", i), data, ""); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			var all sync.WaitGroup
			for i := range at {
				all.Go(func() {
					for n := i; n < b.N; n += at {
						if err := refresh(b, e, i, n, &tags[i], data); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refreshes/s")
		})
	}
}

func refresh(b *testing.B, e store.Engine, client, n int, tag *store.Tag, data []byte) error {
	name := fmt.Sprintf("client-%d", client)
	if _, err := e.Get(b.Context(), name); err != nil {
		return err
	}
	lease, _, err := e.Acquire(b.Context(), name, fmt.Sprintf("holder-%d", n), "")
	if err != nil || lease == nil {
		return fmt.Errorf("no lease: %w", err)
	}
	if _, err := e.Get(b.Context(), name); err != nil {
		return err
	}
	if *tag, err = e.Put(b.Context(), name, data, *tag); err != nil {
		return err
	}
	if *tag, err = e.Put(b.Context(), name, data, *tag); err != nil {
		return err
	}
	return lease.Release(b.Context())
}

// BenchmarkLoad reads the records of 100,000 clients, as a start does, and their tags, as
// each poll does.
func BenchmarkLoad(b *testing.B) {
	for name, target := range targets {
		for _, size := range []int{1300, 21 << 10} {
			b.Run(fmt.Sprintf("%s/%dB", name, size), func(b *testing.B) { load(b, target(b), size) })
		}
	}
}

func load(b *testing.B, e target, size int) {
	const clients = 100_000
	names := make([]string, clients)
	for i := range names {
		names[i] = fmt.Sprintf("client-%d", i)
	}
	e.fill(clients, noise(size))
	for b.Loop() {
		for metric, with := range map[string]bool{"load-s": true, "tags-s": false} {
			began, found := time.Now(), 0
			if err := e.List(b.Context(), names, with, func(store.Object) bool { found++; return true }); err != nil || found != clients {
				b.Fatalf("%d of %d: %v", found, clients, err)
			}
			b.ReportMetric(time.Since(began).Seconds(), metric)
		}
	}
}
