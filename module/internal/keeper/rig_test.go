package keeper

import (
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}

// rig is one client at one authorization server, and the processes that keep
// its record on one disk.
type rig struct {
	*testing.T
	disk   *disk
	server *server

	mu         sync.Mutex
	seed       string
	binding    record.Binding
	resolveErr error
	outdated   *finding.Facts // what authenticates the client
	skew       time.Duration  // of the wall clock
	processes  []*machine
	random     func() float64 // the jitter of keepers, if not the usual one
}

// bubble runs a test in a bubble with its own time.
func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.end()
		test(t, r)
	})
}

func newRig(t *testing.T) *rig {
	d := newDisk()
	r := &rig{T: t, disk: d, server: newServer(d)}
	r.seed = r.server.login()
	r.binding = record.Binding{Grant: 1, Request: 2, TokenEndpoint: "https://as.example/token"}
	d.binding = r.binding
	return r
}

func (r *rig) end() {
	r.disk.faults(func() { r.disk.onLoad, r.disk.onSave, r.disk.hook = nil, nil, nil })
	for _, p := range r.processes {
		p.kill()
	}
	time.Sleep(time.Hour) // late answers come, and nobody acts on them
}

// change changes what the configuration resolves to, or the wall clock.
func (r *rig) change(edit func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	edit()
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	r.disk.binding = r.binding
}

func (r *rig) wall() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.skew)
}

// stepClock is what an operator or NTP does to the wall clock.
func (r *rig) stepClock(d time.Duration) { r.change(func() { r.skew += d }) }

// killAt kills the first process that gets to a point, and only that.
func (r *rig) killAt(point string) {
	r.disk.faults(func() {
		r.disk.hook = func(p *machine, at string) {
			if at == point {
				r.disk.faults(func() { r.disk.hook = nil })
				p.kill()
			}
		}
	})
}

func (r *rig) wantRequests(n int) {
	r.Helper()
	synctest.Wait()
	if got := r.server.count(); got != n {
		r.Fatalf("%d token requests, want %d", got, n)
	}
}

func (r *rig) wantState(p *machine, state State, cause string) Status {
	r.Helper()
	synctest.Wait()
	st := p.keeper.Status()
	if st.State != state || st.Trouble.Cause != cause {
		r.Fatalf("state %s, cause %q, want %s, %q (%+v)", st.State, st.Trouble.Cause, state, cause, st)
	}
	return st
}

// noSecret checks texts that people read.
func noSecret(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(text, "secret-") {
			t.Errorf("%q holds a secret", text)
		}
	}
}
