package keeper

import (
	"testing"
	"testing/synctest"
	"time"
)

// wantUse checks that a token is served that the server would accept.
func (r *rig) wantUse(p *machine) {
	r.Helper()
	if t := p.token(); !r.server.accepts(t.AccessToken) {
		r.Errorf("%q expired", t.AccessToken)
	}
}

func TestAClockSetForwardOrBackIsNoStorm(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, 24 * 365 * time.Hour, -24 * 365 * time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				time.Sleep(20 * time.Minute)
				r.stepClock(step)
				for range 6 * 60 {
					p.tick(time.Minute)
					r.wantUse(p)
				}
				// One per 37 to 40 minutes, and one because of the step.
				if n := r.server.count(); n < 9 || n > 12 {
					t.Errorf("%d requests in 6 hours", n)
				}
			})
		})
	}
}

func TestAClockSetForwardMakesATokenExpire(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.always(notSent())
		r.stepClock(time.Hour)
		p.unavailable()
		r.server.heal()
		time.Sleep(40 * time.Second)
		p.token()
	})
}

// suspend lets time pass for everybody else.
func (r *rig) suspend(d time.Duration) {
	r.stepClock(d)
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	r.server.shift += d
}

func TestAfterASuspendNoExpiredTokenIsUsed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		time.Sleep(10 * time.Minute)
		r.suspend(8 * time.Hour)
		r.wantUse(p) // although no timer has fired
		r.wantRequests(2)
	})
}

func TestAfterASuspendAnOverdueRefreshIsNoticed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		time.Sleep(10 * time.Minute)
		r.suspend(35 * time.Minute) // still valid, and due
		p.tick(16 * time.Second)
		r.wantRequests(2)
		p.tick(time.Minute)
		r.wantRequests(2)
	})
}

func TestARecordFromTheFutureIsNotTrustedAndNoStorm(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.kill()
		time.Sleep(time.Minute)
		r.stepClock(-24 * time.Hour)
		r.server.script(notSent())
		p = r.boot()
		synctest.Wait()
		if token := p.keeper.Current(); token != nil {
			t.Errorf("a token of unknown age: %+v", token)
		}
		p.tick(30 * time.Minute)
		r.wantRequests(2)
		r.wantUse(p)
	})
}

func TestASmallClockErrorBetweenProcessesIsTolerated(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.kill()
		r.stepClock(-30 * time.Second)
		p = r.boot()
		p.token()
		p.tick(10 * time.Minute)
		r.wantRequests(1)
	})
}

func TestAClockSetBackDuringARequestDoesNotHideItsToken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(fault{during: func() { r.stepClock(-time.Hour) }})
		p := r.boot()
		p.token()
		r.server.always(notSent())
		time.Sleep(59 * time.Minute)
		p.token()
		time.Sleep(2 * time.Minute)
		p.unavailable()
	})
}

func TestAnExpiredTokenDoesNotComeBackWithTheClock(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.kill()
		r.server.always(notSent())
		time.Sleep(70 * time.Minute)
		p = r.boot()
		time.Sleep(time.Minute)
		r.stepClock(-30 * time.Minute)
		p.keeper.Recheck()
		synctest.Wait()
		if token := p.keeper.Current(); token != nil {
			t.Errorf("an expired token: %+v", token)
		}
	})
}

func TestALifetimeCountsFromTheRequest(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(fault{before: 20 * time.Second})
		r.server.lifetime = time.Minute
		p := r.newProcess()
		began := time.Now()
		p.start()
		time.Sleep(21 * time.Second)
		if got := p.token().ExpiresAt.Sub(began); got > time.Minute+r.server.dialing {
			t.Errorf("expires %v after the request", got)
		}
	})
}

// TestAClockSetBackDuringARequestLengthensNoToken: the next process knows the
// wall clock only.
func TestAClockSetBackDuringARequestLengthensNoToken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.latency = 10 * time.Second
		p := r.boot()
		time.Sleep(5 * time.Second)
		r.stepClock(-30 * time.Minute)
		p.token()
		p.kill()
		time.Sleep(time.Hour)
		r.server.always(notSent())
		r.boot().unavailable()
	})
}
