package keeper

import (
	"time"

	"lamplighter/module/cause"
)

// blocked records trouble that no time heals by itself: nothing more is asked
// until something changes. It is looked at again now and then all the same,
// because files change without notice.
func (k *Keeper) blocked(f *flight, t Trouble) {
	mono, wall := k.clock.now()
	switch {
	case t.needsGrant() && f.settings.Rotating:
		t.Remedy = cause.Of(t.Cause).With("client", k.name).Remedy
	case t.needsGrant(): // there is nothing to log in for, or to import
		t.Remedy = cause.Of(CauseRefused, "without rotation").Remedy
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.trouble.State == t.State && k.trouble.Cause == t.Cause && k.trouble.Detail == t.Detail
	if t.At.IsZero() {
		t.At = wall
		if known {
			t.At = k.trouble.At
		}
	}
	t.local = true
	k.trouble = t
	if t.needsGrant() {
		k.schedule.stop() // Tick looks for a new seed
	} else {
		k.schedule.idle = false
		k.schedule.fail(mono, slowRetryMin, slowRetryMax, 0)
	}
	if known {
		return
	}
	kind := Troubled
	if t.State == StateGrantLost {
		kind = GrantLost
	}
	f.note(k.troubleEvent(kind))
}

// fail records a failed attempt and plans the next: soon if it may pass by
// itself, slowly if somebody has to change the configuration.
func (k *Keeper) fail(f *flight, t Trouble, retryAfter time.Duration) {
	if f.ctx.Err() != nil {
		return // called off, not failed
	}
	mono, wall := k.clock.now()
	lo, hi := retryMin, retryMax
	if t.State == StateMisconfigured {
		lo, hi = slowRetryMin, slowRetryMax
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.trouble.State != t.State {
		k.schedule.failures = 0
	}
	k.schedule.idle = false
	k.schedule.fail(mono, lo, hi, retryAfter)
	t.At = wall
	k.trouble = t
	f.note(k.troubleEvent(TokenRefreshFailed))
}
