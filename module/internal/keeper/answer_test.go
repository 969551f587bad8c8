package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

func TestATokenThatCannotBeInjectedIsKeptAndNotServed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.always(fault{tamper: func(a *answer) { a.TokenType, a.Unusable = "mac", "token_type mac" }})
		p := r.boot()
		time.Sleep(time.Second)
		if u := p.unavailableAtOnce(); u.Trouble.Cause != finding.CauseUnusable || p.said(u.Trouble).Remedy == "" {
			t.Errorf("got %+v", u)
		}
		if rec := r.disk.stored(); rec.RefreshToken != r.server.current(r.seed) || rec.Generation != 1 {
			t.Errorf("record %+v, want the new refresh token", rec)
		}
		p.tick(30 * time.Minute)
		p.keeper.Recheck()
		r.wantRequests(1)
		p.kill()
		p = r.boot()
		p.tick(30 * time.Minute)
		if n := r.server.count(); n > 3 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestAMissingLifetimeIsReported(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.always(fault{tamper: func(a *answer) { a.ExpiresDefaulted = "expires_in is missing" }})
		p := r.boot()
		p.token()
		if e := p.toldOnce(finding.LifetimeMissing); p.saidOf(e).Detail == "" || p.saidOf(e).Remedy == "" {
			t.Errorf("event %+v", e)
		}
		time.Sleep(41 * time.Minute)
		r.wantRequests(2)
	})
}

func TestTheEndOfTheGrantIsRecorded(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(fault{tamper: func(a *answer) { a.RefreshTokenExpiresIn = 30 * 24 * time.Hour }})
		p := r.boot()
		p.token()
		asked := r.server.requests()[0].at
		if got := r.disk.stored().RefreshTokenExpiresAt; !got.Equal(asked.Add(30 * 24 * time.Hour)) {
			t.Errorf("recorded %v", got)
		}
	})
}

func TestATokenIsRefreshedWithoutAnyTraffic(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		time.Sleep(30 * 24 * time.Hour)
		r.wantState(p, StateOK, "")
		r.wantUse(p)
	})
}

func TestNoEventHoldsASecret(t *testing.T) {
	for name, faults := range map[string][]fault{
		"success":       {{}},
		"refusal":       {refuses()},
		"lost answer":   {dropAfter(), dropAfter()},
		"broken answer": {truncated(), badGateway()},
		"panic":         {{panics: true}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.script(faults...)
				p := r.newProcess()
				p.onTell = func(e Event) { noSecret(t, e.Trouble.Cause, p.saidOf(e).Detail, p.saidOf(e).Remedy) }
				p.start()
				p.tick(time.Hour)
				st := p.keeper.Status().Trouble
				noSecret(t, st.Cause, p.said(st).Detail, p.said(st).Remedy)
				if _, err := p.acquire(); err != nil {
					noSecret(t, err.Error())
				}
				if len(p.told(finding.TokenObtained))+len(p.told(finding.GrantLost)) == 0 {
					t.Error("nothing was told")
				}
			})
		})
	}
}
