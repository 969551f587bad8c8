package records

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/store"
)

// Stores are those of one configuration. The zero value has none.
type Stores struct {
	mu   sync.Mutex
	uses map[string]*Use // by directory

	former former
}

// Use is a store as one configuration uses it, for all clients whose records are there.
type Use struct {
	store   store.Store
	dir     string
	keys    *store.Keys
	owner   string // the client that named the keys
	network string // kind of its file system, if that is a network one

	temporary bool // a command named it

	err   error // why it could not be opened
	close func()
}

// Use finds the store of a client's record. All records of one place are encrypted with
// the same keys.
func (s *Stores) Use(p Place, client string) (*Use, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.uses[p.dir]; u != nil {
		if !u.keys.Same(p.keys) {
			return nil, fmt.Errorf("encryption_key differs from that of client %s, whose record is in the same directory: give both the same, or another path", u.owner)
		}
		return u, nil
	}
	st, err := sharedStore(p.dir)
	if err != nil {
		return nil, err
	}
	if s.uses == nil {
		s.uses = make(map[string]*Use)
	}
	u := &Use{store: st, dir: p.dir, keys: p.keys, owner: client, close: func() {}}
	s.uses[p.dir] = u
	return u, nil
}

// Open opens them all.
func (s *Stores) Open(ctx context.Context) {
	for _, u := range s.list() {
		u.Open(ctx)
	}
}

// Close ends what Open began.
func (s *Stores) Close() {
	for _, u := range s.list() {
		u.Close()
	}
}

func (s *Stores) list() []*Use {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.uses))
}

// Release gives them back.
func (s *Stores) Release() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for dir := range s.uses {
		_, storeErr := stores.Delete(dir)
		err = errors.Join(err, storeErr)
	}
	s.uses = nil
	return err
}

// Open opens the store with the keys of its records. Nothing may read or write a
// record before. What is wrong with it is its Fault.
func (u *Use) Open(ctx context.Context) {
	if file, ok := u.store.(printableStore).Store.(*store.File); ok {
		u.close = file.Encrypt(u.keys)
	}
	u.err = u.store.Open(ctx)
	if kind, ok := store.NetworkFileSystem(u.dir); ok {
		u.network = kind
	}
}

// Fault is why the store could not be opened, nil if it could.
func (u *Use) Fault() error { return u.err }

// Network is the kind of its file system, "" if that is none that is on a network.
func (u *Use) Network() string { return u.network }

// Close ends what Open began.
func (u *Use) Close() { u.close() }

// Same reports whether the records of both are in one place.
func (u *Use) Same(other *Use) bool { return u.dir == other.dir }

// sharedStore returns the store of a directory, the same for all configurations,
// to be given back.
func sharedStore(dir string) (store.Store, error) {
	value, _, err := stores.LoadOrNew(dir, func() (caddy.Destructor, error) {
		return pooledStore{printableStore{store.NewFile(dir)}}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(pooledStore).Store, nil
}

// pooledStore makes a store fit for a UsagePool.
type pooledStore struct{ store.Store }

// Destruct does nothing: the last configuration that stops ends a keeper's work.
func (pooledStore) Destruct() error { return nil }
