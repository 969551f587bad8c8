package sharedstore

import (
	"sync"
	"time"

	"lamplighter/module/internal/recordstore"
)

// rollback is what is known of lost writes.
type rollback struct {
	mu      sync.Mutex
	epoch   string    // of the store, as it was last
	excused string    // the epoch for which nobody takes a lease, or did not for long enough
	until   time.Time // nobody takes a lease
	seen    bool      // a write was seen to be gone, since that began
}

// quarantined returns why no lease is taken now, or nil.
func (s *Store) quarantined() error {
	s.lost.mu.Lock()
	defer s.lost.mu.Unlock()
	if time.Now().Before(s.lost.until) {
		return recordstore.ErrRolledBack
	}
	return nil
}

// checkEpoch notices that the store is another one than it was.
func (s *Store) checkEpoch() {
	now := s.epoch()
	if now == "" {
		return
	}
	l := &s.lost
	l.mu.Lock()
	other := l.epoch != "" && l.epoch != now
	l.epoch = now
	l.mu.Unlock()
	if other {
		s.rolledBack(false)
	}
}

// metEpoch notices that an object was written before the store became another one, of
// which this process may not have known: it did not live then.
func (s *Store) metEpoch(written string) {
	l := &s.lost
	l.mu.Lock()
	other := written != "" && l.epoch != "" && written != l.epoch && l.excused != l.epoch
	l.mu.Unlock()
	if other {
		s.rolledBack(false)
	}
}

// rolledBack begins the time in which everybody who shares the store reads, joins and
// writes back, before anybody takes a lease. A write may be gone, or was seen to be.
func (s *Store) rolledBack(seen bool) {
	l := &s.lost
	l.mu.Lock()
	now := time.Now()
	first := !now.Before(l.until)
	if first {
		l.seen = false
	}
	news := first || seen && !l.seen
	l.seen = l.seen || seen
	l.until, l.excused = now.Add(s.options().Lease), l.epoch
	l.mu.Unlock()
	if news {
		s.hooks.rolledBack(seen)
		s.pokeAll()
	}
}
