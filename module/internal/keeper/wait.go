package keeper

import (
	"context"
	"time"

	"lamplighter/module/cause"
)

// Pass is the permission to send one request with a token.
type Pass struct {
	// Token is the token to send.
	Token *Token

	counted bool
}

// Unavailable is the error of a request that finds no valid token.
type Unavailable struct {
	Status

	// RetryAfter is when it is worth another try.
	RetryAfter time.Duration
}

// Error names the client and the cause, and no secret.
func (u *Unavailable) Error() string {
	cause := u.Trouble.Cause
	if cause == "" {
		cause = CauseExpired
	}
	return "client " + u.Client + " has no valid access token: " + cause
}

// Acquire returns a valid token, waiting for one if an attempt runs or is due
// within wait. Otherwise it returns *Unavailable, or the error of ctx.
//
// A holdable request is held back while a token is replaced whose predecessor
// dies at that moment; [Keeper.Answered] must be called for its pass when the
// response headers are there or the request failed.
func (k *Keeper) Acquire(ctx context.Context, wait time.Duration, holdable bool) (Pass, error) {
	var deadline time.Time
	for {
		counted := holdable && k.drains.Load()
		if counted {
			if err := k.gate.enter(ctx); err != nil {
				return Pass{}, err
			}
		}
		t := k.current.Load()
		if t.valid(k.clock.now()) {
			return Pass{Token: t, counted: counted}, nil
		}
		if counted {
			k.gate.leave()
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(wait)
		}
		if err := k.await(ctx, deadline); err != nil {
			return Pass{}, err
		}
	}
}

// Ready waits as [Keeper.Acquire] does, and sends nothing: when it returns nil,
// there was a valid token a moment ago, and a holdable request was not held.
func (k *Keeper) Ready(ctx context.Context, wait time.Duration, holdable bool) error {
	if holdable && k.drains.Load() {
		if err := k.gate.pass(ctx); err != nil {
			return err
		}
	}
	if k.current.Load().valid(k.clock.now()) {
		return nil
	}
	_, err := k.Acquire(ctx, wait, false)
	return err
}

// Waiting returns how many requests wait: for a token, or for one to be replaced.
func (k *Keeper) Waiting() int64 { return k.waiting.Load() + k.gate.waiting.Load() }

// Current returns the valid token, nil if there is none. It waits for nothing.
func (k *Keeper) Current() *Token {
	if t := k.current.Load(); t.valid(k.clock.now()) {
		return t
	}
	return nil
}

// Answered says that the response headers of a request are there, or that it
// failed. Call it once per pass.
func (k *Keeper) Answered(p Pass) {
	if p.counted {
		k.gate.leave()
	}
}

// await returns when something changed that may have brought a token, or an
// error if waiting longer is of no use.
func (k *Keeper) await(ctx context.Context, deadline time.Time) error {
	mono, wall := k.clock.now()
	k.mu.Lock()
	if k.current.Load().valid(mono, wall) {
		k.mu.Unlock()
		return nil
	}
	started := len(k.settings) > 0
	if started && !k.trouble.blocking() && k.flight == nil && !k.inLine() && k.schedule.due(mono, wall) {
		k.kick()
	}
	k.hurry()
	next, planned := k.schedule.next(mono, wall)
	hopeless := started && (k.trouble.blocking() && k.settled && !k.trouble.beside ||
		k.flight == nil && (!planned || mono.Add(next).After(deadline)))
	changed := k.change()
	k.mu.Unlock()

	if hopeless || !mono.Before(deadline) {
		return k.unavailable()
	}
	k.waiting.Add(1)
	defer k.waiting.Add(-1)
	timer := time.NewTimer(deadline.Sub(mono))
	defer timer.Stop()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return k.unavailable()
	}
}

// hurry lets the keeper pass those whose tokens nobody waits for. Called with
// k.mu held.
func (k *Keeper) hurry() {
	k.turn.hurry()
	if k.flight != nil {
		k.flight.look.hurry()
	}
}

func (k *Keeper) unavailable() error {
	k.mu.Lock()
	st, inLine, leasing := k.status(), k.inLine(), k.flight != nil && k.flight.leasing
	k.mu.Unlock()
	u := &Unavailable{Status: st, RetryAfter: max(time.Second, st.NextAttempt)}
	if st.Trouble.needsGrant() || !st.Planned {
		u.RetryAfter = slowRetryMin
	}
	if u.Trouble.Cause == "" && leasing {
		u.Trouble = leasingTrouble
	}
	if u.Trouble.Cause == "" && inLine {
		u.Trouble = queuedTrouble
	}
	if u.Trouble.Cause == "" {
		why := cause.Of(CauseStarting)
		u.Trouble.Cause, u.Trouble.Detail, u.Trouble.Remedy = why.Name, why.Sentence, why.Remedy
	}
	return u
}
