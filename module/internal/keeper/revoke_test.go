package keeper

import (
	"context"
	"errors"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

// revokes gives a process's configuration a revocation endpoint.
func (p *machine) revokes(answer error) (asked *[]string) {
	asked = new([]string)
	p.start(func(s *Settings) {
		s.Resolve = func() (Inputs, error) {
			in, err := p.resolve()
			in.Revoke = func(_ context.Context, token string) error {
				*asked = append(*asked, token)
				if answer == nil {
					p.rig.server.revoke(token)
				}
				return answer
			}
			return in, err
		}
	})
	return asked
}

func (p *machine) revoke() Result {
	p.rig.Helper()
	r, err := p.keeper.Revoke(p.rig.Context())
	if err != nil {
		p.rig.Fatal(err)
	}
	return r
}

func TestARevokedGrantStaysRevoked(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		asked := p.revokes(nil)
		held := r.disk.stored().RefreshToken
		if res := p.revoke(); !res.Revoked || res.Obtained || res.Trouble.Cause != finding.CauseRevoked || res.Status.Token != "none" {
			t.Fatalf("result %+v", res)
		}
		if len(*asked) != 1 || (*asked)[0] != held {
			t.Errorf("revoked %q, want the refresh token that was held", *asked)
		}
		p.unavailableAtOnce()
		p.tick(2 * time.Hour)
		r.wantState(p, StateGrantLost, finding.CauseRevoked)
		p.kill()
		p = r.boot()
		r.wantState(p, StateGrantLost, finding.CauseRevoked)
		p.unavailableAtOnce()
		r.wantRequests(1)
		r.wantObtained(p.imports(r.server.login()))
	})
}

// TestALogInAfterARevocationIsRepeatedUntilItSucceeds: the schedule of the token
// that is gone says nothing about the next one.
func TestALogInAfterARevocationIsRepeatedUntilItSucceeds(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.revokes(nil)
		p.revoke()
		r.server.script(unavailable(429, 0))
		r.supply(r.server.login())
		p.tick(time.Minute)
		r.wantState(p, StateOK, "")
		if p.token().Generation != 2 {
			t.Error("there is no token of the new grant")
		}
		r.wantRequests(3)
	})
}

func TestAGrantThatTheServerDoesNotRevokeGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.revokes(errors.New("status 503"))
		r.wantRefused(p.revoke(), finding.CauseNoRevocation)
		r.wantState(p, StateOK, "")
		if p.token().Generation != 1 {
			t.Error("the token is not used any more")
		}
		p.tick(time.Hour)
		r.wantRequests(2)
	})
}

func TestWhatCannotBeRevokedIsExplained(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.wantRefused(p.revoke(), finding.CauseNoRevocation) // no endpoint
		asked := p.revokes(nil)
		r.server.script(refuses())
		p.tick(2 * time.Hour)
		r.wantRefused(p.revoke(), finding.CauseRefused) // nothing left
		r.supply("")
		other := r.boot(cacheOnly)
		r.wantRefused(other.revoke(), finding.CauseNotRotating)
		if len(*asked) != 0 {
			t.Errorf("%d revocations were sent", len(*asked))
		}
	})
}

// TestARevocationLeavesTheAttemptWithANewSeedOpen: what became of the new one is
// still to be found out, and explained.
func TestARevocationLeavesTheAttemptWithANewSeedOpen(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.revokes(nil)
		r.server.script(dropAfter(), unavailable(503, time.Minute))
		r.supply(r.server.login())
		p.tick(20 * time.Second)
		if res := p.revoke(); !res.Revoked {
			t.Fatalf("result %+v", res)
		}
		p.tick(10 * time.Minute)
		r.wantState(p, StateGrantLost, finding.CauseResponseLost)
	})
}
