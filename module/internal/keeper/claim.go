package keeper

import (
	"context"
	"errors"

	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/store"
)

// claim is the one rule for whether a refresh token that no answer has judged may be
// sent: not if it is, or was, another client's. It is asked directly before the
// request is written.
func (k *Keeper) claim(c grant.Claim) (e grant.Claimed) {
	f := record.FingerprintOf(c.RefreshToken)
	failpoint.At("before-claim")
	e.Facts, e.Fault = k.ownerOf(f, func(ctx context.Context, free frees) (string, error) {
		switch {
		case c.Again:
			return k.store.Claim(ctx, k.name, f, func(string) (bool, error) { return true, nil })
		case c.Rotating:
			return k.store.Claim(ctx, k.name, f, free)
		}
		return k.claimed(ctx, f, free)
	})
	failpoint.At("after-claim")
	return e
}

// taken returns whose a refresh token is that was another client's, nil if that has
// let it go.
func (k *Keeper) taken(f record.Fingerprint) (*grant.Facts, grant.Fault) {
	return k.ownerOf(f, func(ctx context.Context, free frees) (string, error) { return k.claimed(ctx, f, free) })
}

// frees reports whether a client lets go what it has claimed.
type frees func(owner string) (bool, error)

// claimed returns whose a refresh token is, this client's name if it may be that.
func (k *Keeper) claimed(ctx context.Context, f record.Fingerprint, free frees) (string, error) {
	owner, err := k.store.Claimed(ctx, f)
	if err != nil || owner == "" || owner == k.name {
		return k.name, err
	}
	if let, err := free(owner); err != nil || let {
		return k.name, err
	}
	return owner, nil
}

// ownerOf finds out whose a refresh token is. Facts are nil if it is nobody's else.
func (k *Keeper) ownerOf(f record.Fingerprint, ask func(context.Context, frees) (string, error)) (*grant.Facts, grant.Fault) {
	binding := k.inputs.Binding.Grant
	owner, err := call(k, &k.stuck, func(ctx context.Context) (string, error) {
		return ask(ctx, func(owner string) (bool, error) {
			rec, err := k.store.Load(ctx, owner)
			switch {
			case errors.Is(err, store.ErrNotFound):
				return true, nil
			case errors.Is(err, store.ErrUnreadable):
				return false, nil // nobody knows what became of it
			case err != nil:
				return false, err
			}
			return rec.Frees(f, binding), nil
		})
	})
	if err != nil {
		_, facts := faultOf(err)
		return facts, grant.Away
	}
	if owner == k.name {
		return nil, grant.None
	}
	facts := &grant.Facts{Owner: owner, Place: k.store.Describe(owner)}
	if declared := k.obeyed().Declared; declared != nil && declared(owner) {
		facts.Kind = "in use"
	}
	return facts, grant.Taken
}
