package storetest

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/module/store"
)

// broken is the engine in memory with something that it does wrong.
type broken struct {
	*Memory
	ground *ground

	open     func(ctx context.Context) error
	get      func(ctx context.Context, name string) (store.Object, error)
	put      func(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error)
	list     func(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error
	acquire  func(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error)
	renew    func(ctx context.Context, l *lease) error
	release  func(ctx context.Context, l *lease) error
	watch    func(ctx context.Context, names []string, ready func(), changed func(string)) error
	epoch    func() string
	describe func(name string) string
	close    func() error
}

// ground is what the engines of one place have in common, besides the place.
type ground struct {
	*Place
	mu   sync.Mutex
	cuts []func() // what else breaks with connections
	made int      // engines
}

func (g *ground) engine(fault func(*broken)) store.Engine {
	m := g.Engine()
	b := &broken{
		Memory: m, ground: g, open: m.Open, get: m.Get, put: m.Put, list: m.List, acquire: m.Acquire, watch: m.Watch,
		epoch: m.Epoch, describe: m.Describe, close: m.Close,
		renew:   func(ctx context.Context, l *lease) error { return l.Renew(ctx) },
		release: func(ctx context.Context, l *lease) error { return l.Release(ctx) },
	}
	g.mu.Lock()
	g.made++
	g.mu.Unlock()
	fault(b)
	return b
}

func (b *broken) Open(ctx context.Context) error { return b.open(ctx) }

func (b *broken) Get(ctx context.Context, name string) (store.Object, error) { return b.get(ctx, name) }

func (b *broken) Put(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
	return b.put(ctx, name, data, ifTag)
}

func (b *broken) List(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
	return b.list(ctx, names, data, yield)
}

func (b *broken) Acquire(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
	l, held, err := b.acquire(ctx, name, holder, over)
	if l == nil {
		return nil, held, err
	}
	return &brokenLease{b, l.(*lease)}, held, err
}

func (b *broken) Watch(ctx context.Context, names []string, ready func(), changed func(string)) error {
	return b.watch(ctx, names, ready, changed)
}

func (b *broken) Epoch() string { return b.epoch() }

func (b *broken) Describe(name string) string { return b.describe(name) }

func (b *broken) Close() error { return b.close() }

type brokenLease struct {
	b *broken
	l *lease
}

func (l *brokenLease) Renew(ctx context.Context) error { return l.b.renew(ctx, l.l) }

func (l *brokenLease) Release(ctx context.Context) error { return l.b.release(ctx, l.l) }

// fault is something that an engine does wrong.
type fault struct {
	caught []string // by these tests of the contract
	breaks func(*broken)
}

// child says to this test that failing is what it is there for.
const child = "LAMPLIGHTER_BROKEN_ENGINES"

// TestABrokenEngineIsCaught, in a process of its own: the contract is a test that has to
// fail.
func TestABrokenEngineIsCaught(t *testing.T) {
	all := make(map[string]fault)
	for _, some := range []map[string]fault{brokenObjects, brokenLists, brokenLeases, brokenWatches, brokenLives} {
		maps.Copy(all, some)
	}
	if os.Getenv(child) != "" {
		for name, f := range all {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f.run(t)
			})
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.parallel=1000", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatal("nothing failed")
	}
	failed := make(map[string]bool)
	for _, match := range regexp.MustCompile(`--- FAIL: `+t.Name()+`/(\S+)`).FindAllStringSubmatch(string(out), -1) {
		failed[match[1]] = true
	}
	catches := make(map[string]bool)
	for name, f := range all {
		for _, test := range f.caught {
			catches[test] = true
			if !failed[name+"/"+test] {
				t.Errorf("%s does not catch that %s", test, name)
			}
		}
	}
	for _, group := range contract {
		for _, test := range slices.Sorted(maps.Keys(group)) {
			if !catches[test] {
				t.Errorf("no broken engine shows what %s is for", test)
			}
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// run runs the tests that have to fail, or with the child's variable "all" each of the
// contract.
func (f fault) run(t *testing.T) {
	var mu sync.Mutex
	grounds := make(map[string]*ground)
	of := func(t *testing.T) *ground {
		mu.Lock()
		defer mu.Unlock()
		if grounds[t.Name()] == nil {
			grounds[t.Name()] = &ground{Place: NewPlace()}
		}
		return grounds[t.Name()]
	}
	s := newSuite(func(t *testing.T) store.Engine { return of(t).engine(f.breaks) },
		Secrets(secret), Patience(500*time.Millisecond), Cut(func(t *testing.T) { of(t).cut() }))
	for _, group := range contract {
		for name, test := range group {
			if os.Getenv(child) != "all" && !slices.Contains(f.caught, name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(s, t)
			})
		}
	}
}

// cut breaks what connections there are.
func (g *ground) cut() {
	g.Cut()
	g.mu.Lock()
	cuts := g.cuts
	g.mu.Unlock()
	for _, c := range cuts {
		c()
	}
}

const secret = "s3cr3t-word"

// onceCut has something happen whenever connections break.
func (g *ground) onceCut(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cuts = append(g.cuts, do)
}

// clip makes one name of two.
func clip(name string, from, to string) string { return strings.ReplaceAll(name, from, to) }
