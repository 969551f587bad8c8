package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/store"
	"lamplighter/module/internal/tokenendpoint"
)

// order is what an operator asked for. A round takes it up like anything else
// that is due: through lease and journal, and never beside another request.
type order struct {
	token string // the refresh token to import; "" for a refresh
	ends  bool   // revokes the grant instead
	force bool   // asks although the server named a time to wait

	revive     bool   // the grant was lost when it was given, and is presented once more
	generation uint64 // at the time: a later one is what a refresh was to bring
	counted    bool   // generation is set

	fulfilled bool    // another request brought what was asked for
	refused   Trouble // why it was not even tried, or what a revocation was answered
	revoked   bool
	done      chan Result
}

// Result is what became of an operator's order.
type Result struct {
	// Obtained says that there is a new access token.
	Obtained bool

	// Revoked says that the grant was revoked, as ordered.
	Revoked bool

	// Trouble is why there is none.
	Trouble Trouble

	// Status is the client's status afterwards.
	Status Status
}

// Refresh obtains a new access token now, whatever the schedule, the least
// interval and the backoff say. Only a time that the server asked to wait
// (Retry-After) is honoured, unless force is set. A grant that was given up is
// presented once more.
//
// It returns when the outcome is known. An error is that of ctx; the request
// goes on.
func (k *Keeper) Refresh(ctx context.Context, force bool) (Result, error) {
	return k.order(ctx, &order{force: force})
}

// Import presents a new refresh token, and makes it the client's if the server
// accepts it. As with a new seed, a grant that lives stays if it is refused.
// From the journal on the token is in the record, so that no crash forgets it.
func (k *Keeper) Import(ctx context.Context, refreshToken string, force bool) (Result, error) {
	return k.order(ctx, &order{token: refreshToken, force: force})
}

// Keepable says why a new refresh token could not be kept, as far as that can be
// told without writing; the zero value if nothing speaks against it. Whoever
// spends something to obtain one asks before.
func (k *Keeper) Keepable(ctx context.Context) Trouble {
	place := k.store.Describe(k.name)
	if err := k.store.Open(ctx); err != nil {
		return storeTrouble(err, place)
	}
	switch _, err := k.store.Load(ctx, k.name); {
	case err == nil, errors.Is(err, store.ErrNotFound):
		return Trouble{}
	case errors.Is(err, store.ErrUnreadable):
		return recordTrouble(err, place, false)
	default:
		return storeTrouble(err, place)
	}
}

func (k *Keeper) order(ctx context.Context, o *order) (Result, error) {
	o.done = make(chan Result, 1)
	k.mu.Lock()
	if len(k.settings) == 0 {
		k.mu.Unlock()
		return Result{Trouble: stoppedTrouble, Status: k.Status()}, nil
	}
	if k.loaded {
		o.generation, o.counted = k.record.Generation, true
		o.revive = k.record.Lost != nil && o.token == "" && !o.ends
	}
	k.orders = append(k.orders, o)
	k.setback().saving.retryNow()
	if k.trouble.blocking() {
		k.settled = false // whoever needs a token waits for the outcome
	}
	k.kick()
	k.mu.Unlock()

	select {
	case r := <-o.done:
		return r, nil
	case <-ctx.Done():
		return Result{Status: k.Status()}, ctx.Err()
	}
}

// takeOrder makes the oldest order the round's. Called with k.mu held.
func (k *Keeper) takeOrder(f *flight) {
	f.order, f.outcome = nil, 0
	if len(k.orders) == 0 || len(k.settings) == 0 {
		return
	}
	f.order, k.orders = k.orders[0], k.orders[1:]
	kind := RefreshOrdered
	switch {
	case f.order.token != "":
		kind = ImportOrdered
	case f.order.ends:
		kind = RevokeOrdered
	}
	f.note(k.tokenEvent(kind))
}

