package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

// What makes a request due although the token is fresh makes its repetition
// due, too.
func TestWhatMadeARequestDueMakesItsRetryDue(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(r *rig)
		want int // requests
	}{
		"a new seed":    {func(r *rig) { r.seed = r.server.login() }, 3},
		"another scope": {func(r *rig) { r.binding.Request = 78 }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				r.server.script(unavailable(503, 0))
				r.change(func() { test.edit(r) })
				p.keeper.Recheck()
				time.Sleep(3 * time.Second)
				r.wantRequests(test.want)
				r.wantState(p, StateOK, "")
				p.token()
			})
		})
	}
}

func TestANewSeedWaitsForAStoreThatIsFull(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errFull, anything)
		r.change(func() { r.seed = r.server.login() })
		p.keeper.Recheck()
		time.Sleep(time.Minute)
		r.wantState(p, StateBackoff, finding.CauseStore)
		r.wantRequests(1)
		r.disk.acceptSaves()
		time.Sleep(time.Minute)
		r.wantRequests(2)
		r.wantState(p, StateOK, "")
	})
}

func TestAnAttemptThatACrashLeftIsRepeatedUntilItIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.grace = 10 * time.Second
		r.random = func() float64 { return 0 }
		p := r.boot()
		p.token()
		r.killAt("answered")
		time.Sleep(40*time.Minute + time.Second)
		r.wantRequests(2)
		if a := r.disk.stored().Attempt; a == nil || a.RefreshToken != record.FingerprintOf(r.disk.stored().RefreshToken) {
			t.Fatalf("journal %+v", a)
		}
		r.server.script(dropBefore(), dropAfter())
		p = r.boot()
		p.token() // the old one
		time.Sleep(5 * time.Second)
		r.wantRequests(5)
		r.wantState(p, StateOK, "")
	})
}
