package sharedstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
)

// moment is one by both clocks: one of them stands still while a machine is suspended,
// the other is set.
type moment struct{ mono, wall time.Time }

func (s *Store) now() moment { return moment{time.Now(), s.options().Wall().Round(0)} }

// since returns how much time went by at most, by either clock.
func (m moment) since(before moment) time.Duration {
	return max(m.mono.Sub(before.mono), m.wall.Sub(before.wall))
}

// agree reports whether both clocks tell the same, but for little.
func (m moment) agree(before moment) bool {
	return (m.mono.Sub(before.mono) - m.wall.Sub(before.wall)).Abs() < time.Second
}

// sighting is a lease of another holder, as it was seen.
type sighting struct {
	held  store.Held
	since moment // it has not been renewed since
}

// lease is one that this process holds.
type lease struct {
	s      *Store
	e      *entry
	name   string
	holder string
	held   store.Lease
	stop   chan struct{} // closed by Release
	done   chan struct{} // closed when it is not renewed any more
	once   sync.Once

	mu      sync.Mutex
	renewed moment // when the last renewal that succeeded was sent
	gone    error  // another holder has it
	over    bool   // its end was told of
}

// Lease tries once for the sole right to spend the client's refresh token.
func (s *Store) Lease(ctx context.Context, name string) (recordstore.Lease, error) {
	if err := recordstore.CheckName(name); err != nil {
		return nil, err
	}
	if err := s.quarantined(); err != nil {
		return nil, fmt.Errorf("lease of %s: %w", s.Describe(name), err)
	}
	e := s.entry(name)
	l := &lease{s: s, e: e, name: name, holder: s.holder() + "-" + rand.Text()[:8], stop: make(chan struct{}), done: make(chan struct{})}
	e.mu.Lock()
	if e.lease != nil {
		e.mu.Unlock()
		return nil, fmt.Errorf("lease of %s: %w: this process", s.Describe(name), recordstore.ErrBusy)
	}
	e.lease = l
	e.mu.Unlock()
	err := l.take(ctx)
	if err == nil && !s.background(l.keep) {
		err = fmt.Errorf("%w: it was closed", store.ErrUnavailable)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.lease = nil
		return nil, fmt.Errorf("lease of %s: %w", s.Describe(name), err)
	}
	e.holds = true
	return l, nil
}

// LeaseLength is how long a lease outlives its holder.
func (s *Store) LeaseLength() time.Duration { return s.options().Lease }

// background runs something that Close waits for.
func (s *Store) background(run func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Go(run)
	return true
}

// take tries for the lease: as it is, then over what is ours, or was not renewed for a
// whole lease. That which was not renewed may have been given back since, and is taken
// from nobody then.
func (l *lease) take(ctx context.Context) error {
	over, from, stale := store.Tag(""), "", store.Tag("")
	if seen := l.e.sighted(); l.e.stale(l.s, seen) {
		stale = seen.held.Tag
	}
	for {
		held, err := l.try(ctx, over)
		switch {
		case err != nil:
			return err
		case l.held != nil:
			l.e.sight(store.Held{}, l.s.now())
			l.s.hooks.taken(l.name, nameOf(from))
			return nil
		case held.Tag != over && l.e.wasOurs(held.Holder):
			over, from = held.Tag, ""
		case held.Tag != over && held.Tag == stale:
			over, from = held.Tag, held.Holder
		default:
			l.e.sight(held, l.s.now())
			return fmt.Errorf("%w: %s", recordstore.ErrBusy, nameOf(held.Holder))
		}
	}
}

func (l *lease) try(ctx context.Context, over store.Tag) (held store.Held, err error) {
	l.renewed = l.s.now()
	err = l.s.call(ctx, "acquire", true, func(ctx context.Context, engine store.Engine) (err error) {
		l.held, held, err = engine.Acquire(ctx, l.name, l.holder, over)
		return err
	})
	if err != nil {
		l.held = nil
		l.e.gave(l.holder) // it may be ours all the same, now or later
		l.e.fail()
	}
	return held, err
}

// nameOf is a holder without what tells apart two leases of one process.
func nameOf(holder string) string {
	if at := strings.LastIndexByte(holder, '-'); at > 0 {
		return holder[:at]
	}
	return holder
}

func (e *entry) sighted() sighting {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.seen
}

// sight notes how somebody holds the lease.
func (e *entry) sight(held store.Held, now moment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked, e.shown = now.mono, held.Tag != ""
	if e.seen.held != held || !now.agree(e.seen.since) {
		e.seen = sighting{held, now}
	}
}

