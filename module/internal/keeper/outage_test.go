package keeper

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
)

func TestAnOutageBeforeTheExpiryIsNotNoticed(t *testing.T) {
	for name, f := range map[string]fault{
		"no connection": notSent(), "no answer": dropBefore(), "503": unavailable(503, 0), "html": unavailable(200, 0),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot(drain)
				first := p.token()
				r.server.always(f)
				for range 59 {
					time.Sleep(time.Minute)
					if began := time.Now(); p.token() != first || time.Since(began) > 0 {
						t.Fatal("a request had to wait")
					}
				}
				time.Sleep(2 * time.Minute)
				u := p.unavailable()
				if u.Token != "expired" || u.RetryAfter < time.Second || u.RetryAfter > 36*time.Second {
					t.Errorf("got %+v", u)
				}
				r.server.heal()
				time.Sleep(36 * time.Second) // the longest pause
				p.token()
				r.wantState(p, StateOK, "")
			})
		})
	}
}

func TestRequestsWaitOnlyForAnAttemptThatIsDue(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.always(unavailable(503, time.Minute))
		p := r.boot()
		time.Sleep(time.Second)
		if u := p.unavailableAtOnce(); u.RetryAfter < 55*time.Second {
			t.Errorf("retry after %v, want what the server said", u.RetryAfter)
		}
		r.server.heal()
		time.Sleep(50 * time.Second)
		p.token() // due within the 10 s
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for _, after := range []time.Duration{10 * time.Minute, time.Hour} {
		t.Run(after.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.script(unavailable(429, after))
				p := r.boot()
				p.tick(after)
				r.wantRequests(1)
				p.keeper.Recheck()
				p.unavailableOrToken()
				p.tick(time.Second)
				r.wantRequests(2)
				p.token()
			})
		})
	}
}

func TestAForcedRefreshObeysRetryAfter(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		token := p.token()
		r.server.script(unavailable(429, 15*time.Minute))
		time.Sleep(41 * time.Minute)
		r.wantRequests(2)
		if v := p.unauthorized(token); v != Final {
			t.Errorf("verdict %v", v)
		}
		r.wantRequests(2)
	})
}

func TestARefusedClientKeepsItsRefreshToken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		kept := r.disk.stored().RefreshToken
		r.server.always(misconfigured())
		time.Sleep(70 * time.Minute)
		u := p.unavailableAtOnce()
		if u.State != StateMisconfigured || p.said(u.Trouble).Remedy == "" {
			t.Errorf("got %+v", u)
		}
		r.wantState(p, StateMisconfigured, "invalid_client")
		// In half an hour: 30 s, doubling to 5 minutes.
		if n := r.server.count(); n < 6 || n > 14 {
			t.Errorf("%d requests", n)
		}
		rec := r.disk.stored()
		if rec.RefreshToken != kept || rec.Lost != nil || rec.Attempt != nil {
			t.Errorf("record %+v, want the refresh token kept", rec)
		}
		r.server.heal() // the secret's file was replaced
		time.Sleep(6 * time.Minute)
		r.wantState(p, StateOK, "")
		p.token()
	})
}

func TestAReloadTriesACorrectedClientAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.always(misconfigured())
		p := r.boot()
		time.Sleep(20 * time.Minute)
		r.server.heal()
		before := r.server.count()
		p.start()
		p.token()
		r.wantRequests(before + 1)
	})
}

func TestASettingThatCannotBeResolvedSendsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.resolveErr = errors.New("client_secret: open /run/secrets/erp: no such file")
		p := r.boot()
		p.tick(10 * time.Minute)
		r.wantRequests(0)
		st := r.wantState(p, StateMisconfigured, finding.CauseUnresolved)
		if p.said(st.Trouble).Detail != r.resolveErr.Error() || p.said(st.Trouble).Remedy == "" {
			t.Errorf("trouble %+v", st.Trouble)
		}
		p.toldOnce(finding.Troubled)
		p.unavailableAtOnce()
		r.change(func() { r.resolveErr = nil })
		time.Sleep(6 * time.Minute) // without a restart
		r.wantState(p, StateOK, "")
	})
}

func TestASettingThatIsMissingForAWhileHarmsNoValidToken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.change(func() { r.resolveErr = errors.New("client_secret: file is empty") })
		p.keeper.Recheck()
		synctest.Wait()
		r.wantState(p, StateMisconfigured, finding.CauseUnresolved)
		p.token()
		r.change(func() { r.resolveErr = nil })
		time.Sleep(6 * time.Minute)
		r.wantState(p, StateOK, "")
		r.wantRequests(1)
	})
}

func TestADeadClientDoesNotDelayAnother(t *testing.T) {
	bubble(t, func(t *testing.T, dead *rig) {
		other := newRig(t)
		defer other.end()
		dead.server.always(fault{before: time.Hour})
		dead.boot()
		p := other.boot()
		for range 100 {
			began := time.Now()
			p.token()
			if took := time.Since(began); took > 100*time.Millisecond {
				t.Fatalf("waited %v", took)
			}
			time.Sleep(10 * time.Minute)
		}
	})
}

func TestAPanicDoesNotEndTheRefreshing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.grace = time.Minute
		r.server.script(fault{panics: true})
		p := r.boot()
		p.token()
		r.wantRequests(2)
		e := p.toldOnce(finding.TokenRefreshFailed)
		if e.Trouble.Cause != finding.CauseInternal || p.saidOf(e).Detail != "a string panic while refreshing" {
			t.Errorf("event %+v", e)
		}
		r.wantState(p, StateOK, "")
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
	})
}

func TestAPanicWhileRequestsAreHeldReleasesThem(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.grace = time.Minute
		p := r.boot(drain)
		p.token()
		r.server.script(fault{panics: true, before: time.Second}, dropBefore())
		time.Sleep(41 * time.Minute)
		if _, err := p.keeper.Acquire(t.Context(), 0, true); err != nil {
			t.Error(err)
		}
		if r.disk.leased() {
			t.Error("the lease was kept")
		}
	})
}

func TestRetryAfterHoldsThroughOtherTrouble(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.always(unavailable(429, 15*time.Minute))
		time.Sleep(41 * time.Minute)
		r.wantRequests(2)
		r.change(func() { r.resolveErr = errFull }) // a secret file is being replaced
		p.keeper.Recheck()
		time.Sleep(time.Second)
		r.change(func() { r.resolveErr = nil })
		p.tick(10 * time.Minute)
		r.wantRequests(2)
		r.server.heal()
		p.tick(10 * time.Minute)
		r.wantRequests(3)
		r.wantState(p, StateOK, "")
	})
}
