package keeper

import (
	"context"
	"sync/atomic"
	"time"
)

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

// forced bounds refreshes that upstreams ask for by answering 401: one per
// generation, none for a generation that was obtained that way until some
// upstream has accepted it, and ever longer pauses between them where one
// upstream accepts what another, or another of its paths, always refuses.
type forced struct {
	asked       uint64        // newest generation a refresh was forced for
	obtained    uint64        // newest generation that a forced refresh of ours brought
	unconfirmed atomic.Uint64 // generation that was obtained by force and that nobody accepted yet
	look        time.Time     // from when on a 401 may bring about a look at the record; monotonic
}

// lookPause is the least time between two looks that 401s bring about while no
// request may be made.
const lookPause = time.Second

// renewed notes what a token request of ours brought. One that another holder of
// the record made does not count, whoever asked for it.
func (f *forced) renewed(generation uint64, same bool, now time.Time, least time.Duration, pauses func() *pauses) {
	switch {
	case f.asked == 0:
		return
	case !same && f.asked+1 == generation:
		f.unconfirmed.Store(generation)
		f.obtained = generation
	case same && f.asked == generation:
	default:
		return
	}
	pauses().next(now, max(retryMin, least), slowRetryMax)
}

// Accepted says that an upstream answered a token with something else than 401.
func (k *Keeper) Accepted(t *Token) {
	if k.forced.unconfirmed.Load() == t.Generation {
		k.forced.unconfirmed.CompareAndSwap(t.Generation, 0)
	}
}

// Unauthorized says what to do with the 401 that an upstream answered to a
// token. It waits for a refresh that runs, and may bring one about.
func (k *Keeper) Unauthorized(ctx context.Context, used *Token, wait time.Duration) Verdict {
	if t := k.current.Load(); t != nil && t.Generation > used.Generation {
		return Stale
	}
	mono, _ := k.clock.now()
	k.mu.Lock()
	switch {
	case k.flight != nil && k.flight.asking && k.forced.asked != used.Generation:
		// Its token died under way.
	case k.forced.asked == used.Generation && (k.flight != nil || k.turn != nil):
	case k.forced.asked == used.Generation,
		k.forced.unconfirmed.Load() == used.Generation,
		k.trouble.blocking() && !k.trouble.beside, len(k.settings) == 0:
		k.mu.Unlock()
		return Final
	case mono.Before(k.schedule.notBefore), mono.Before(k.setbacksSoFar().forced.notBefore):
		if !mono.Before(k.forced.look) { // another holder may have rotated
			k.forced.look = mono.Add(lookPause)
			k.kick()
		}
	default:
		k.forced.asked = used.Generation
		k.schedule.refresh = instant{}
		k.kick()
	}
	k.hurry()
	k.mu.Unlock()

	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		k.mu.Lock()
		changed, over, forced := k.change(), k.flight == nil && k.turn == nil, k.forced.obtained == used.Generation+1
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
