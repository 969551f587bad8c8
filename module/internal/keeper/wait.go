package keeper

import (
	"cmp"
	"context"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
)

// Pass is the permission to send one request with a token.
type Pass struct {
	// Token is the token to send.
	Token *Token

	// Former says that it was replaced already: see [Keeper.Former].
	Former bool

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
	return "client " + u.Client + " has no valid access token: " + cmp.Or(u.Trouble.Cause, finding.CauseExpired)
}

// Acquire returns a valid token, waiting for one if an attempt runs or is due
// within wait. Otherwise it returns *Unavailable, or the error of ctx.
//
// A holdable request is held back while a token is replaced whose predecessor
// dies at that moment; [Keeper.Answered] must be called for its pass when the
// response headers are there or the request failed.
func (k *Keeper) Acquire(ctx context.Context, wait time.Duration, holdable bool) (Pass, error) {
	deadline := int64(0)
	for {
		counted := holdable && k.drains.Load()
		if counted {
			if err := k.gate.enter(ctx); err != nil {
				return Pass{}, err
			}
		}
		t := k.current.Load()
		if t.valid(k.now()) {
			return Pass{Token: t, counted: counted}, nil
		}
		if counted {
			k.gate.leave()
		}
		if deadline == 0 {
			deadline = k.now().Mono + int64(wait)
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
	if k.current.Load().valid(k.now()) {
		return nil
	}
	_, err := k.Acquire(ctx, wait, false)
	return err
}

// Waiting returns how many requests wait: for a token, or for one to be replaced.
func (k *Keeper) Waiting() int64 { return k.waiting.Load() + k.gate.waiting.Load() }

// Current returns the valid token, nil if there is none. It waits for nothing.
func (k *Keeper) Current() *Token {
	if t := k.current.Load(); t.valid(k.now()) {
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
// error if waiting longer is of no use. The deadline is monotonic.
func (k *Keeper) await(ctx context.Context, deadline int64) error {
	now := k.now()
	k.mu.Lock()
	if k.current.Load().valid(now) {
		k.mu.Unlock()
		return nil
	}
	if k.state.Wanted(now) {
		k.next(step.Poked{})
	}
	k.hurry()
	hopeless := k.state.Hopeless(now, deadline)
	changed := k.change()
	k.mu.Unlock()

	if hopeless || now.Mono >= deadline {
		return k.unavailable()
	}
	k.waiting.Add(1)
	defer k.waiting.Add(-1)
	timer := time.NewTimer(time.Duration(deadline - now.Mono))
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
	k.look.hurry()
}

func (k *Keeper) unavailable() error {
	k.mu.Lock()
	st, inLine, leasing := k.status(), k.state.InLine(), k.state.LeaseBusy() || k.state.Awaits()
	k.mu.Unlock()
	if st.beside {
		st.Trouble = finding.Trouble{}
	}
	u := &Unavailable{Status: st, RetryAfter: max(time.Second, st.NextAttempt)}
	if st.Trouble.NeedsGrant() || !st.Planned {
		u.RetryAfter = when.SlowRetryMin
	}
	switch {
	case u.Trouble.Cause != "":
	case leasing:
		u.Trouble.Cause = finding.CauseLeaseHeld
	case inLine:
		u.Trouble.Cause = finding.CauseQueued
	case u.Token == "expired":
		u.Trouble.Cause = finding.CauseExpired
	default:
		u.Trouble.Cause = finding.CauseStarting
	}
	return u
}

// Verdict says what to do with an upstream's 401.
type Verdict int

const (
	// Final: the 401 is the upstream's own answer.
	Final Verdict = iota

	// Stale: the request carried a token that was replaced meanwhile. It was not
	// acted on, so any method may be sent again.
	Stale

	// Renewed: the current token was refused and a new one was obtained because
	// of it. Only idempotent methods may be sent again.
	Renewed
)

// Accepted says that an upstream answered a token with something else than 401.
func (k *Keeper) Accepted(t *Token) {
	if k.unconfirmed.Load() == t.Generation {
		k.step(step.Accepted{Generation: t.Generation})
	}
}

// Unauthorized says what to do with the 401 that an upstream answered to a
// token. It waits for a refresh that runs, and may bring one about.
func (k *Keeper) Unauthorized(ctx context.Context, used *Token, wait time.Duration) Verdict {
	if t := k.current.Load(); t != nil && t.Generation > used.Generation {
		return Stale
	}
	k.mu.Lock()
	k.next(step.Unauthorized{Generation: used.Generation})
	k.hurry()
	k.mu.Unlock()

	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		k.mu.Lock()
		changed, over, forced := k.change(), !k.state.Busy(), k.state.Forced(used.Generation)
		k.mu.Unlock()
		t := k.current.Load()
		if t != nil && t.Generation > used.Generation {
			if forced {
				return Renewed
			}
			return Stale
		}
		if over {
			return Final
		}
		select {
		case <-changed:
		case <-timer.C:
			return Final
		case <-ctx.Done():
			return Final
		}
	}
}
