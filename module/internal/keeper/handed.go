package keeper

import (
	"context"
	"time"

	"lamplighter/module/internal/finding"
)

// Handed says that somebody was given the current token, and sends requests with it of which
// nobody tells the keeper.
func (k *Keeper) Handed() { k.handed.Store(int64(time.Since(k.began)) + 1) }

// unseen is how much longer a hold lasts for those who were handed the token that dies: a
// request of theirs is given quiesce from when they got it. Who was handed one by another
// process, and when, nobody knows here; all hold since then.
func (k *Keeper) unseen(quiesce time.Duration, elsewhere bool, held time.Time) time.Duration {
	quiesce = min(quiesce, maxHold)
	if elsewhere {
		return quiesce - time.Since(held)
	}
	last := k.handed.Load()
	if last == 0 {
		return 0
	}
	return quiesce - (time.Since(k.began) - time.Duration(last))
}

func pauseFor(ctx context.Context, pause time.Duration) {
	if pause <= 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// forcing bounds the refreshes that come about because somebody who was handed a token says
// that it was refused: no answer of an upstream is seen, so nobody knows whether what was
// obtained by force is accepted.
type forcing struct {
	generation uint64 // that was obtained by force, last that somebody refused
	pause      time.Duration
}

const (
	forcePauseMin = 30 * time.Second
	forcePauseMax = 10 * time.Minute
)

// left is how long it is until another refresh may be forced in the place of a token. What
// is replaced as planned begins anew.
func (f *forcing) left(t *Token, forced bool, wall time.Time) time.Duration {
	switch {
	case !forced:
		*f = forcing{}
		return 0
	case f.generation+1 == t.Generation:
		f.pause = min(2*f.pause, forcePauseMax)
	case f.generation != t.Generation:
		f.pause = forcePauseMin
	}
	f.generation = t.Generation
	f.pause = max(f.pause, forcePauseMin)
	return min(f.pause, max(0, f.pause-wall.Sub(t.ObtainedAt)))
}

// Refused acts on the word of somebody who was handed a token and says that an upstream
// refused it. It waits, as long as wait, for a refresh that runs, and may bring one about.
//
// It returns 0 if there is a newer token, and otherwise when one may be forced. The error is
// *Unavailable if the attempt brought none, or that of ctx.
func (k *Keeper) Refused(ctx context.Context, t *Token, wait time.Duration) (retry time.Duration, err error) {
	k.mu.Lock()
	if now := k.current.Load(); now != nil && now.Generation > t.Generation {
		k.mu.Unlock()
		return 0, nil
	}
	retry = k.forcing.left(t, k.state.Forced(t.Generation-1), time.Unix(0, k.now().Wall))
	k.mu.Unlock()
	if retry == 0 {
		k.Accepted(t) // nobody will ever say so
	}
	if k.Unauthorized(ctx, t, wait) != Final {
		return 0, nil
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	k.mu.Lock()
	busy, well := k.state.Busy(), k.state.Trouble().Condition == finding.Well
	planned, _ := k.state.Planned(k.now())
	k.mu.Unlock()
	if busy || !well && retry == 0 {
		return 0, k.unavailable()
	}
	if retry == 0 { // the server gave the same token once more
		retry = planned
	}
	return max(retry, time.Second), nil
}

// NextRefresh is how long it is until the next token request is due, false if none is
// planned.
func (k *Keeper) NextRefresh() (time.Duration, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state.Planned(k.now())
}
