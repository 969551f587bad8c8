package records

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"lamplighter/module/internal/filestore"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/ledger"
	"lamplighter/module/internal/record"
)

// former is what is known of records that clients without one may have had. It is a guess,
// for people, and kept for a moment, because many clients may ask at a time.
type former struct {
	mu     sync.Mutex
	until  time.Time
	unused map[string][]unused      // by store
	moved  map[string]*ledger.Entry // by client, where a record of it was
}

// unused is a record that no client of the configuration has.
type unused struct {
	client   string
	bindings []record.Fingerprint // of the grants that live in it
}

const (
	formerKept = 10 * time.Second
	maxUnused  = 64 // records that are read
)

// Former returns another record that may hold the grant of a client that has none, nil if
// nothing is known of one: with a living grant of that binding, in its store and no
// declared client's, or its own in another store.
func (s *Stores) Former(r *Record, binding record.Fingerprint, declared func(client string) bool) *keeper.Owner {
	f := &s.former
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().After(f.until) {
		f.unused, f.moved = make(map[string][]unused), theLedger().Clients()
		f.until = time.Now().Add(formerKept)
	}
	list, known := f.unused[r.Key.store]
	if !known {
		list = r.Use.unused(declared)
		f.unused[r.Key.store] = list
	}
	for _, one := range list {
		if slices.Contains(one.bindings, binding) {
			return r.ownerIn(r.Use.command, "", one.client, r.Use.store.Describe(one.client))
		}
	}
	e := f.moved[r.Key.name]
	if e == nil || e.Binding != binding || e.Store == r.Use.command {
		return nil
	}
	if filepath.IsAbs(e.Store) { // of files, which may be gone
		if _, err := os.Stat(filepath.Join(e.Store, r.Key.name+".json")); err != nil {
			return nil
		}
	}
	return r.ownerIn(e.Store, e.Key, e.Client, e.Place)
}

// unused returns the records of a store that no declared client has and in which a grant
// lives.
func (u *Use) unused(declared func(client string) bool) (list []unused) {
	file, ok := u.store.(printableStore).Store.(*filestore.File)
	if !ok {
		return nil
	}
	names, err := file.Names()
	if err != nil {
		return nil
	}
	names = slices.DeleteFunc(names, declared)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, name := range names[:min(len(names), maxUnused)] {
		rec, err := u.store.Load(ctx, name)
		if err != nil || rec.Moved != nil {
			continue
		}
		one := unused{client: name}
		for i := range rec.Lineages {
			if b := rec.Lineages[i].Binding; rec.Lives(b) {
				one.bindings = append(one.bindings, b)
			}
		}
		list = append(list, one)
	}
	return list
}
