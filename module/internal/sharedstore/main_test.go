package sharedstore

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
	"lamplighter/module/store/storetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

const lasts = 15 * time.Second // a lease

// rig is a place with the stores of several processes.
type rig struct {
	*testing.T
	place *storetest.Place
}

func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, &rig{t, storetest.NewPlace()}) })
}

// process is the store as one process has it.
type process struct {
	*rig
	*Store
	engine *storetest.Memory

	mu    sync.Mutex
	skew  time.Duration
	calls map[string]int
	fault func(storetest.Call) storetest.Fault
	said  []string
}

func (r *rig) process(name string) *process {
	p := &process{rig: r, engine: r.place.Engine(), calls: make(map[string]int)}
	p.engine.Faults(func(c storetest.Call) storetest.Fault {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.calls[c.Op]++
		if p.fault == nil {
			return storetest.Fault{}
		}
		return p.fault(c)
	})
	p.Store = New("memory")
	use(r.T, p.Store, p.engine, Options{Lease: lasts, OpTimeout: 2 * time.Second, Poll: 30 * time.Second, Holder: name, Wall: func() time.Time {
		p.mu.Lock()
		defer p.mu.Unlock()
		return time.Now().Add(p.skew)
	}})
	p.Tell(Hooks{
		Up:      func(up bool, _ error) { p.say("up %v", up) },
		Unheard: func(err error) { p.say("unheard: %v", err) },
		RolledBack: func(seen bool) {
			p.say("rolled back")
			if seen {
				p.say("a write is gone")
			}
		},
		LeaseTaken: func(name, from string) { p.say("%s taken from %q", name, from) },
		LeaseLost:  func(name string, _ error) { p.say("%s lost", name) },
	})
	r.Cleanup(func() {
		if err := p.Close(); err != nil {
			r.Errorf("close: %v", err)
		}
	})
	return p
}

func use(t *testing.T, s *Store, engine store.Engine, o Options) (done func()) {
	t.Helper()
	done, err := s.Use("settings", func() (store.Engine, error) { return engine, nil }, o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func (p *process) say(format string, values ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, fmt.Sprintf(format, values...))
}

// saidAll returns what was told since the last time.
func (p *process) saidAll() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	said := p.said
	p.said = nil
	return said
}

// fails has calls of these kinds meet a fault; none for all is well.
func (p *process) fails(fault storetest.Fault, ops ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = func(c storetest.Call) storetest.Fault {
		if slices.Contains(ops, c.Op) {
			return fault
		}
		return storetest.Fault{}
	}
}

func (p *process) count(op string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[op]
}

func (p *process) stepClock(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.skew += d
}

// saves writes a record with a refresh token, over what is there.
func (p *process) saves(token string, ifRevision uint64) error {
	return p.Save(p.Context(), "erp", holding(token), ifRevision)
}

func (p *process) mustSave(token string, ifRevision uint64) {
	p.Helper()
	if err := p.saves(token, ifRevision); err != nil {
		p.Fatalf("save %s: %v", token, err)
	}
}

func (p *process) load() *record.Record {
	p.Helper()
	rec, err := p.Load(p.Context(), "erp")
	if err != nil {
		p.Fatalf("load: %v", err)
	}
	return rec
}

// loads fails unless the record has a refresh token, and returns its revision.
func (p *process) loads(token string) uint64 {
	p.Helper()
	rec := p.load()
	if got := tokenOf(rec); got != token {
		p.Fatalf("the record has %q, want %q", got, token)
	}
	return rec.Revision
}

func (p *process) mustLease() recordstore.Lease {
	p.Helper()
	l, err := p.Lease(p.Context(), "erp")
	if err != nil {
		p.Fatalf("lease: %v", err)
	}
	return l
}

// leaseWithin tries as a keeper does, and returns how long it took.
func (p *process) leaseWithin(d time.Duration) (recordstore.Lease, time.Duration) {
	p.Helper()
	var err error
	for began := time.Now(); time.Since(began) < d; time.Sleep(700 * time.Millisecond) {
		var l recordstore.Lease
		if l, err = p.Lease(p.Context(), "erp"); err == nil {
			return l, time.Since(began)
		}
	}
	p.Fatalf("no lease within %s: %v", d, err)
	return nil, 0
}

func holding(token string) *record.Record {
	f := record.FingerprintOf(token)
	return &record.Record{Number: 1, Generation: 1, WriteID: "write-" + token, Lineages: []record.Lineage{{
		ID: f, Since: 1, Tokens: []record.Token{{RefreshToken: token, Fingerprint: f, Number: 1, Said: record.Held}},
	}}}
}

func journaling(token string) *record.Record {
	r := holding(token)
	r.Number = 2
	r.Attempts = []record.Attempt{{Number: 2, ID: r.WriteID, Fingerprint: record.FingerprintOf(token), At: time.Unix(1e9, 0).UTC()}}
	return r
}

func tokenOf(rec *record.Record) string {
	if len(rec.Lineages) != 1 || len(rec.Lineages[0].Tokens) != 1 {
		return ""
	}
	return rec.Lineages[0].Tokens[0].RefreshToken
}

// refused are the errors of calls that were not carried out.
var away = storetest.Fault{Err: store.ErrUnavailable}
