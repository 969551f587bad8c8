package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/redis/go-redis/v9"

	"lamplighter/module/internal/redact"
	"lamplighter/module/store"
)

// durability is what keeps an acknowledged write.
type durability struct {
	kind     string
	replicas int
}

// proof is what a write waits for, or nil.
type proof struct {
	command *redis.Cmd
	files   bool
	wanted  int
}

// prove makes a pipe wait, after a write, until that is kept. The server waits for as long
// as the caller does, and then says how many have it.
func (e *Engine) prove(ctx context.Context, pipe redis.Pipeliner) *proof {
	patience := ioTimeout / 2
	if end, ok := ctx.Deadline(); ok {
		patience = time.Until(end) * 3 / 4
	}
	ms := max(1, patience.Milliseconds())
	switch {
	case e.durability.kind == byReplicas:
		return &proof{command: pipe.Do(ctx, "WAIT", e.durability.replicas, ms), wanted: e.durability.replicas}
	case e.durability.kind == byFile && e.waitAOF.Load():
		return &proof{command: pipe.Do(ctx, "WAITAOF", 1, 0, ms), files: true, wanted: 1}
	}
	return nil
}

// proved returns an error unless enough have the write.
func (e *Engine) proved(p *proof) error {
	if p == nil {
		return nil
	}
	have, err := p.have()
	switch {
	case err != nil:
		return fmt.Errorf("%w: it was not proved to be kept: %s", store.ErrUnknown, redact.Text(err.Error()))
	case have >= p.wanted:
		return nil
	case p.files:
		return fmt.Errorf("%w: the append-only file was not written in time", store.ErrUnknown)
	}
	return fmt.Errorf("%w: %d of %s had it in time", store.ErrUnknown, have, replicas(p.wanted))
}

func (p *proof) have() (int, error) {
	if !p.files {
		return p.command.Int()
	}
	list, err := p.command.Int64Slice()
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return int(list[0]), nil
}

// info is what a server says of itself.
type info map[string]string

func readInfo(text string) info {
	i := make(info)
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			i[key] = value
		}
	}
	return i
}

func (i info) number(key string) int {
	n, _ := strconv.Atoi(i[key])
	return n
}

// atLeast reports whether the server is of that version of Redis, or compatible with it.
func (i info) atLeast(major, minor int) bool {
	first, rest, _ := strings.Cut(i["redis_version"], ".")
	second, _, _ := strings.Cut(rest, ".")
	a, _ := strconv.Atoi(first)
	b, _ := strconv.Atoi(second)
	return a > major || a == major && b >= minor
}

// setting asks for a setting of the server.
type setting func(name string) (string, error)

// safe proves that the server is a primary that keeps what it acknowledged. It returns
// whether each write has to be proved by WAITAOF.
func (d durability) safe(i info, ask setting) (waitAOF bool, err error) {
	switch policy := i["maxmemory_policy"]; {
	case i["cluster_enabled"] == "1":
		return false, errCluster
	case i["role"] != "master":
		return false, errReplica
	case policy != "" && policy != "noeviction":
		return false, fmt.Errorf("%w: maxmemory-policy is %s, so that the server throws away records when its memory is full: set it to noeviction", store.ErrUnsafe, redact.Word(policy))
	}
	switch d.kind {
	case byFile:
		return d.safeFile(i, ask)
	case byReplicas:
		return false, d.safeReplicas(i, ask)
	}
	return false, nil
}

func (d durability) safeFile(i info, ask setting) (waitAOF bool, err error) {
	if n := i.number("connected_slaves"); n > 0 {
		return false, fmt.Errorf("%w: the server has %s, and one that takes its place lacks the newest writes: write 'durability replicas <n>'", store.ErrUnsafe, replicas(n))
	}
	if i["aof_enabled"] != "1" {
		return false, fmt.Errorf("%w: the server has no append-only file: set appendonly to yes", store.ErrUnsafe)
	}
	if i.atLeast(7, 2) {
		return true, nil
	}
	for _, demand := range [][2]string{{"appendfsync", "always"}, {"no-appendfsync-on-rewrite", "no"}} {
		value, err := ask(demand[0])
		if err != nil {
			return false, err
		}
		if value != demand[1] {
			return false, fmt.Errorf("%w: %s is %s, so that a crash loses the newest writes: set it to %s, or use Redis 7.2 or Valkey, which prove each write", store.ErrUnsafe, demand[0], redact.Word(value), demand[1])
		}
	}
	return false, nil
}

// replicas says how many.
func replicas(n int) string { return english.Plural(n, "replica", "") }

func (d durability) safeReplicas(i info, ask setting) error {
	connected := i.number("connected_slaves")
	if connected < d.replicas {
		return fmt.Errorf("%w: the server has %s now, and each write has to reach %d", store.ErrUnsafe, replicas(connected), d.replicas)
	}
	if servers := connected + 1; 2*(d.replicas+1) <= servers {
		return fmt.Errorf("%w: the primary and %s are no majority of %d servers, so that one without the newest writes may take its place: write 'durability replicas %d'", store.ErrUnsafe, replicas(d.replicas), servers, servers/2)
	}
	value, err := ask("min-replicas-to-write")
	if err != nil {
		return err
	}
	if n, _ := strconv.Atoi(value); n < d.replicas {
		return fmt.Errorf("%w: min-replicas-to-write is %s, so that a primary that is cut off from its replicas goes on by itself: set it to %d", store.ErrUnsafe, redact.Word(value), d.replicas)
	}
	return nil
}
