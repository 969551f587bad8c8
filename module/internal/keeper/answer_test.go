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
		if n := r.server.count(); n < 2 || n > 12 {
			t.Errorf("%d requests, want some, and ever fewer", n)
		}
	})
}

// A good token was thrown away, and the next one was asked for when that was due.
func TestAnAnswerThatCannotBeUsedCostsNoTokenThatCan(t *testing.T) {
	for name, odd := range map[string]func(a *answer){
		"another type": func(a *answer) { a.TokenType, a.Unusable = "mac", "token_type mac" },
		"a blank": func(a *answer) {
			a.AccessToken, a.Unusable = "two words", "it holds characters that no header may hold"
		},
		"not bound":   func(a *answer) { a.Unusable, a.Cause = "its token_type is Bearer, not DPoP", finding.CauseNotBound },
		"not rotated": func(a *answer) { a.Unusable, a.RefreshToken = "token_type mac", "" },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.reuses = name == "not rotated"
				r.server.script(fault{}, fault{tamper: odd})
				p := r.boot()
				good := p.token()
				for r.server.count() < 2 {
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(100 * time.Millisecond)
				if got := p.token(); got.AccessToken != good.AccessToken || got.Generation != good.Generation {
					t.Errorf("requests get generation %d, want the one that lives", got.Generation)
				}
				if rec := r.disk.stored(); rec.RefreshToken != r.server.current(r.seed) {
					t.Errorf("record %+v, want the newest refresh token", rec)
				}
				p.toldOnce(finding.TokenRefreshFailed)
				time.Sleep(3 * time.Second)
				if got := p.token(); got.AccessToken == good.AccessToken {
					t.Errorf("%d requests, and no new token", r.server.count())
				}
				r.wantRequests(3)
			})
		})
	}
}

// With rotation_overlap none the old one is dead: requests wait for the next attempt.
func TestAnAnswerThatCannotBeUsedIsRepeatedSoon(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(fault{}, fault{tamper: func(a *answer) { a.Unusable = "token_type mac" }})
		p := r.boot(drain)
		good := p.token()
		for r.server.count() < 2 {
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		if got := p.token(); got.AccessToken == good.AccessToken {
			t.Error("requests are sent with the token that died")
		}
		r.wantRequests(3)
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
