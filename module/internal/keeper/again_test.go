package keeper

import (
	"testing"
	"time"
)

// A server that gives a refresh token back that it took before is the authority on that: the
// client ended as refused, with a token that the server honoured.
func TestARefreshTokenThatIsGivenAgainIsPresentedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.swaps = true
		p := r.boot()
		p.token()
		for range 12 {
			p.tick(time.Hour)
			r.wantState(p, StateOK, "")
			r.wantUse(p)
		}
		p.kill() // and the disk has it so, whatever the configuration names
		p = r.boot()
		p.tick(3 * time.Hour)
		r.wantState(p, StateOK, "")
		r.wantUse(p)
		all := r.server.requests()
		if len(all) < 14 {
			t.Errorf("%d requests, want one an hour", len(all))
		}
		for i, q := range all[2:] {
			if q.token != all[i].token {
				t.Errorf("request %d presents %s, want %s", i+3, q.token, all[i].token)
			}
		}
	})
}
