package durable

import (
	"slices"
	"sync"
	"time"
)

// Hooks are told of what happens in a store. Each may be nil, and must be quick.
type Hooks struct {
	// Done is told of each call: what it was, what came of it, and how long it took.
	Done func(op, result string, took time.Duration)

	// Up is told when the store is there again, or is not, and why.
	Up func(up bool, err error)

	// RolledBack is told that acknowledged writes are gone.
	RolledBack func()

	// LeaseTaken is told that this process took a client's lease; from is who held it
	// and did not renew it, "" if it was free.
	LeaseTaken func(name, from string)

	// LeaseLost is told that this process no longer has a lease that it did not give
	// back, and why.
	LeaseLost func(name string, err error)

	// LeaseGiven is told that it gave it back.
	LeaseGiven func(name string)
}

// hooks are those of the configurations that use a store.
type hooks struct {
	mu  sync.Mutex
	all []*Hooks
}

// Tell has somebody told of what happens, until stop is called.
func (s *Store) Tell(h Hooks) (stop func()) {
	own := &h
	s.hooks.mu.Lock()
	s.hooks.all = append(s.hooks.all, own)
	s.hooks.mu.Unlock()
	return func() {
		s.hooks.mu.Lock()
		defer s.hooks.mu.Unlock()
		s.hooks.all = slices.DeleteFunc(s.hooks.all, func(h *Hooks) bool { return h == own })
	}
}

func (h *hooks) each(tell func(h *Hooks)) {
	h.mu.Lock()
	all := slices.Clone(h.all)
	h.mu.Unlock()
	for _, one := range all {
		tell(one)
	}
}

func (h *hooks) done(op, result string, took time.Duration) {
	h.each(func(h *Hooks) {
		if h.Done != nil {
			h.Done(op, result, took)
		}
	})
}

func (h *hooks) up(up bool, err error) {
	h.each(func(h *Hooks) {
		if h.Up != nil {
			h.Up(up, err)
		}
	})
}

func (h *hooks) rolledBack() {
	h.each(func(h *Hooks) {
		if h.RolledBack != nil {
			h.RolledBack()
		}
	})
}

func (h *hooks) taken(name, from string) {
	h.each(func(h *Hooks) {
		if h.LeaseTaken != nil {
			h.LeaseTaken(name, from)
		}
	})
}

func (h *hooks) lost(name string, err error) {
	h.each(func(h *Hooks) {
		if h.LeaseLost != nil {
			h.LeaseLost(name, err)
		}
	})
}

func (h *hooks) given(name string) {
	h.each(func(h *Hooks) {
		if h.LeaseGiven != nil {
			h.LeaseGiven(name)
		}
	})
}
