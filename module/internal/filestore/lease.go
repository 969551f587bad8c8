package filestore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"lamplighter/module/internal/recordstore"
)

// lockPoll is how often a lock that another process holds is asked for. Waiting
// in the kernel instead could not be called off.
const lockPoll = 25 * time.Millisecond

var errReleased = errors.New("lease was released")

// Lease tries once for the lock on the client's lock file. The operating system
// gives it back when the process ends, however it ends.
func (f *File) Lease(ctx context.Context, name string) (recordstore.Lease, error) {
	if err := recordstore.CheckName(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("lease of %s: %w", f.path(name), err)
	}
	if err := f.ready(ctx); err != nil {
		return nil, err
	}
	e, done := f.entry(name)
	if !e.leasing.tryLock() {
		done()
		return nil, fmt.Errorf("lease of %s: %w", f.path(name), recordstore.ErrBusy)
	}
	h, err := f.tryHold(e, name)
	if err != nil && !f.opened.Load() { // the directory was taken away: it is made anew
		if err = f.ready(ctx); err == nil {
			h, err = f.tryHold(e, name)
		}
	}
	if err != nil {
		e.leasing.unlock()
		done()
		return nil, fmt.Errorf("lease of %s: %w", f.path(name), err)
	}
	return &fileLease{entry: e, done: done, hold: h, path: f.lockPath(name)}, nil
}

// LeaseLength is 0: the operating system ends a lease with its holder.
func (f *File) LeaseLength() time.Duration { return 0 }

// tryHold asks for the lock once, and not while a Save of this store has it or waits
// for it.
func (f *File) tryHold(e *entry, name string) (*hold, error) {
	if !e.saving.tryLock() {
		return nil, recordstore.ErrBusy
	}
	defer e.saving.unlock()
	lock, err := f.fs.tryLock(f.lockPath(name))
	if err != nil {
		return nil, f.lockError(f.lockPath(name), err)
	}
	if lock == nil {
		return nil, recordstore.ErrBusy
	}
	if err := f.finishLeft(e, name); err != nil {
		lock.unlock()
		return nil, err
	}
	h := &hold{lock: lock, users: 1}
	e.mu.Lock()
	e.held = h
	e.mu.Unlock()
	return h, nil
}

// exclude makes sure that nobody else writes the record until unlock is called:
// under the lock of this store's lease, or else under one of its own. Called
// with e.saving held.
func (f *File) exclude(ctx context.Context, e *entry, name string) (unlock func(), err error) {
	for {
		if h := e.borrow(); h != nil {
			return func() { e.giveBack(h) }, nil
		}
		lock, err := f.fs.tryLock(f.lockPath(name))
		if err != nil {
			return nil, f.lockError(f.lockPath(name), err)
		}
		if lock != nil {
			if err := f.finishLeft(e, name); err != nil {
				lock.unlock()
				return nil, err
			}
			return lock.unlock, nil
		}
		if err := pause(ctx, lockPoll); err != nil {
			return nil, err
		}
	}
}

// hold is the lock of a lease, shared with the Saves made meanwhile: the lock
// goes when the last of them is done.
type hold struct {
	lock  fileLock
	users int // guarded by the entry's mu
}

// borrow returns the lock of the current lease, nil if there is none or if it
// no longer excludes anybody.
func (e *entry) borrow() *hold {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held == nil || e.held.lock.lost() != nil {
		return nil
	}
	e.held.users++
	return e.held
}

func (e *entry) giveBack(h *hold) {
	e.mu.Lock()
	defer e.mu.Unlock()
	h.users--
	if h.users == 0 {
		h.lock.unlock()
	}
}

// fileLease is a lock on a lock file.
type fileLease struct {
	entry    *entry
	done     func() // gives the entry back
	hold     *hold
	path     string
	once     sync.Once
	released atomic.Bool
}

// Lost reports a lock file that was deleted or replaced: others can lock the
// new one.
func (l *fileLease) Lost() error {
	if l.released.Load() {
		return fmt.Errorf("%s: %w", l.path, errReleased)
	}
	if err := l.hold.lock.lost(); err != nil {
		return fmt.Errorf("%s: lease is lost: %w", l.path, err)
	}
	return nil
}

// Release gives the lock back, once.
func (l *fileLease) Release() {
	l.once.Do(func() {
		l.released.Store(true)
		e := l.entry
		e.mu.Lock()
		e.held = nil
		e.mu.Unlock()
		e.giveBack(l.hold)
		e.leasing.unlock()
		l.done()
	})
}

// pause waits, or returns why it did not.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Interface guard
var _ recordstore.Lease = (*fileLease)(nil)
