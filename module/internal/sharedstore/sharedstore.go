// Package sharedstore keeps the records of clients in an engine of a shared store: it makes
// of bytes, tags and leases what a keeper asks of a store.
//
// It knows records as far as they are encoded, encrypted and told apart, the clocks of
// leases, and what it means that a store was away or lost writes. It must not know any
// engine, nor Caddy, HTTP or token endpoints, nor what becomes of a grant.
package sharedstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
)

// Options are those of a store.
type Options struct {
	// Lease is how long a holder that does not renew its lease keeps others out. It is
	// renewed every third of that, and not trusted for more than two thirds.
	Lease time.Duration

	// OpTimeout bounds one call of the engine.
	OpTimeout time.Duration

	// Poll is how often all versions are compared, whatever was told of changes.
	Poll time.Duration

	// Holder names this process to others, for people: a host, a pod. It is no secret.
	Holder string

	// Wall is a test's wall clock; nil for time.Now.
	Wall func() time.Time
}

// maxData is how large an object may be that every engine keeps.
const maxData = 256 << 10

// Store keeps records in an engine. It is a [recordstore.Store], for all clients of a process
// whose records are in one place.
type Store struct {
	place   string // for people, as long as there is no engine
	process string // as others tell it from theirs
	engines engines
	keys    encryption.Keyring

	opening chan struct{} // held while it is opened
	health  health
	loads   batch
	watcher watcher
	hooks   hooks
	calls   calls
	lost    rollback
	clocks  clocks

	mu      sync.Mutex
	entries map[string]*entry
	closed  bool
	ending  chan struct{}  // closed by Close
	running sync.WaitGroup // leases that are renewed or given back
}

// New returns the store of a place, which needs an engine: see [Store.Use].
func New(place string) *Store {
	s := &Store{
		place: place, process: rand.Text()[:10],
		opening: make(chan struct{}, 1), entries: make(map[string]*entry), ending: make(chan struct{}),
	}
	s.watcher = watcher{s: s, told: make(chan struct{}, 1)}
	return s
}

// holder is what this process calls itself to others.
func (s *Store) holder() string {
	if name := s.options().Holder; name != "" {
		return name + "-" + s.process
	}
	return s.process
}

// Encrypt has records encrypted with keys from their next write on, until done is
// called, as [filestore.File.Encrypt] does.
func (s *Store) Encrypt(keys *encryption.Keys) (done func()) { return s.keys.Use(keys) }

// retryOpen is how long a failure to open the store is that of everybody who asks: a
// store that is away is not asked once for each client.
const retryOpen = time.Second

// Open connects and proves that the store can be used. It is called again by itself once
// the store was away, for it may be another one by then.
func (s *Store) Open(ctx context.Context) error {
	select {
	case s.opening <- struct{}{}:
		defer func() { <-s.opening }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
	}
	if done, err := s.health.mayOpen(); done || err != nil {
		return err
	}
	u := s.current()
	if u == nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, errNoEngine)
	}
	within, cancel := context.WithTimeout(ctx, 2*u.options.OpTimeout)
	defer cancel()
	begun := time.Now()
	err := classify(u.engine.Open(within), false)
	s.finished(ctx, "open", begun, err)
	s.health.opened(err)
	return err
}

// ready opens the store if it is not open.
func (s *Store) ready(ctx context.Context) error {
	if s.health.isOpen() {
		return nil
	}
	return s.Open(ctx)
}

// call makes one call of the engine, once the store is open.
func (s *Store) call(ctx context.Context, op string, write bool, do func(ctx context.Context, engine store.Engine) error) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return s.direct(ctx, op, write, do)
}

// direct makes one call of the engine.
func (s *Store) direct(ctx context.Context, op string, write bool, do func(ctx context.Context, engine store.Engine) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	u := s.current()
	if u == nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, errNoEngine)
	}
	within, cancel := context.WithTimeout(ctx, u.options.OpTimeout)
	defer cancel()
	begun := time.Now()
	err := classify(do(within, u.engine), write)
	s.finished(ctx, op, begun, err)
	return err
}

// classify makes of an engine's error one of the contract's.
func classify(err error, write bool) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{store.ErrNotFound, store.ErrConflict, store.ErrRefused, store.ErrFull, store.ErrUnsafe, store.ErrUnavailable} {
		if errors.Is(err, known) {
			return err
		}
	}
	switch {
	case write && errors.Is(err, store.ErrUnknown):
		return err
	case write:
		return fmt.Errorf("%w: %w", store.ErrUnknown, err)
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// finished takes note of how a call ended.
func (s *Store) finished(ctx context.Context, op string, begun time.Time, err error) {
	s.calls.count(op, result(err), time.Since(begun))
	switch {
	case err == nil, errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrConflict):
		if s.health.succeeded(s.gap()) {
			s.hooks.up(true, nil)
			s.pokeFailed()
		}
		s.checkEpoch()
	case errors.Is(err, store.ErrFull), ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		// The store was there, or nobody waited for it.
	default:
		if s.health.failed(err) {
			s.hooks.up(false, err)
		}
	}
}

// result is the outcome of a call as a word of metrics.
func result(err error) string {
	for _, r := range []struct {
		err  error
		word string
	}{
		{store.ErrNotFound, "not_found"},
		{store.ErrConflict, "conflict"},
		{store.ErrRefused, "refused"},
		{store.ErrFull, "full"},
		{store.ErrUnsafe, "unsafe"},
		{store.ErrUnknown, "unknown"},
	} {
		if errors.Is(err, r.err) {
			return r.word
		}
	}
	if err != nil {
		return "unavailable"
	}
	return "ok"
}

// Describe names the place of a client's record for people.
func (s *Store) Describe(name string) string {
	if u := s.current(); u != nil {
		return u.engine.Describe(name)
	}
	return s.place + " " + name
}

// Close ends what is under way, and gives connections back. Nobody may watch or hold a
// lease by then.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.ending)
	s.mu.Unlock()
	s.running.Wait()
	return s.engines.close()
}

// Interface guard
var _ recordstore.Store = (*Store)(nil)

// entry returns what is known of a client.
func (s *Store) entry(name string) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[name]
	if !ok {
		e = new(entry)
		s.entries[name] = e
	}
	return e
}

// known returns the entries of these names.
func (s *Store) known() map[string]*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.entries)
}

// copyOf is a record that the caller may set members of.
func copyOf(rec *record.Record, name string, revision uint64) *record.Record {
	c := *rec
	c.Client, c.Revision = name, revision
	return &c
}
