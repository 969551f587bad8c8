package sharedstore

import (
	"sync"
	"time"
)

// health is whether the store is there, and since when.
type health struct {
	mu       sync.Mutex
	open     bool
	openErr  error // why it could not be opened
	openedAt time.Time
	down     error     // why it is away; nil while it is there
	back     time.Time // it was away until then
	since    time.Time // it was there all the time since then; zero while it is away
	last     time.Time // it answered last
}

func (h *health) isOpen() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// mayOpen reports whether the store is open, or why it could not be opened a moment
// ago.
func (h *health) mayOpen() (done bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.openErr != nil && time.Since(h.openedAt) < retryOpen {
		return false, h.openErr
	}
	return h.open, nil
}

// reopen has the store prove anew that it can be used.
func (h *health) reopen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open, h.openErr = false, nil
}

func (h *health) opened(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open, h.openErr, h.openedAt = err == nil, err, time.Now()
}

// succeeded notes that the store answered. It reports whether it was away before.
func (h *health) succeeded(gap time.Duration) (recovered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.since.IsZero() || now.Sub(h.last) > gap {
		h.since = now
	}
	h.last = now
	if recovered = h.down != nil; recovered {
		h.back = now
	}
	h.down = nil
	return recovered
}

// failed notes that the store did not answer. It has to prove anew that it can be used:
// after a failover it is another one. It reports whether it was there before.
func (h *health) failed(err error) (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first = h.down == nil
	h.down, h.since, h.open = err, time.Time{}, false
	return first
}

// wentSince reports whether the store is away, or was within that time.
func (h *health) wentSince(d time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.down != nil || time.Since(h.back) < d
}

// thereSince returns since when the store was there all the time, zero if it may be away,
// or may have been since it answered last.
func (h *health) thereSince(gap time.Duration) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.last) > gap {
		return time.Time{}
	}
	return h.since
}

// gap is how much time there may be between two calls for the store to have been there
// all the time.
func (s *Store) gap() time.Duration { return max(2*s.options().Lease/3, 1200*time.Millisecond) }

// Status is how the store is.
type Status struct {
	// Up says that it answered last.
	Up bool

	// Err is why it is away, or cannot be used; nil if it is there.
	Err error

	// RolledBack says that acknowledged writes may be gone, since a short while ago.
	RolledBack bool

	// Told says that changes are told by the store. Otherwise they are asked for.
	Told bool
}

// Status returns how the store is.
func (s *Store) Status() Status {
	s.health.mu.Lock()
	st := Status{Err: s.health.down, Up: s.health.down == nil && !s.health.last.IsZero()}
	if st.Err == nil && s.health.openErr != nil {
		st.Err, st.Up = s.health.openErr, false
	}
	s.health.mu.Unlock()
	st.RolledBack = s.quarantined() != nil
	st.Told = s.watcher.isTold()
	return st
}
