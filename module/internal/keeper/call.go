package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/panics"
	"lamplighter/module/internal/recordstore"
)

// storeWait is how long a call of the store may take: then it has failed, like any
// other, and may have done its work all the same.
const storeWait = 5 * time.Second

var errStuck = errors.New("an earlier call has not returned yet")

// call makes one call of the store, or of whoever reads the settings. One that does not obey its context is left
// behind, and no other one is made until it returns.
func call[T any](k *Keeper, stuck *bool, work func(ctx context.Context) (T, error)) (T, error) {
	var none T
	k.mu.Lock()
	before := *stuck
	k.mu.Unlock()
	if before {
		return none, errStuck
	}
	type outcome struct {
		value T
		err   error
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeWait)
	done := make(chan outcome, 1)
	go func() {
		defer cancel()
		o := outcome{err: errors.New("a bug of ours ended it")}
		defer func() {
			if r := recover(); r != nil {
				o.err = &bug{panicked(r)}
			}
			done <- o
		}()
		o.value, o.err = work(ctx)
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
	}
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	select {
	case o := <-done:
		return o.value, o.err
	case <-patience.C:
	}
	k.mu.Lock()
	*stuck = true
	k.mu.Unlock()
	go func() {
		o := <-done
		if lease, ok := any(o.value).(recordstore.Lease); ok && o.err == nil {
			lease.Release() // nobody waits for it any more
		}
		k.mu.Lock()
		*stuck = false
		k.mu.Unlock()
		k.Recheck()
	}()
	return none, fmt.Errorf("no answer within %s: %w", storeWait, context.DeadlineExceeded)
}

// bug is the error of a call that one of ours ended.
type bug struct{ facts *finding.Facts }

func (b *bug) Error() string { return b.facts.Detail }

// release gives the lease back, and waits for that no longer than for other calls.
func (k *Keeper) release() {
	lease := k.lease
	if lease == nil {
		return
	}
	k.lease = nil
	given := make(chan struct{})
	go func() {
		defer close(given)
		_ = panics.Contain(lease.Release)
	}()
	patience := time.NewTimer(storeWait)
	defer patience.Stop()
	select {
	case <-given:
	case <-patience.C:
	}
}
