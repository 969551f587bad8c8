package keeper

import (
	"context"
	"fmt"
	"time"

	"lamplighter/module/internal/store"
	"lamplighter/module/internal/tokenendpoint"
)

// trial is the attempt to replace a grant that lives by a new refresh token. What
// is wrong with that one must not keep the living one from being refreshed: until
// an answer judges it, it is tried at times of its own.
type trial struct {
	token store.Fingerprint
	backoff
}

// rests reports whether a refresh token is not tried now, because it was a moment
// ago, or because an operator wants a token and not an attempt.
func (t *trial) rests(token store.Fingerprint, o *order, mono time.Time) bool {
	if t.token != token || t.failures == 0 || o != nil && o.token != "" {
		return false
	}
	return o != nil || mono.Before(t.notBefore)
}

// reset begins with another token.
func (t *trial) reset(token store.Fingerprint) {
	*t = trial{token: token, backoff: backoff{random: t.random}}
}

// failBeside records that a new refresh token could not be tried beside a grant
// that lives.
func (k *Keeper) failBeside(f *flight, p plan, a tokenendpoint.Answer) {
	if f.ctx.Err() != nil {
		return // called off, not failed
	}
	mono, wall := k.clock.now()
	what, remedy := "of the configuration", "correct it, or restore the former one"
	if p.imported {
		what, remedy = "that was imported", "import another one, or none if it passes"
	}
	if a.Remedy != "" && a.DeadGrant == "" {
		remedy = a.Remedy // it is not the new refresh token that is to blame
	}
	t := Trouble{
		State: StateBackoff, Cause: a.Cause, At: wall,
		Detail: fmt.Sprintf("the new refresh token %s could not be exchanged, and the one in use stays until it can: %s", what, a.Detail),
		Remedy: remedy, beside: true,
	}
	lo, hi := retryMin, retryMax
	if a.Outcome == tokenendpoint.Misconfigured {
		t.State, lo, hi = StateMisconfigured, slowRetryMin, slowRetryMax
	}
	if p.imported && a.Outcome == tokenendpoint.Misconfigured {
		k.forgetImport()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	trial := &k.setback().trial
	if fp := store.FingerprintOf(p.present); trial.token != fp {
		trial.reset(fp)
	}
	trial.fail(mono, lo, hi, a.RetryAfter)
	k.schedule.retryAfter = trial.retryAfter // it is the same server
	k.trouble = t
	f.note(k.troubleEvent(TokenRefreshFailed))
}

// forgetImport takes an import out of the record that the server would not even
// judge: whoever made it has the answer, and may make it again.
func (k *Keeper) forgetImport() {
	k.mu.Lock()
	rec := k.record
	k.mu.Unlock()
	before := rec.Revision
	rec.Imported = ""
	ctx, cancel := context.WithTimeout(context.Background(), writeWait)
	defer cancel()
	if k.store.Save(ctx, k.name, rec, before) == nil {
		rec.Revision = before + 1
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.record = rec
}
