package records_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"lamplighter/module/store"
	"lamplighter/module/store/guest"
	"lamplighter/module/store/storetest"
)

func init() { caddy.RegisterModule(new(memoryStore)) }

// memoryStore is a shared store in this process, as somebody else's module.
type memoryStore struct {
	Place    string `json:"place,omitempty"`
	Password string `json:"password,omitempty"`
	guest.Options
}

func (*memoryStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: guest.Namespace + ".memory", New: func() caddy.Module { return new(memoryStore) }}
}

func (m *memoryStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "place":
			err = guest.UnmarshalText(d, &m.Place)
		case "password":
			err = guest.UnmarshalText(d, &m.Password)
		default:
			known := false
			if known, err = m.UnmarshalOption(d); err == nil && !known {
				err = d.Errf("unrecognized subdirective: %s", d.Val())
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *memoryStore) Provision(caddy.Context) error { return m.Options.Provision() }
func (m *memoryStore) StoreOptions() *guest.Options  { return &m.Options }
func (m *memoryStore) Identity() string              { return m.Place }

// memories are the places of this process, and what was made for them.
var memories struct {
	mu     sync.Mutex
	places map[string]*storetest.Place
	made   int
	closed int
	fault  error         // of every call
	ends   chan struct{} // closed when the watches end that are under way
	told   int           // watches that are under way
}

// countedEngine tells that it was closed. Its watches end when the store goes away, as
// connections do.
type countedEngine struct{ *storetest.Memory }

func (e countedEngine) Watch(ctx context.Context, names []string, ready func(), changed func(string)) error {
	memories.mu.Lock()
	ends := memories.ends
	memories.mu.Unlock()
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-ends:
			cancel()
		case <-watching.Done():
		}
	}()
	begun := false
	defer func() {
		if begun {
			watches(-1)
		}
	}()
	err := e.Memory.Watch(watching, names, func() {
		begun = true
		watches(+1)
		ready()
	}, changed)
	if err == nil || ctx.Err() == nil && errors.Is(err, context.Canceled) {
		return store.ErrUnavailable
	}
	return err
}

func (e countedEngine) Close() error {
	memories.mu.Lock()
	defer memories.mu.Unlock()
	memories.closed++
	return e.Memory.Close()
}

// watches returns how many are under way, with that many more.
func watches(more int) int {
	memories.mu.Lock()
	defer memories.mu.Unlock()
	memories.told += more
	return memories.told
}

func (m *memoryStore) Engine() (store.Engine, error) {
	memories.mu.Lock()
	defer memories.mu.Unlock()
	if memories.places == nil {
		memories.places = make(map[string]*storetest.Place)
		memories.ends = make(chan struct{})
	}
	if memories.places[m.Place] == nil {
		memories.places[m.Place] = storetest.NewPlace()
	}
	memories.made++
	e := memories.places[m.Place].Engine()
	e.Faults(func(storetest.Call) storetest.Fault {
		memories.mu.Lock()
		defer memories.mu.Unlock()
		return storetest.Fault{Err: memories.fault}
	})
	return countedEngine{e}, nil
}

// storesFail has every call of every store in memory fail, and the watches end; nil for
// none.
func storesFail(err error) {
	memories.mu.Lock()
	defer memories.mu.Unlock()
	memories.fault = err
	if err != nil && memories.ends != nil {
		close(memories.ends)
		memories.ends = make(chan struct{})
	}
}

// engines returns how many were made, and not closed, since the last time.
func engines(t *testing.T) (made, open int) {
	memories.mu.Lock()
	defer memories.mu.Unlock()
	t.Cleanup(func() {
		memories.mu.Lock()
		defer memories.mu.Unlock()
		memories.fault = nil
	})
	return memories.made, memories.made - memories.closed
}
