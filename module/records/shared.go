package records

import (
	"slices"
	"strings"

	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/sharedstore"
)

// StoreEvents are told of what happens in shared stores, each of which is named by its
// place.
type StoreEvents struct {
	// LeaseTakenOver is told that a client's lease was taken from a holder that did not
	// renew it.
	LeaseTakenOver func(client, from string)

	// LeaseLost is told that it is no longer held, and why.
	LeaseLost func(client string, err error)

	// Away is told that a store does not answer, and why; and Back that it does again.
	Away func(store string, err error)
	Back func(store string)

	// Unheard is told that a store cannot tell of changes, and why.
	Unheard func(store string, err error)

	// RolledBack is told that it may have lost writes; seen says that it has.
	RolledBack func(store string, seen bool)
}

// Tell has somebody told of what happens once the stores are opened.
func (s *Stores) Tell(e StoreEvents) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = &e
	for _, u := range s.uses {
		u.events = s.events
	}
}

// hooks are what a store is given of that.
func (u *Use) hooks() sharedstore.Hooks {
	if u.events == nil {
		return sharedstore.Hooks{}
	}
	e, place := u.events, u.id
	return sharedstore.Hooks{
		Up: func(up bool, err error) {
			if up {
				e.Back(place)
				return
			}
			e.Away(place, redact.Error(err))
		},
		Unheard:    func(err error) { e.Unheard(place, redact.Error(err)) },
		RolledBack: func(seen bool) { e.RolledBack(place, seen) },
		LeaseTaken: func(name, from string) {
			if from != "" {
				e.LeaseTakenOver(name, redact.Visible(from))
			}
		},
		LeaseLost: func(name string, err error) { e.LeaseLost(name, redact.Error(err)) },
	}
}

// SharedStore is how a shared store is.
type SharedStore struct {
	Name   string // its place
	Status sharedstore.Status
	Calls  []sharedstore.Calls
}

// Shared returns the shared stores of the configuration, by name.
func (s *Stores) Shared() (all []SharedStore) {
	for _, u := range s.list() {
		if st := u.sharedStore(); st != nil {
			all = append(all, SharedStore{Name: u.id, Status: st.Status(), Calls: st.Calls()})
		}
	}
	slices.SortFunc(all, func(a, b SharedStore) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Shared returns what commands call a shared store, and whether it answered last.
func (u *Use) Shared() (command string, up, shared bool) {
	st := u.sharedStore()
	if st == nil {
		return "", false, false
	}
	return u.command, st.Status().Up, true
}

// Kind is the kind of the store if it is one that replicas share, "" if it is a directory.
func (u *Use) Kind() string {
	if u.sharedStore() == nil {
		return ""
	}
	kind, _, _ := strings.Cut(u.id, ":")
	return kind
}

// sharedStore returns the store if it is a shared one, else nil.
func (u *Use) sharedStore() *sharedstore.Store {
	st, _ := u.store.(printableStore).Store.(*sharedstore.Store)
	return st
}

// Lease tells who has the client's lease in a shared store, as far as it is known here,
// and whether that is this process.
func (r *Record) Lease() (holder string, own, shared bool) {
	st := r.Use.sharedStore()
	if st == nil {
		return "", false, false
	}
	holder, own = st.Holder(r.Key.name)
	return redact.Visible(holder), own, true
}
