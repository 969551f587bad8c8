package keeper

import (
	"context"
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

// TestARevocationThatOutlivedItsLeaseIsMadeOnceMore: while a process was paused, another one
// rotated. Of the token that was consumed by then the server says that it is revoked.
func TestARevocationThatOutlivedItsLeaseIsMadeOnceMore(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p, other := r.boot(), r.boot()
		p.token()
		other.token()
		var asked []string
		p.start(func(s *Settings) {
			s.Resolve = func() (Inputs, error) {
				in, err := p.resolve()
				in.Revoke = func(_ context.Context, token string) error {
					if asked = append(asked, token); len(asked) == 1 {
						r.disk.stealLease()
						r.wantObtained(other.refresh(false))
						return nil
					}
					r.server.revoke(token)
					return nil
				}
				return in, err
			}
		})
		if res := p.revoke(); !res.Revoked {
			t.Fatalf("result %+v", res)
		}
		if len(asked) != 2 || asked[0] == asked[1] {
			t.Errorf("revoked %q", asked)
		}
		other.tick(time.Minute)
		r.wantState(other, StateGrantLost, finding.CauseRevoked)
	})
}
