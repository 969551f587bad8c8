package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lamplighter/module/store"
)

// Call is one call of an engine in memory, as a fault is chosen for it.
type Call struct {
	Op   string // open, get, put, list, acquire, renew, release or watch
	Name string // of the object or lease, "" for those of none
	Data []byte // of a put
}

// Fault is what becomes of a call. The zero value is none.
type Fault struct {
	// Delay is how long it takes to arrive, if its context lets it.
	Delay time.Duration

	// Answer is how long its answer takes.
	Answer time.Duration

	// Err is what it returns; nil for what comes of it.
	Err error

	// Lands is when it is carried out, if it returns an error.
	Lands Landing

	// Late is how long after that error, with Later.
	Late time.Duration
}

// Landing says whether a call that failed is carried out.
type Landing int

// The landings.
const (
	Never Landing = iota
	Done          // and only its answer is lost
	Later         // after it has returned
	Hangs         // it hangs until its context ends, and is never carried out
)

// Memory is an engine in memory.
type Memory struct {
	place *Place

	mu     sync.Mutex
	faults func(Call) Fault
	away   bool
	broken chan struct{} // closed when it is closed
	gone   bool
}

// Faults has each call ask what becomes of it, in any goroutine.
func (m *Memory) Faults(choose func(Call) Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = choose
}

// Partition takes the store away, or gives it back: calls hang meanwhile, and nothing of
// them ever arrives.
func (m *Memory) Partition(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

var errClosed = errors.New("the engine was closed")

// call carries out one call, or what becomes of it. do may be called after call has
// returned.
func (m *Memory) call(ctx context.Context, c Call, do func() error) error {
	write := c.Op == "put" || c.Op == "acquire" || c.Op == "renew" || c.Op == "release"
	failure := store.ErrUnavailable
	if write {
		failure = store.ErrUnknown
	}
	m.mu.Lock()
	away, gone, choose := m.away, m.gone, m.faults
	m.mu.Unlock()
	switch {
	case gone:
		return errClosed
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
	var fault Fault
	if choose != nil {
		fault = choose(c)
	}
	if away || fault.Lands == Hangs {
		<-ctx.Done()
		return fmt.Errorf("%w: %w", failure, ctx.Err())
	}
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done(): // it is on its way, and arrives
			if write {
				time.AfterFunc(fault.Delay, func() { _ = do() })
			}
			return fmt.Errorf("%w: %w", failure, ctx.Err())
		}
	}
	if fault.Err == nil {
		err := do()
		if fault.Answer > 0 {
			time.Sleep(fault.Answer)
		}
		return err
	}
	switch fault.Lands {
	case Done:
		_ = do()
	case Later:
		time.AfterFunc(fault.Late, func() { _ = do() })
	default: // nothing of it ever does
	}
	return fault.Err
}

// Open opens the store.
func (m *Memory) Open(ctx context.Context) error {
	return m.call(ctx, Call{Op: "open"}, func() error { return nil })
}

// Get returns an object.
func (m *Memory) Get(ctx context.Context, name string) (o store.Object, err error) {
	err = m.call(ctx, Call{Op: "get", Name: name}, func() (err error) {
		o, err = m.place.get(name)
		return err
	})
	return o, err
}

// Put writes an object.
func (m *Memory) Put(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
	data = bytes.Clone(data)
	put := make(chan store.Tag, 1)
	err := m.call(ctx, Call{Op: "put", Name: name, Data: data}, func() error {
		tag, err := m.place.write(name, data, ifTag)
		put <- tag
		return err
	})
	if err != nil {
		return "", err
	}
	return <-put, nil
}

// List lists objects.
func (m *Memory) List(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
	return m.call(ctx, Call{Op: "list"}, func() error {
		for _, o := range m.place.all(names) {
			if !data {
				o.Data = nil
			}
			if !yield(o) {
				return nil
			}
		}
		return nil
	})
}

// Acquire tries for a lease.
func (m *Memory) Acquire(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
	type outcome struct {
		ok   bool
		held store.Held
	}
	out := make(chan outcome, 1)
	err := m.call(ctx, Call{Op: "acquire", Name: name}, func() error {
		ok, held := m.place.acquire(name, holder, over)
		out <- outcome{ok, held}
		return nil
	})
	if err != nil {
		return nil, store.Held{}, err
	}
	if o := <-out; !o.ok {
		return nil, o.held, nil
	}
	return &lease{m, name, holder}, store.Held{}, nil
}

// lease is one of an engine in memory.
type lease struct {
	m            *Memory
	name, holder string
}

// Renew keeps the lease.
func (l *lease) Renew(ctx context.Context) error {
	return l.m.call(ctx, Call{Op: "renew", Name: l.name}, func() error { return l.m.place.renew(l.name, l.holder) })
}

// Release gives it back.
func (l *lease) Release(ctx context.Context) error {
	return l.m.call(ctx, Call{Op: "release", Name: l.name}, func() error { return l.m.place.release(l.name, l.holder) })
}

// Watch tells of changes.
func (m *Memory) Watch(ctx context.Context, names []string, ready func(), changed func(name string)) error {
	var w *watch
	var leave func()
	if err := m.call(ctx, Call{Op: "watch"}, func() error {
		w, leave = m.place.watch(names)
		return nil
	}); err != nil {
		return err
	}
	defer leave()
	ready()
	for {
		select {
		case name := <-w.news:
			m.mu.Lock()
			away := m.away
			m.mu.Unlock()
			if !away {
				changed(name)
			}
		case <-w.ended:
			return fmt.Errorf("watch: %w", store.ErrUnavailable)
		case <-m.broken:
			return errClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Epoch tells of lost writes.
func (m *Memory) Epoch() string { return m.place.era() }

// Describe names a place.
func (m *Memory) Describe(name string) string { return "memory " + name }

// Close ends it.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.gone {
		m.gone = true
		close(m.broken)
	}
	return nil
}

// Interface guard
var _ store.Engine = (*Memory)(nil)
