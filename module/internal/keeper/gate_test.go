package keeper

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// held is a client whose access token dies at a refresh, 40 minutes after its
// first token.
func held(t *testing.T, test func(t *testing.T, r *rig, p *machine)) {
	t.Helper()
	bubble(t, func(t *testing.T, r *rig) {
		r.random = func() float64 { return 0 }
		r.server.strict = true
		p := r.boot(drain)
		p.token()
		test(t, r, p)
	})
}

// send acquires a token as a proxied request does; it may be held.
func (p *machine) send() (Pass, time.Duration) {
	p.rig.Helper()
	began := time.Now()
	pass, err := p.keeper.Acquire(p.rig.Context(), 10*time.Second, true)
	if err != nil {
		p.rig.Fatal(err)
	}
	return pass, time.Since(began)
}

// untilHold sleeps until just after the connection to the token endpoint is up.
func (r *rig) untilHold() {
	time.Sleep(time.Until(r.server.requests()[0].at.Add(40*time.Minute + r.server.dialing + time.Millisecond)))
}

func TestNoRequestMeetsATokenThatDied(t *testing.T) {
	held(t, func(t *testing.T, r *rig, p *machine) {
		r.server.edit(func(s *server) { s.latency = time.Second })
		for range 3000 { // 50 minutes, a request each second, half a second under way
			go func() {
				pass, _ := p.send()
				time.Sleep(500 * time.Millisecond)
				if !r.server.accepts(pass.Token.AccessToken) {
					t.Errorf("%s died under way", pass.Token.AccessToken)
				}
				p.keeper.Answered(pass)
			}()
			time.Sleep(time.Second)
		}
		r.wantRequests(2)
		time.Sleep(3 * time.Second)
	})
}

func TestTrafficFlowsWhileTheTokenEndpointIsDialled(t *testing.T) {
	held(t, func(t *testing.T, r *rig, p *machine) {
		r.server.edit(func(s *server) { s.dialing = 8 * time.Second })
		time.Sleep(40*time.Minute + time.Second)
		if st := p.keeper.Status(); st.State != StateRefreshing {
			t.Fatalf("state %s", st.State)
		}
		pass, waited := p.send()
		if waited > 0 {
			t.Errorf("held for %v", waited)
		}
		p.keeper.Answered(pass)
	})
}

func TestHeldRequestsCarryTheNewToken(t *testing.T) {
	held(t, func(t *testing.T, r *rig, p *machine) {
		r.server.always(fault{before: 3 * time.Second})
		r.untilHold()
		pass, waited := p.send()
		if pass.Token.Generation != 2 || waited < 2*time.Second || waited > 4*time.Second {
			t.Errorf("generation %d after %v", pass.Token.Generation, waited)
		}
		p.keeper.Answered(pass)
	})
}

func TestAFailureReleasesHeldRequests(t *testing.T) {
	for name, f := range map[string]fault{"503": unavailable(503, 0), "cut": dropBefore(), "401": misconfigured()} {
		t.Run(name, func(t *testing.T) {
			held(t, func(t *testing.T, r *rig, p *machine) {
				f.before = time.Second
				r.server.script(f)
				r.untilHold()
				pass, waited := p.send()
				if pass.Token.Generation != 1 || waited < 900*time.Millisecond || waited > 1100*time.Millisecond {
					t.Errorf("generation %d after %v", pass.Token.Generation, waited)
				}
				p.keeper.Answered(pass)
			})
		})
	}
}

func TestAHoldEndsAfterFiveSeconds(t *testing.T) {
	held(t, func(t *testing.T, r *rig, p *machine) {
		r.server.always(fault{before: 20 * time.Second})
		r.untilHold()
		pass, waited := p.send()
		if pass.Token.Generation != 1 || waited > maxHold {
			t.Errorf("generation %d after %v, want the old one after 5 s", pass.Token.Generation, waited)
		}
		p.keeper.Answered(pass)
		if pass, waited = p.send(); waited > 0 {
			t.Errorf("held again for %v", waited)
		}
		p.keeper.Answered(pass)
		time.Sleep(time.Minute)
		if p.token().Generation != 2 {
			t.Error("the refresh was given up")
		}
	})
}

func TestARetryHoldsNobody(t *testing.T) {
	held(t, func(t *testing.T, r *rig, p *machine) {
		slow := unavailable(503, 0)
		slow.before = time.Second
		r.server.always(slow)
		r.untilHold()
		time.Sleep(2 * time.Second) // the first attempt is over
		for range 600 {
			pass, waited := p.send()
			if waited > 0 {
				t.Fatalf("held for %v", waited)
			}
			p.keeper.Answered(pass)
			time.Sleep(time.Second)
		}
	})
}

func TestACancelledCallerIsFreedFromTheHold(t *testing.T) {
	held(t, func(t *testing.T, r *rig, p *machine) {
		r.server.always(fault{before: 4 * time.Second})
		r.untilHold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := p.keeper.Acquire(ctx, 10*time.Second, true)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if n := p.keeper.gate.sent.Load(); n != 0 {
			t.Errorf("%d requests counted as sent", n)
		}
	})
}

func TestUpgradesAndHealthChecksAreNotHeld(t *testing.T) {
	held(t, func(t *testing.T, r *rig, p *machine) {
		r.server.always(fault{before: 4 * time.Second})
		r.untilHold()
		began := time.Now()
		if _, err := p.keeper.Acquire(t.Context(), 0, false); err != nil || time.Since(began) > 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestTheFirstTokenAndAnExpiredOneAreNotHeldFor(t *testing.T) {
	held(t, func(t *testing.T, r *rig, p *machine) {
		r.server.always(notSent())
		time.Sleep(2 * time.Hour)
		slow := fault{before: 30 * time.Second}
		r.server.always(slow)
		time.Sleep(40 * time.Second)
		if p.keeper.gate.held.Load() != nil {
			t.Error("requests are held although there is no token")
		}
		synctest.Wait()
	})
}

func TestARequestThatNeverEndsDelaysARefreshByQuiesceOnly(t *testing.T) {
	held(t, func(t *testing.T, r *rig, p *machine) {
		pass, _ := p.send() // its response headers never come
		time.Sleep(41 * time.Minute)
		r.wantRequests(2)
		asked := r.server.requests()
		if got, want := asked[1].at.Sub(asked[0].at), 40*time.Minute+2*time.Second+r.server.dialing; got != want {
			t.Errorf("refreshed after %v, want %v", got, want)
		}
		p.keeper.Answered(pass)
	})
}

func TestARefreshWaitsUntilSentRequestsAreAnswered(t *testing.T) {
	held(t, func(t *testing.T, r *rig, p *machine) {
		pass, _ := p.send()
		r.untilHold()
		time.Sleep(time.Second)
		r.wantRequests(1)
		p.keeper.Answered(pass)
		r.wantRequests(2)
	})
}

func TestWithoutDrainNobodyIsHeld(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.random = func() float64 { return 0 }
		p := r.boot()
		p.token()
		r.server.always(fault{before: 4 * time.Second})
		r.untilHold()
		if _, waited := p.send(); waited > 0 {
			t.Errorf("held for %v", waited)
		}
	})
}
