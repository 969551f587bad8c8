package keeper

import (
	"context"
	"errors"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/recordstore"
)

// Result is what became of an operator's order.
type Result struct {
	// Obtained says that there is a new access token.
	Obtained bool

	// Revoked says that the grant was revoked, as ordered.
	Revoked bool

	// Kept says that the refresh token that was to be imported is presented again, without
	// another order.
	Kept bool

	// Trouble is why there is none.
	Trouble finding.Trouble

	// Status is the client's status afterwards.
	Status Status
}

// Refresh obtains a new access token now, whatever the schedule, the least
// interval and the backoff say. Only a time that the server asked to wait
// (Retry-After) is honoured, unless force is set. A grant that was given up is
// presented once more.
//
// It returns when the outcome is known. An error is that of ctx; an attempt that
// was begun goes on, and is not begun anew.
func (k *Keeper) Refresh(ctx context.Context, force bool) (Result, error) {
	return k.order(ctx, step.Order{Force: force})
}

// Import presents a new refresh token, and makes it the client's if the server
// accepts it. As with a new seed, a grant that lives stays if it is refused.
// From the journal on the token is in the record, so that no crash forgets it. One that could
// not be presented although nothing speaks against it is kept, too.
func (k *Keeper) Import(ctx context.Context, refreshToken string, force bool) (Result, error) {
	return k.order(ctx, step.Order{Import: refreshToken, Force: force})
}

// ImportAgain is Import of a refresh token that may have been refused, or may be or
// have been another client's.
func (k *Keeper) ImportAgain(ctx context.Context, refreshToken string, force bool) (Result, error) {
	return k.order(ctx, step.Order{Import: refreshToken, Force: force, Again: true})
}

// Revoke ends the grant at the server (RFC 7009) and forgets its access token.
// The client stays in grant_lost, also after a restart, until it is given
// another refresh token. If the server does not revoke it, nothing changes.
func (k *Keeper) Revoke(ctx context.Context) (Result, error) {
	return k.order(ctx, step.Order{Revoke: true})
}

func (k *Keeper) order(ctx context.Context, o step.Order) (Result, error) {
	done := make(chan Result, 1)
	k.mu.Lock()
	k.serial++
	o.ID = k.serial
	if k.orders == nil {
		k.orders = make(map[uint32]chan Result)
	}
	k.orders[o.ID] = done
	k.next(step.Ordered{Order: o})
	k.mu.Unlock()
	select {
	case r := <-done:
		return r, nil
	case <-ctx.Done():
		k.mu.Lock()
		delete(k.orders, o.ID)
		k.next(step.OrderGone{ID: o.ID})
		k.mu.Unlock()
		return Result{Status: k.Status()}, ctx.Err()
	}
}

// reply answers an order.
func (k *Keeper) reply(r step.Reply) {
	k.mu.Lock()
	defer k.mu.Unlock()
	done := k.orders[r.ID]
	delete(k.orders, r.ID)
	if len(k.orders) == 0 {
		k.orders = nil // there may be very many clients, and each was given an order once
	}
	if done != nil {
		done <- Result{
			Obtained: r.Outcome == step.Obtained, Revoked: r.Outcome == step.WasRevoked,
			Kept: r.Kept, Trouble: r.Trouble, Status: k.status(),
		}
	}
}

// Keepable says why a new refresh token could not be kept, as far as that can be
// told without writing; the zero value if nothing speaks against it. Whoever
// spends something to obtain one asks before.
func (k *Keeper) Keepable(ctx context.Context) finding.Trouble {
	err := k.store.Open(ctx)
	if err == nil {
		if _, err = k.store.Load(ctx, k.name); err == nil || errors.Is(err, recordstore.ErrNotFound) {
			return finding.Trouble{}
		}
	}
	fault, facts := faultOf(err)
	if fault == step.Damaged || fault == step.Unreadable {
		return finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseRecord, Facts: facts}
	}
	return finding.StoreTrouble(facts)
}