// heed lets the round's order change the plan. It reports false if it cannot be
// obeyed. Called with k.mu held.
func (k *Keeper) heed(o *order, p *plan, rotating bool, mono time.Time) bool {
	rec := &k.record
	if !o.counted {
		o.generation, o.counted = rec.Generation, true
	}
	switch {
	case o.token != "" && !rotating:
		o.refused = notRotatingTrouble
	case o.token != "" && o.token != rec.RefreshToken && rec.KnowsSeed(store.FingerprintOf(o.token)):
		o.refused = knownTrouble
	case o.token == "" && rec.Generation > o.generation && k.current.Load() != nil:
		o.fulfilled = true
		return true
	case !o.force && mono.Before(k.schedule.retryAfter):
		o.refused = retryAfterTrouble(k.schedule.retryAfter.Sub(mono))
	default:
		p.ask, k.schedule.pressing = true, true
		return true
	}
	return false
}

// finish finds out what became of the round's order.
func (k *Keeper) finish(f *flight) {
	o := f.order
	if o == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	_, wall := k.clock.now()
	r := &f.result
	*r = Result{Trouble: k.trouble}
	switch {
	case o.revoked:
		r.Revoked = true
		return
	case o.fulfilled || f.outcome == tokenendpoint.Granted:
		r.Obtained = k.trouble.State == ""
		return
	case o.refused.State != "":
		r.Trouble = o.refused
	case f.seedRefused.State != "":
		r.Trouble = f.seedRefused
		return // told already
	case r.Trouble.State == "" && k.unsaved:
		r.Trouble = unsavedTrouble(k.store.Describe(k.name))
	case r.Trouble.State == "" && f.outcome == tokenendpoint.Refused:
		r.Trouble = overtakenTrouble
	case r.Trouble.State == "":
		r.Trouble = stoppedTrouble
	}
	for _, e := range f.events {
		if e.Kind == TokenRefreshFailed || e.Kind == GrantLost || e.Kind == Troubled {
			return
		}
	}
	if r.Trouble.At.IsZero() {
		r.Trouble.At = wall
	}
	kind := OrderRefused
	if f.outcome != 0 {
		kind = TokenRefreshFailed
	}
	e := k.tokenEvent(kind)
	e.Cause, e.Detail, e.Remedy = r.Trouble.Cause, r.Trouble.Detail, r.Trouble.Remedy
	f.note(e)
}

// answerOrder tells whoever gave the round's order. Called with k.mu held.
func (k *Keeper) answerOrder(f *flight) {
	if f.order == nil {
		return
	}
	f.result.Status = k.status()
	f.order.done <- f.result
	f.order = nil
}

// dismiss answers the orders that nobody will take up. Called with k.mu held.
func (k *Keeper) dismiss() {
	for _, o := range k.orders {
		o.done <- Result{Trouble: stoppedTrouble, Status: k.status()}
	}
	k.orders = nil
}

var (
	stoppedTrouble     = told(StateStarting, cause.Of(CauseStopped))
	overtakenTrouble   = told(StateBackoff, cause.Of(CauseContested, "overtaken"))
	notRotatingTrouble = told(StateMisconfigured, cause.Of(CauseNotRotating))
	knownTrouble       = told(StateMisconfigured, cause.Of(CauseSeedUsed, "known"))
)

func retryAfterTrouble(wait time.Duration) Trouble {
	return Trouble{
		State: StateBackoff, Cause: CauseRetryAfter,
		Detail: fmt.Sprintf("the authorization server asked not to be asked for another %s (Retry-After)", wait.Round(time.Second)),
		Remedy: cause.Of(CauseRetryAfter).Remedy,
	}
}

func unsavedTrouble(place string) Trouble {
	return Trouble{
		State: StateBackoff, Cause: CauseStore,
		Detail: "the newest refresh token is not written yet, so no other one is asked for",
		Remedy: remedyStore(place),
	}
}
