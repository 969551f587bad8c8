package sharedstore

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"lamplighter/module/store"
)

// engines are those of the configurations that use a store. They all lead to the same
// place; a newer one may have other credentials.
type engines struct {
	mu  sync.Mutex
	all []*used // the one that counts is the last that has users, or the last
}

// used is an engine with its options.
type used struct {
	settings string
	engine   store.Engine
	options  Options
	users    int
}

// outlived is how long an engine is kept that another one has replaced: calls of it may
// be under way, and leases that were taken with it.
const outlived = time.Minute

// errNoEngine says that no configuration uses the store any more, or none does yet.
var errNoEngine = errors.New("no configuration uses it")

// Use has the store use an engine until done is called: then that of the configuration
// before holds. Where the settings are those of the one in use, that is shared, and so
// it is for those who say none, "". Nothing is dialed.
func (s *Store) Use(settings string, engine func() (store.Engine, error), o Options) (done func(), err error) {
	e := &s.engines
	e.mu.Lock()
	defer e.mu.Unlock()
	if o.Wall == nil {
		o.Wall = time.Now
	}
	top := e.top()
	if top == nil || top.users == 0 || settings != "" && top.settings != settings {
		own, err := engine()
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		top = &used{settings: settings, engine: own, options: o}
		e.all = append(e.all, top)
		s.health.reopen()
	}
	top.users++
	e.prune()
	return sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		before := e.top()
		top.users--
		e.prune()
		if e.top() != before {
			s.health.reopen()
		}
	}), nil
}

// top returns the engine that counts. Called with e.mu held.
func (e *engines) top() *used {
	for _, u := range slices.Backward(e.all) {
		if u.users > 0 {
			return u
		}
	}
	if n := len(e.all); n > 0 {
		return e.all[n-1]
	}
	return nil
}

// prune gives up engines that nobody uses, but for the last: what was begun has to be
// brought to its end. Called with e.mu held.
func (e *engines) prune() {
	top := e.top()
	kept := e.all[:0]
	for _, u := range e.all {
		if u == top || u.users > 0 {
			kept = append(kept, u)
			continue
		}
		time.AfterFunc(outlived, func() { _ = u.engine.Close() })
	}
	clear(e.all[len(kept):])
	e.all = kept
}

// current returns the engine in use, nil if there is none.
func (s *Store) current() *used {
	s.engines.mu.Lock()
	defer s.engines.mu.Unlock()
	return s.engines.top()
}

// options returns those in force.
func (s *Store) options() Options {
	if u := s.current(); u != nil {
		return u.options
	}
	return Options{Lease: 15 * time.Second, OpTimeout: 2 * time.Second, Poll: 30 * time.Second, Wall: time.Now}
}

// epoch returns that of the engine in use.
func (s *Store) epoch() string {
	if u := s.current(); u != nil {
		return u.engine.Epoch()
	}
	return ""
}

func (e *engines) close() (err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, u := range e.all {
		err = errors.Join(err, u.engine.Close())
	}
	e.all = nil
	return err
}
