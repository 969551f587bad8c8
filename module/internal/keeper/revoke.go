package keeper

import (
	"context"

	"lamplighter/module/cause"
	"lamplighter/module/internal/store"
)

// Revoke ends the grant at the server (RFC 7009) and forgets its access token.
// The client stays in grant_lost, also after a restart, until it is given
// another refresh token. If the server does not revoke it, nothing changes.
func (k *Keeper) Revoke(ctx context.Context) (Result, error) {
	return k.order(ctx, &order{ends: true})
}

// revoke obeys such an order, under the lease: nobody may be exchanging the
// refresh token meanwhile.
func (k *Keeper) revoke(f *flight, in *Inputs) {
	if !f.settings.Rotating {
		f.order.refused = told(StateMisconfigured, cause.Of(CauseNotRotating, "revoke"))
		return
	}
	if in.Revoke == nil {
		f.order.refused = told(StateMisconfigured, cause.Of(CauseNoRevocation, "no endpoint"))
		return
	}
	lease, ok := k.takeLease(f)
	if !ok {
		return
	}
	defer k.giveBack(lease)
	if _, ok := k.look(f, in); !ok {
		return
	}
	k.mu.Lock()
	rec := k.record
	trouble := k.trouble
	k.mu.Unlock()
	switch {
	case rec.RefreshToken == "" || rec.Lost != nil:
		f.order.refused = trouble
		return
	case rec.Binding.Grant != in.Binding.Grant:
		f.order.refused = reboundTrouble(&rec, k.store.Describe(k.name))
		return
	}
	ctx, cancel := context.WithTimeout(f.ctx, f.settings.Timeout)
	defer cancel()
	if err := in.Revoke(ctx, rec.RefreshToken); err != nil {
		f.order.refused = Trouble{
			State: StateBackoff, Cause: CauseNoRevocation, Detail: "the grant was not revoked: " + err.Error(),
			Remedy: cause.Of(CauseNoRevocation).Remedy,
		}
		return
	}
	k.end(f, rec)
}

// end writes that the grant is over.
func (k *Keeper) end(f *flight, rec store.Record) {
	_, wall := k.clock.now()
	fp := store.FingerprintOf(rec.RefreshToken)
	rec.Imported, rec.Token = "", nil
	if rec.Attempt != nil && rec.Attempt.RefreshToken == fp {
		rec.Attempt = nil // of another token, a new seed, it is still open
	}
	rec.AddSpent(fp)
	rec.Lost = &store.Loss{Cause: CauseRevoked, Detail: "an operator revoked the grant", At: wall, RefreshToken: fp}
	err := k.write(&rec) // which sets its revision
	k.commit(f, rec, err)
	k.mu.Lock()
	k.drop()
	k.mu.Unlock()
	f.order.revoked = true
	k.blocked(f, lostTrouble(rec.Lost))
}
