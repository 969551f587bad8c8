package keeper

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/tokenendpoint"
)

// A grant may have an end of its own: fault B7.

const day = 24 * time.Hour

// endsIn lets the server's grant end then, whatever it is refreshed with.
func (r *rig) endsIn(life time.Duration) (end time.Time) {
	end = time.Now().Add(life)
	r.server.always(fault{tamper: func(a *answer) {
		if a.RefreshTokenExpiresIn = time.Until(end); a.RefreshTokenExpiresIn <= 0 {
			*a = answer{Outcome: tokenendpoint.Refused, Status: 400, Cause: "invalid_grant", Detail: "status 400, invalid_grant"}
		}
	}})
	return end
}

func TestAnEndThatDoesNotMoveIsToldOfInTimeAndOnceADay(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		end := r.endsIn(30 * day)
		p := r.boot()
		p.token()
		time.Sleep(27*day - time.Second)
		r.wantState(p, StateOK, "")
		if n := len(p.told(finding.GrantEnds)); n != 0 {
			t.Fatalf("told %d times, when a tenth of its life has not begun", n)
		}
		time.Sleep(2 * time.Second)
		e := p.toldOnce(finding.GrantEnds)
		if !e.GrantExpiresAt.Equal(r.disk.stored().RefreshTokenExpiresAt) || e.Trouble.Cause != finding.CauseGrantEnds ||
			!strings.Contains(p.saidOf(e).Detail, "ends by itself at ") || !strings.Contains(p.saidOf(e).Remedy, "lamplighter tokens login erp") {
			t.Errorf("told %+v", e)
		}
		st := r.wantState(p, StateOK, finding.CauseGrantEnds)
		if st.Token != "valid" || st.GrantExpiresAt.Sub(end).Abs() > time.Second || p.said(st.Trouble) != p.saidOf(e) {
			t.Errorf("status %+v", st)
		}
		p.token()
		time.Sleep(2 * day)
		if n := len(p.told(finding.GrantEnds)); n != 3 {
			t.Errorf("told %d times in two days and a bit, want 3", n)
		}
	})
}

func TestAGrantThatReachedItsEndIsLostBecauseOfThat(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		end := r.endsIn(10 * time.Hour)
		p := r.boot()
		p.token()
		time.Sleep(10*time.Hour - time.Minute)
		if n := len(p.told(finding.GrantEnds)); n != 1 {
			t.Errorf("told %d times", n)
		}
		p.token()
		time.Sleep(2 * time.Hour)
		st := r.wantState(p, StateGrantLost, finding.CauseGrantEnds)
		if want := "the grant ended by itself at " + end.Add(-time.Second).UTC().Format("2006-01-02T15:04"); !strings.Contains(p.said(st.Trouble).Detail, want) || !strings.Contains(p.said(st.Trouble).Detail, "invalid_grant") {
			t.Errorf("detail %q, want %q", p.said(st.Trouble).Detail, want)
		}
		if u := p.unavailableAtOnce(); u.Trouble.Cause != finding.CauseGrantEnds || !strings.Contains(p.said(u.Trouble).Remedy, "tokens login erp") {
			t.Errorf("unavailable: %+v", u.Trouble)
		}
		if n := len(p.told(finding.GrantEnds)); n != 1 {
			t.Errorf("told %d times of an end that has passed", n)
		}
		p.halt()
		r.wantState(r.boot(), StateGrantLost, finding.CauseGrantEnds)
	})
}

func TestAnEndThatMovesIsNotToldOf(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.always(fault{tamper: func(a *answer) { a.RefreshTokenExpiresIn = 30 * time.Minute }})
		p := r.boot()
		p.token()
		time.Sleep(3 * day)
		synctest.Wait()
		if st := r.wantState(p, StateOK, ""); time.Until(st.GrantExpiresAt) <= 0 {
			t.Errorf("the grant ended at %v, and goes on", st.GrantExpiresAt)
		}
		if told := p.told(finding.GrantEnds); len(told) != 0 {
			t.Errorf("told %+v", told)
		}
	})
}

// Until refreshing fails: then it does not move the end either.
func TestAnEndThatNoRefreshMovesBecauseTheyFailIsToldOf(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(fault{tamper: func(a *answer) { a.RefreshTokenExpiresIn = 30 * time.Minute }})
		p := r.boot()
		p.token()
		r.server.always(notSent())
		time.Sleep(26 * time.Minute)
		if told := p.told(finding.GrantEnds); len(told) != 0 {
			t.Errorf("told too early: %+v", told)
		}
		time.Sleep(2 * time.Minute)
		p.toldOnce(finding.GrantEnds)
		if st := p.keeper.Status(); st.State != StateBackoff || st.Trouble.Cause == finding.CauseGrantEnds {
			t.Errorf("what fails is not told first: %+v", st)
		}
		r.server.always(fault{tamper: func(a *answer) { a.RefreshTokenExpiresIn = 30 * time.Minute }})
		time.Sleep(time.Minute)
		r.wantState(p, StateOK, "")
		p.toldOnce(finding.GrantEnds)
	})
}

