package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

func TestARevocationReachesEveryProcessThatSharesTheRecord(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		other := r.boot()
		other.token()
		p.revokes(nil)
		if res := p.revoke(); !res.Revoked {
			t.Fatalf("result %+v", res)
		}
		other.tick(time.Minute)
		r.wantState(other, StateGrantLost, finding.CauseRevoked)
		other.unavailableAtOnce()
	})
}
