package storetest_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/module/store"
	"lamplighter/module/store/storetest"
)

// places are those of tests by name.
type places struct {
	mu sync.Mutex
	of map[string]*storetest.Place
}

func (p *places) open(t *testing.T) store.Engine {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = make(map[string]*storetest.Place)
	}
	place, ok := p.of[t.Name()]
	if !ok {
		place = storetest.NewPlace()
		p.of[t.Name()] = place
	}
	return place.Engine()
}

func (p *places) cut(t *testing.T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[t.Name()].Cut()
}

func TestTheEngineInMemoryKeepsTheContract(t *testing.T) {
	var p places
	storetest.Run(t, p.open, storetest.Secrets("secret"), storetest.Cut(p.cut), storetest.Patience(time.Second))
}

func TestFaultsAreWhatTheySay(t *testing.T) {
	ctx := t.Context()
	place := storetest.NewPlace()
	e, other := place.Engine(), place.Engine()
	var fault storetest.Fault
	e.Faults(func(c storetest.Call) storetest.Fault {
		if c.Op != "put" {
			return storetest.Fault{}
		}
		return fault
	})
	stored := func() string {
		o, err := other.Get(ctx, "client")
		if errors.Is(err, store.ErrNotFound) {
			return ""
		}
		return strings.TrimSpace(string(o.Data))
	}
	fault = storetest.Fault{Err: store.ErrFull}
	if _, err := e.Put(ctx, "client", []byte("one"), ""); !errors.Is(err, store.ErrFull) || stored() != "" {
		t.Errorf("never: %v, %q is stored", err, stored())
	}
	fault = storetest.Fault{Err: store.ErrUnknown, Lands: storetest.Later, Late: 50 * time.Millisecond}
	if _, err := e.Put(ctx, "client", []byte("two"), ""); !errors.Is(err, store.ErrUnknown) || stored() != "" {
		t.Errorf("later: %v, %q is stored", err, stored())
	}
	for stored() == "" {
		time.Sleep(time.Millisecond)
	}
	restore := place.Snapshot()
	o, _ := e.Get(ctx, "client")
	fault = storetest.Fault{Err: store.ErrUnknown, Lands: storetest.Done}
	if _, err := e.Put(ctx, "client", []byte("three"), o.Tag); !errors.Is(err, store.ErrUnknown) || stored() != "three" {
		t.Errorf("done: %v, %q is stored", err, stored())
	}
	before := e.Epoch()
	if restore(true); stored() != "two" || e.Epoch() == before {
		t.Errorf("after the backup %q is stored, in epoch %s", stored(), e.Epoch())
	}
}
