package sharedstore

import (
	"slices"
	"sync"
)

// Hooks are told of what happens in a store. Each may be nil, and must be quick.
type Hooks struct {
	// Up is told when the store is there again, or is not, and why.
	Up func(up bool, err error)

	// Unheard is told that the store cannot tell of changes, and why: versions are compared
	// each second.
	Unheard func(err error)

	// RolledBack is told that acknowledged writes may be gone: the store is another one
	// than it was, or was restarted. If seen is true, one of them is.
	RolledBack func(seen bool)

	// LeaseTaken is told that this process took a client's lease; from is who held it
	// and did not renew it, "" if it was free.
	LeaseTaken func(name, from string)

	// LeaseLost is told that this process no longer has a lease that it did not give
	// back, and why.
	LeaseLost func(name string, err error)
}

// hooks are those of the configurations that use a store. The newest is told.
type hooks struct {
	mu  sync.Mutex
	all []*Hooks
}

// Tell has somebody told of what happens, until stop is called, instead of whoever was
// before.
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

func (h *hooks) tell(what func(h *Hooks)) {
	h.mu.Lock()
	var newest *Hooks
	if n := len(h.all); n > 0 {
		newest = h.all[n-1]
	}
	h.mu.Unlock()
	if newest != nil {
		what(newest)
	}
}

func (h *hooks) up(up bool, err error) {
	h.tell(func(h *Hooks) {
		if h.Up != nil {
			h.Up(up, err)
		}
	})
}

func (h *hooks) unheard(err error) {
	h.tell(func(h *Hooks) {
		if h.Unheard != nil {
			h.Unheard(err)
		}
	})
}

func (h *hooks) rolledBack(seen bool) {
	h.tell(func(h *Hooks) {
		if h.RolledBack != nil {
			h.RolledBack(seen)
		}
	})
}

func (h *hooks) taken(name, from string) {
	h.tell(func(h *Hooks) {
		if h.LeaseTaken != nil {
			h.LeaseTaken(name, from)
		}
	})
}

func (h *hooks) lost(name string, err error) {
	h.tell(func(h *Hooks) {
		if h.LeaseLost != nil {
			h.LeaseLost(name, err)
		}
	})
}
