package keeper

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"lamplighter/module/internal/store"
)

// process names this process in the journal, so that an attempt that another
// one left behind is told from our own.
var process = rand.Text()[:10]

// noLease is the lease of grants that need none.
type noLease struct{}

func (noLease) Lost() error { return nil }
func (noLease) Release()    {}

// takeLease waits for the sole right to spend the refresh token.
func (k *Keeper) takeLease(f *flight) (store.Lease, bool) {
	k.mu.Lock()
	kept := k.lease
	k.mu.Unlock()
	if kept != nil {
		return kept, true
	}
	// Whoever holds it needs a token request's time at most, and a little for
	// its own disk.
	ctx, cancel := context.WithTimeout(f.ctx, f.settings.Timeout+5*time.Second)
	defer cancel()
	k.setLeasing(f, true)
	lease, err := k.store.Lease(ctx, k.name)
	k.setLeasing(f, false)
	if err == nil {
		return lease, true
	}
	place := k.store.Describe(k.name)
	if errors.Is(err, context.DeadlineExceeded) {
		k.fail(f, Trouble{
			State: StateBackoff, Cause: CauseLeaseHeld,
			Detail: fmt.Sprintf("another process has been refreshing %s for longer than timeout", place),
			Remedy: "find the other process that uses the same record; it may be hanging",
		}, 0)
		return nil, false
	}
	k.fail(f, storeTrouble(err, place), 0)
	return nil, false
}

func (k *Keeper) setLeasing(f *flight, leasing bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f.leasing = leasing
}

// giveBack ends the lease, unless the newest refresh token is only in memory:
// then nobody else may present the spent one that the store still has.
func (k *Keeper) giveBack(lease store.Lease) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.unsaved {
		k.lease = lease
		return
	}
	k.lease = nil
	lease.Release()
}

// journal writes down which refresh token is about to be presented. That the
// write succeeds is also the proof that the answer can be kept.
func (k *Keeper) journal(f *flight, in *Inputs, p plan) bool {
	k.mu.Lock()
	rec, unsaved := k.record, k.unsaved
	k.mu.Unlock()
	_, wall := k.clock.now()
	before := rec.Revision
	rec.Client = k.name
	fp := store.FingerprintOf(p.present)
	rec.Attempt = k.nextAttempt(rec.Attempt, fp, wall)
	if !p.resting {
		rec.Imported = ""
	}
	if p.imported && p.beside {
		rec.Imported = p.present
	}
	if p.seed && !p.beside {
		// The seed becomes the grant, so that a crash does not forget it.
		if rec.Lost != nil {
			rec.AddSpent(store.FingerprintOf(rec.RefreshToken))
		}
		rec.RefreshToken, rec.Lost, rec.Binding = p.present, nil, in.Binding
		rec.AddSeed(fp)
	}
	err := k.store.Save(f.ctx, k.name, rec, before)
	switch {
	case err == nil:
		rec.Revision = before + 1
	case unsaved && !p.seed:
		// The store refused the last answer and the token is about to expire:
		// what it has is spent anyway, nothing is lost by going on.
	default:
		k.fail(f, storeTrouble(err, k.store.Describe(k.name)), 0)
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.record = rec
	if unsaved && err == nil {
		k.unsaved = false
		f.note(k.storeEvent(StoreRecovered, nil, ""))
	}
	return true
}

// nextAttempt journals another attempt. If the last one with the same refresh
// token was never settled, the new one remembers it: a refusal then means that
// its answer was lost.
func (k *Keeper) nextAttempt(last *store.Attempt, fp store.Fingerprint, at time.Time) *store.Attempt {
	a := &store.Attempt{ID: k.process + "-" + rand.Text()[:10], RefreshToken: fp, At: at}
	if last == nil || last.RefreshToken != fp {
		return a
	}
	a.Unanswered, a.UnansweredBy = last.At, last.ID
	if !last.Unanswered.IsZero() {
		a.Unanswered, a.UnansweredBy = last.Unanswered, last.UnansweredBy
	}
	return a
}