// stale reports whether a lease was seen without a renewal for its whole length, while
// the store was there all the time: in an outage its holder could not renew it.
func (e *entry) stale(s *Store, seen sighting) bool {
	there, now := s.health.thereSince(s.gap()), s.now()
	if seen.held.Tag == "" || there.IsZero() || !now.agree(seen.since) {
		return false
	}
	began := seen.since.mono
	if there.After(began) {
		began = there
	}
	return now.mono.Sub(began) >= s.options().Lease && now.wall.Sub(seen.since.wall) >= s.options().Lease
}

// gave notes a holder whose lease is not wanted any more, whoever has it in the store.
func (e *entry) gave(holder string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.given = append(e.given, holder)
	if n := len(e.given) - keptVersions; n > 0 {
		e.given = append(e.given[:0], e.given[n:]...)
	}
}

func (e *entry) wasOurs(holder string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.given, holder)
}

// leaseOver reports whether the lease that this process has is one no more.
func (e *entry) leaseOver() bool {
	e.mu.Lock()
	l, holds := e.lease, e.holds
	e.mu.Unlock()
	return holds && l.Lost() != nil
}

// retryRenew is the pause after a renewal that failed, at most.
const retryRenew = time.Second

// keep renews the lease until it is given back or lost.
func (l *lease) keep() {
	defer close(l.done)
	every := l.s.options().Lease / 3
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-l.s.ending:
			return
		case <-timer.C:
		}
		begun := l.s.now()
		err := l.s.direct(context.Background(), "renew", true, func(ctx context.Context, _ store.Engine) error { return l.held.Renew(ctx) })
		switch {
		case err == nil:
			l.mu.Lock()
			l.renewed, l.over = begun, false
			l.mu.Unlock()
			timer.Reset(max(0, every-time.Since(begun.mono)))
			continue
		case errors.Is(err, store.ErrConflict):
			l.mu.Lock()
			l.gone = errors.New("another holder has taken it")
			l.mu.Unlock()
			l.tellLost()
			return
		}
		l.tellLost()
		timer.Reset(min(retryRenew, every))
	}
}

// tellLost tells, once, that the lease is no longer held.
func (l *lease) tellLost() {
	why := l.Lost()
	l.mu.Lock()
	told := l.over || why == nil
	l.over = l.over || why != nil
	l.mu.Unlock()
	if !told {
		l.s.hooks.lost(l.name, why)
	}
}

// Lost returns why the lease is no longer held: another holder has it, or may soon, for
// it was not renewed. It is told by the clocks alone, of which the earlier one counts.
// One that could be renewed after that was nobody else's meanwhile.
func (l *lease) Lost() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone != nil {
		return fmt.Errorf("lease of %s: %w", l.s.Describe(l.name), l.gone)
	}
	if now := l.s.now(); now.since(l.renewed) >= 2*l.s.options().Lease/3 {
		return fmt.Errorf("lease of %s: %w", l.s.Describe(l.name), errLeaseOver)
	}
	return nil
}

// Release gives the lease back. What the store does not hear of is taken over by this
// process at once, and by others after a while.
func (l *lease) Release() {
	l.once.Do(func() {
		close(l.stop)
		<-l.done
		l.mu.Lock()
		l.gone = errors.New("it was given back")
		l.mu.Unlock()
		l.e.gave(l.holder)
		l.give()
		l.e.mu.Lock()
		l.e.lease, l.e.holds = nil, false
		l.e.mu.Unlock()
	})
}

// give tells the store. If that fails it goes on in the background, for as long as others
// would wait for the lease.
func (l *lease) give() {
	release := func() bool {
		err := l.s.direct(context.Background(), "release", true, func(ctx context.Context, _ store.Engine) error { return l.held.Release(ctx) })
		return err == nil || errors.Is(err, store.ErrConflict)
	}
	if release() {
		return
	}
	l.s.background(func() {
		timer := time.NewTimer(retryRenew)
		defer timer.Stop()
		for began := time.Now(); time.Since(began) < l.s.options().Lease; timer.Reset(retryRenew) {
			select {
			case <-timer.C:
			case <-l.s.ending:
				return
			}
			if release() {
				return
			}
		}
	})
}

// Holder tells who holds a client's lease, as far as it is known here: this process, or
// whom it met when it tried for it. It is "" if nobody is known to.
func (s *Store) Holder(name string) (holder string, own bool) {
	e := s.entry(name)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.holds:
		return s.holder(), true
	case e.shown && time.Since(e.asked) < s.options().Lease:
		return nameOf(e.seen.held.Holder), false
	}
	return "", false
}

// Interface guard
var _ recordstore.Lease = (*lease)(nil)
