package keeper

import (
	"errors"
	"slices"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

// left returns the process that lives on.
func (r *rig) left() *machine {
	for _, p := range r.processes {
		if !p.dead.Load() {
			return p
		}
	}
	return nil
}

// diesAsking lets one of two replicas die in its refresh, when the server has got
// the request.
func (r *rig) diesAsking(edits ...func(*Settings)) (other *machine) {
	first, second := r.boot(edits...), r.boot(edits...)
	first.token()
	second.token()
	r.wantRequests(1)
	r.killAt("sent")
	for !slices.ContainsFunc(r.processes, func(p *machine) bool { return p.dead.Load() }) {
		time.Sleep(50 * time.Millisecond)
	}
	r.wantRequests(2)
	return r.left()
}

func forgiving(s *Settings) { s.ReuseGrace = time.Minute }

func TestWhatAnotherReplicaHasPresentedIsPresentedAtOnceIfTheServerForgivesThat(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		r.server.grace = time.Minute
		p := r.diesAsking(forgiving)
		began := time.Now()
		for r.server.count() < 3 {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(began); took < 14*time.Second || took > 17*time.Second {
			t.Errorf("taken over after %v, want the length of a lease", took)
		}
		time.Sleep(time.Minute)
		r.wantRequests(3)
		r.wantState(p, StateOK, "")
		r.wantUse(p)
	})
}

func TestWhatAnotherReplicaHasPresentedIsPresentedOnlyInNeed(t *testing.T) {
	for name, test := range map[string]struct {
		need     func(p *machine)
		from, to time.Duration // taken over
	}{
		"the token is about to end": {func(*machine) {}, 14 * time.Minute, 20 * time.Minute},
		"an order":                  {func(p *machine) { go p.refresh(false) }, 29 * time.Second, 34 * time.Second},
		"an upstream refuses it":    {func(p *machine) { go p.unauthorized(p.token()) }, 29 * time.Second, 34 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			shared(t, func(t *testing.T, r *rig) {
				r.server.grace = time.Hour
				p := r.diesAsking()
				began := time.Now()
				test.need(p)
				for r.server.count() < 3 {
					time.Sleep(100 * time.Millisecond)
				}
				if took := time.Since(began); took < test.from || took > test.to {
					t.Errorf("taken over after %v, want %v to %v", took, test.from, test.to)
				}
				time.Sleep(time.Minute)
				r.wantRequests(3)
				r.wantState(p, StateOK, "")
				r.wantUse(p)
			})
		})
	}
}

// The server has what the dead replica sent, and forgives nothing.
func TestARefusalAfterATakeoverIsBelievedOnlyAfterTheLengthOfALease(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		p := r.diesAsking()
		go p.refresh(false)
		for r.server.count() < 3 {
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		r.wantState(p, StateBackoff, finding.CauseResponseLost)
		if said := p.saidOf(p.toldOnce(finding.TokenRefreshFailed)); said.Remedy == "" || said.Detail == "" {
			t.Errorf("told %+v", said)
		}
		p.token() // which lives
		time.Sleep(12 * time.Second)
		r.wantState(p, StateBackoff, finding.CauseResponseLost)
		time.Sleep(3 * time.Second)
		r.wantState(p, StateGrantLost, finding.CauseResponseLost)
		r.wantRequests(3)
		p.toldOnce(finding.GrantLost)
	})
}

// A replica is cut off from the store with the answer in its memory, for longer than its
// lease lasts.
func TestTheAnswerOfTheFormerHolderEndsTheDoubt(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		first, second := r.boot(), r.boot()
		first.token()
		second.token()
		cut := r.server.firstThatAsks(func(p *machine) { p.store.cutOff() })
		other := r.processes[1-slices.Index(r.processes, cut)]
		go other.refresh(false)
		for r.server.count() < 3 {
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		r.wantState(other, StateBackoff, finding.CauseResponseLost)
		r.wantUse(cut) // which goes on from memory
		cut.store.heal()
		time.Sleep(2 * time.Second)
		r.wantState(other, StateOK, "")
		r.wantState(cut, StateOK, "")
		r.wantUse(other)
		if told := append(first.told(finding.GrantLost), second.told(finding.GrantLost)...); len(told) > 0 {
			t.Errorf("told %+v", told)
		}
		other.tick(3 * time.Hour)
		cut.tick(time.Minute)
		r.wantUse(other)
		r.wantUse(cut)
	})
}

// Nothing gets slower where a lease ends with its holder.
func TestALockOfTheOperatingSystemNeedsNoPatience(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.grace = 10 * time.Second
		p := r.diesAsking()
		time.Sleep(3 * time.Second)
		r.wantRequests(3)
		r.wantState(p, StateOK, "")
	})
}

// A request that an upstream refused while another replica rotates waits for what comes
// of that, and forces nothing.
func TestA401WaitsForTheAttemptOfAnotherReplica(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		first, second := r.boot(), r.boot()
		first.token()
		old := second.token()
		r.server.always(fault{before: time.Second, after: 2 * time.Second})
		asks := r.server.firstThatAsks(func(*machine) {})
		other := r.processes[1-slices.Index(r.processes, asks)]
		other.store.unwatch()
		if v := other.unauthorized(old); v != Stale {
			t.Errorf("verdict %v, want Stale", v)
		}
		r.wantRequests(2)
		r.wantUse(other)
	})
}

// A lease is over for whoever has seen it rest for its length: what is not looked at before
// it is wanted has to be waited for then.
func TestTheLeaseOfAnotherReplicaIsLookedAtWhileItsAnswerMayCome(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		p := r.diesAsking()
		p.store.tries.Store(0)
		time.Sleep(20 * time.Second)
		if n := p.store.tries.Load(); n < 3 || n > 6 {
			t.Errorf("looked at %d times in 20 s", n)
		}
		r.wantRequests(2)
	})
}

func TestWhatIsOwedToAStoreThatReplicasShareIsTriedEverySecond(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		for range 8 {
			r.disk.refuseSaves(errBroken, answers)
			time.Sleep(40 * time.Minute)
			if st := p.keeper.Status(); !st.Unsaved {
				t.Fatalf("nothing is owed: %+v", st)
			}
			r.disk.acceptSaves()
			time.Sleep(1500 * time.Millisecond)
			if st := p.keeper.Status(); st.Unsaved {
				t.Errorf("still not written: %+v", st)
			}
		}
	})
}

// A replica has met a refusal that is in doubt: another one does not present that refresh
// token to find out the same, whatever its timeout.
func TestNoReplicaPresentsWhatAnotherOneDoubts(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		soon := func(s *Settings) { s.Timeout = 10 * time.Second }
		r.boot(soon)
		r.diesAsking(soon)
		var left []*machine
		for _, p := range r.processes {
			if !p.dead.Load() {
				left = append(left, p)
				go p.refresh(false)
			}
		}
		time.Sleep(50 * time.Second)
		r.wantRequests(3)
		for _, p := range left {
			r.wantState(p, StateGrantLost, finding.CauseResponseLost)
		}
	})
}

// A replica that had tokens is not starting while it waits.
func TestARequestThatWaitsForAnotherReplicaIsToldSo(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		p := r.diesAsking()
		time.Sleep(3 * time.Second)
		var causes []string
		for range 10 {
			if u, ok := errors.AsType[*Unavailable](p.keeper.unavailable()); ok {
				causes = append(causes, u.Trouble.Cause)
			}
			time.Sleep(time.Second)
		}
		if slices.Contains(causes, finding.CauseStarting) || !slices.Contains(causes, finding.CauseLeaseHeld) {
			t.Errorf("told %v", causes)
		}
	})
}
