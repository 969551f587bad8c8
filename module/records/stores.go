package records

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/gofrs/flock"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/filestore"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/internal/sharedstore"
	"lamplighter/module/store/guest"
)

// Stores are those of one configuration. The zero value has none.
type Stores struct {
	mu   sync.Mutex
	uses map[string]*Use // by place

	events *StoreEvents // nil if nobody is told
	former former
}

// Use is a store as one configuration uses it, for all clients whose records are there.
type Use struct {
	Place

	store   recordstore.Store
	owner   string // the client that was the first there
	clients []string
	network string // kind of its file system, if that is a network one
	above   error  // why others could put another directory into its place, nil if they cannot
	warned  sync.Once

	temporary bool // a command named it
	events    *StoreEvents

	told    bool  // that its records are not encrypted
	err     error // why it could not be opened
	running *flock.Flock
	close   func()
}

// Use finds the store of a client's record. All clients of one place have the same
// settings of it.
func (s *Stores) Use(p Place, client string) (*Use, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.uses[p.id]; u != nil {
		u.clients = append(u.clients, client)
		return u, u.agrees(p)
	}
	u, err := use(p)
	if err != nil {
		return nil, err
	}
	if s.uses == nil {
		s.uses = make(map[string]*Use)
	}
	u.owner, u.events = client, s.events
	u.clients = append(u.clients, client)
	s.uses[p.id] = u
	return u, nil
}

// PlainRecords names the store, and is a warning if whoever reads it is shown the records of
// clients; "" if not, or if that was told before. It is not called concurrently.
func (u *Use) PlainRecords() (store, warning string) {
	if u.shared == nil || u.told {
		return "", ""
	}
	u.told = true
	return u.id, u.shared.PlainRecords()
}

// Objects are what somebody has to make for the clients that use the stores.
func (s *Stores) Objects() (texts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.uses)) {
		if m, ok := s.uses[id].shared.(guest.Maker); ok {
			texts = append(texts, m.Manifest(s.uses[id].clients))
		}
	}
	return texts
}

// agrees returns an error if settings differ that mean the same place.
func (u *Use) agrees(p Place) error {
	switch {
	case !u.keys.Same(p.keys) && p.shared == nil:
		return fmt.Errorf("encryption_key differs from that of client %s, whose record is in the same directory: give both the same, or another path", u.owner)
	case !u.keys.Same(p.keys), u.settings != p.settings:
		return fmt.Errorf("its settings differ from those of client %s, whose record is in the same place: give both the same, as the global option oauth2_store does", u.owner)
	}
	return nil
}

// use takes a store from those that all configurations share.
func use(p Place) (*Use, error) {
	value, _, err := stores.LoadOrNew(p.id, func() (caddy.Destructor, error) {
		if p.shared != nil {
			return pooledStore{printableStore{sharedstore.New(p.id)}}, nil
		}
		return pooledStore{printableStore{filestore.NewFile(p.dir)}}, nil
	})
	if err != nil {
		return nil, err
	}
	return &Use{Place: p, store: value.(pooledStore).Store, close: func() {}}, nil
}

// Open opens them all.
func (s *Stores) Open(ctx context.Context) {
	for _, u := range s.list() {
		u.Open(ctx)
	}
}

// Above is why others could put another directory into its place, nil if they cannot.
func (u *Use) Above() error { return u.above }

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
	for id := range s.uses {
		_, storeErr := stores.Delete(id)
		err = errors.Join(err, storeErr)
	}
	s.uses = nil
	return err
}

// Open opens the store with the keys of its records. Nothing may read or write a
// record before. What is wrong with it is its Fault.
func (u *Use) Open(ctx context.Context) {
	if u.err = u.begin(u.settings, u.keys); u.err != nil {
		return
	}
	u.err = u.store.Open(ctx)
	if u.shared != nil {
		return
	}
	u.network, _ = filestore.NetworkFileSystem(u.dir)
	u.above = filestore.Above(u.dir)
}

// begin gives the store the keys of its records, the last of which encrypt, and, if it is
// a shared one, an engine with these settings: any that is in use already if they are "".
func (u *Use) begin(settings string, keys ...*encryption.Keys) error {
	st, done := u.store.(printableStore).Store, func() {}
	if shared, ok := st.(*sharedstore.Store); ok {
		var err error
		if done, err = shared.Use(settings, u.shared.Engine, u.options()); err != nil {
			return err
		}
	}
	ends := []func(){done}
	if shared := u.sharedStore(); shared != nil && u.events != nil {
		ends = append(ends, shared.Tell(u.hooks()))
	}
	for _, k := range keys {
		ends = append(ends, st.(interface{ Encrypt(*encryption.Keys) func() }).Encrypt(k))
	}
	u.close = func() {
		for _, end := range ends {
			end()
		}
	}
	return nil
}

// Fault is why the store could not be opened, nil if it could.
func (u *Use) Fault() error { return u.err }

// Prove looks once more whether a store that was opened can be used.
func (u *Use) Prove(ctx context.Context) error {
	if u.err != nil {
		return u.err
	}
	return u.store.Open(ctx)
}

// Directory is where its files are, "" if it is a shared store.
func (u *Use) Directory() string { return u.dir }

// Network is the kind of its file system, "" if that is none that is on a network.
func (u *Use) Network() string { return u.network }

// Close ends what Open began.
func (u *Use) Close() {
	if u.running != nil {
		_ = u.running.Unlock() // there is nothing that could be done about it
	}
	u.close()
}

// Same reports whether the records of both are in one place.
func (u *Use) Same(other *Use) bool { return u.id == other.id }

// pooledStore makes a store fit for a UsagePool.
type pooledStore struct{ recordstore.Store }

// Destruct gives the connections of a shared store back. The last configuration that
// stopped has ended the keepers' work.
func (p pooledStore) Destruct() error {
	if st, ok := p.Store.(printableStore).Store.(*sharedstore.Store); ok {
		return st.Close()
	}
	return nil
}
