package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

func expiredAssertion(r *rig) {
	r.change(func() {
		r.outdated = &finding.Facts{Detail: "the client assertion in /run/token expired at 2026-11-30T12:00:00Z", Remedy: "renew it"}
	})
}

func TestNothingIsSentWithAnExpiredAssertionAndASecondAfterItsRenewalAllGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		expiredAssertion(r)
		p := r.boot()
		time.Sleep(10 * time.Minute)
		r.wantRequests(0)
		st := r.wantState(p, StateBackoff, finding.CauseOutdated)
		if st.Trouble.Facts.Detail == "" || st.Trouble.Facts.Remedy == "" {
			t.Errorf("it does not explain itself: %+v", st.Trouble.Facts)
		}
		r.change(func() { r.outdated = nil })
		time.Sleep(1100 * time.Millisecond)
		r.wantRequests(1)
		r.wantState(p, StateOK, "")
		p.token()
	})
}

func TestAnExpiredAssertionIsToldOfOnceAndTheTokenUsedOn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		expiredAssertion(r)
		time.Sleep(10 * time.Minute) // nothing is due
		r.wantState(p, StateOK, "")
		time.Sleep(40 * time.Minute) // the refresh is overdue
		r.wantRequests(1)
		r.wantState(p, StateBackoff, finding.CauseOutdated)
		p.token()
		if e := p.toldOnce(finding.Troubled); e.Trouble.Cause != finding.CauseOutdated {
			t.Errorf("told %+v", e)
		}
		r.change(func() { r.outdated = nil })
		time.Sleep(1100 * time.Millisecond)
		r.wantRequests(2)
		r.wantState(p, StateOK, "")
	})
}

func TestAStoredTokenIsServedAfterARestartWithAnExpiredAssertion(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		want := p.token().AccessToken
		p.kill()
		expiredAssertion(r)
		p = r.boot()
		if got := p.token().AccessToken; got != want {
			t.Errorf("got %q, want the stored %q", got, want)
		}
		r.wantRequests(1)
	})
}

func TestARefreshThatIsOrderedIsRefusedAtOnceWhileTheAssertionIsExpired(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		expiredAssertion(r)
		for range 2 {
			result, err := p.keeper.Refresh(t.Context(), false)
			if err != nil || result.Obtained || result.Trouble.Cause != finding.CauseOutdated {
				t.Errorf("%+v, %v", result, err)
			}
		}
		r.wantRequests(1)
	})
}
