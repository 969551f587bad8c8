package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

// TestAClientThatNeedsAnothersTokenSpendsNothingUntilItIsThere waits long enough
// for the pauses to have grown to their longest.
func TestAClientThatNeedsAnothersTokenSpendsNothingUntilItIsThere(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.resolveErr = &NotYet{Detail: "client platform has no token yet"}
		p := r.boot()
		time.Sleep(10 * time.Minute)
		r.wantRequests(0)
		r.wantState(p, StateBackoff, finding.CauseNotYet)

		// Told that it is there, it asks at once, whatever pause there is.
		r.change(func() { r.resolveErr = nil })
		p.keeper.Recheck()
		time.Sleep(time.Second)
		r.wantRequests(1)
		r.wantState(p, StateOK, "")
		p.token()
	})
}

func TestATokenIsUsedOnWhileWhatItsRefreshNeedsIsNotThere(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.change(func() { r.resolveErr = &NotYet{Detail: "client platform has no token yet"} })
		time.Sleep(50 * time.Minute) // the refresh is overdue
		r.wantState(p, StateBackoff, finding.CauseNotYet)
		p.token()
		r.wantRequests(1)

		// Nobody tells: it looks by itself.
		r.change(func() { r.resolveErr = nil })
		time.Sleep(time.Minute)
		r.wantRequests(2)
		r.wantState(p, StateOK, "")
	})
}
