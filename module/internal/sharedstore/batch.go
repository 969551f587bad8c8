package sharedstore

import (
	"context"
	"fmt"
	"sync"

	"lamplighter/module/store"
)

// batch makes one call of the reads that wait at the same time: when a process with
// very many clients starts, their records are loaded a list at a time.
type batch struct {
	mu      sync.Mutex
	waiting map[string][]*reader
	busy    int // calls under way
}

// reader is one that waits for an object.
type reader struct {
	ctx  context.Context
	done chan struct{}
	o    store.Object
	err  error
}

// maxReads is how many calls may be under way before further reads wait for the next
// one. More of them gain nothing.
const maxReads = 4

// fetch reads an object. It may be shared with others that asked at the same time.
func (s *Store) fetch(ctx context.Context, name string) (store.Object, error) {
	b := &s.loads
	r := &reader{ctx: ctx, done: make(chan struct{})}
	b.mu.Lock()
	if b.waiting == nil {
		b.waiting = make(map[string][]*reader)
	}
	b.waiting[name] = append(b.waiting[name], r)
	lead := b.busy < maxReads
	if lead {
		b.busy++
	}
	b.mu.Unlock()
	if lead {
		go s.readAll()
	}
	select {
	case <-r.done:
		return r.o, r.err
	case <-ctx.Done():
		return store.Object{}, fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
}

// readAll reads what is waited for until nothing is.
func (s *Store) readAll() {
	b := &s.loads
	for {
		b.mu.Lock()
		wanted := b.waiting
		b.waiting = nil
		if len(wanted) == 0 {
			b.busy--
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		s.read(wanted)
	}
}

// read reads these objects, and tells who waits.
func (s *Store) read(wanted map[string][]*reader) {
	found := make(map[string]store.Object, len(wanted))
	err := s.call(context.Background(), op(len(wanted)), false, func(ctx context.Context, engine store.Engine) error {
		if len(wanted) == 1 {
			for name := range wanted {
				o, err := engine.Get(ctx, name)
				if err == nil {
					found[name] = o
				}
				return err
			}
		}
		names := make([]string, 0, len(wanted))
		for name := range wanted {
			names = append(names, name)
		}
		return engine.List(ctx, names, true, func(o store.Object) bool {
			found[o.Name] = o
			return true
		})
	})
	for name, readers := range wanted {
		o, ok := found[name]
		for _, r := range readers {
			if r.o, r.err = o, err; err == nil && !ok {
				r.err = fmt.Errorf("%q: %w", name, store.ErrNotFound)
			}
			close(r.done)
		}
	}
}

func op(names int) string {
	if names == 1 {
		return "get"
	}
	return "list"
}