func TestZeroIsNoEnd(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.endsIn(30 * day)
		p := r.boot(func(s *Settings) { s.RefreshTokenExpiresIn = 40 * day })
		p.token()
		if st := p.keeper.Status(); st.GrantExpiresAt.IsZero() {
			t.Fatal("the end is not known")
		}
		for _, omits := range []bool{false, true} {
			r.server.edit(func(s *server) { s.omits = omits })
			r.server.always(fault{tamper: func(a *answer) { a.RefreshTokenExpiresIn = tokenendpoint.Endless }})
			time.Sleep(time.Hour)
			if st := p.keeper.Status(); !st.GrantExpiresAt.IsZero() {
				t.Errorf("the grant ends at %v, and the server says that it does not", st.GrantExpiresAt)
			}
		}
	})
}

func TestTheSettingSaysWhenAGrantEndsWhoseAnswersDoNot(t *testing.T) {
	for name, omits := range map[string]bool{"rotating": false, "not rotating": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.omits = omits
				p := r.boot(func(s *Settings) { s.RefreshTokenExpiresIn = 10 * day })
				p.token()
				began := time.Now()
				time.Sleep(9*day + time.Hour)
				st := p.keeper.Status()
				if ends := st.GrantExpiresAt.Sub(began).Round(time.Minute); omits != (ends == 10*day) || omits != (st.Trouble.Cause == finding.CauseGrantEnds) {
					t.Errorf("the grant ends %v after it began, %+v", ends, st.Trouble)
				}
				if n := len(p.told(finding.GrantEnds)); omits != (n == 1) {
					t.Errorf("told %d times", n)
				}
			})
		})
	}
}

func TestTheEndIsKnownAfterARestartAndAReload(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.endsIn(30 * day)
		p := r.boot()
		p.token()
		time.Sleep(27*day + time.Hour)
		p.toldOnce(finding.GrantEnds)
		p.start()
		time.Sleep(time.Minute)
		p.toldOnce(finding.GrantEnds) // a reload is no reason
		before := p.keeper.Status().GrantExpiresAt
		p.halt()
		requests := r.server.count()
		p = r.boot()
		st := r.wantState(p, StateOK, finding.CauseGrantEnds)
		if !st.GrantExpiresAt.Equal(before) {
			t.Errorf("the grant ends at %v, and before the restart at %v", st.GrantExpiresAt, before)
		}
		p.toldOnce(finding.GrantEnds)
		r.wantRequests(requests)
	})
}

// A process that was down while the token wanted to be refreshed tries that first.
func TestAnEndIsNotToldOfBeforeARefreshHadItsChanceToMoveIt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.always(fault{tamper: func(a *answer) { a.RefreshTokenExpiresIn = 30 * time.Minute }})
		p := r.boot()
		p.token()
		p.halt()
		time.Sleep(29 * time.Minute)
		p = r.boot()
		time.Sleep(time.Minute)
		r.wantState(p, StateOK, "")
		if told := p.told(finding.GrantEnds); len(told) != 0 {
			t.Errorf("told %+v", told)
		}
	})
}

func TestANewLogInEndsTheWarning(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.endsIn(30 * day)
		p := r.boot()
		p.token()
		time.Sleep(27*day + time.Hour)
		r.wantState(p, StateOK, finding.CauseGrantEnds)
		r.endsIn(30 * day)
		if res, err := p.keeper.Import(t.Context(), r.server.login(), false); err != nil || !res.Obtained || res.Trouble.Cause != "" {
			t.Fatalf("%v %+v", err, res)
		}
		r.wantState(p, StateOK, "")
		p.toldOnce(finding.GrantEnds)
		time.Sleep(27*day + time.Hour)
		if n := len(p.told(finding.GrantEnds)); n != 2 {
			t.Errorf("told %d times of two grants", n)
		}
	})
}

// The end of the grant is not why there is no token.
func TestAMissingTokenIsNotPutDownToAnEndThatIsToCome(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.endsIn(30 * day)
		p := r.boot()
		p.token()
		time.Sleep(27*day + time.Hour)
		r.server.edit(func(s *server) { s.latency = 25 * time.Second })
		p.halt()
		time.Sleep(2 * time.Hour)
		p = r.boot()
		if u := p.unavailable(); u.Trouble.Cause == finding.CauseGrantEnds {
			t.Errorf("unavailable: %+v", u.Trouble)
		}
	})
}
