package sharedstore

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
)

// Pauses of the watcher.
const (
	noWatchPoll  = time.Second            // how often versions are compared that no store tells of
	watchAgain   = 250 * time.Millisecond // before a watch that failed begins anew, at first
	watchSeldom  = 5 * time.Second        // … and at most
	namesSettle  = 100 * time.Millisecond // while further names may come, as at a start
	leaseAwaited = 5 * time.Second        // how long one that met a lease waits for the news that it is free
)

// watcher tells when others write. One goroutine serves all clients of a store, and only
// while somebody watches one.
type watcher struct {
	s    *Store
	told chan struct{} // of other names; has room for one

	mu      sync.Mutex
	names   map[string]int
	telling bool            // the store tells of changes now
	news    map[string]bool // changed since they were compared
	session *session
}

// session is one run of the goroutines.
type session struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	wake   chan struct{} // something is in news; has room for one
}

// Watch calls changed soon after another holder wrote the record, or gave its lease back
// that was wanted here.
func (s *Store) Watch(name string, changed func()) (stop func()) {
	if recordstore.CheckName(name) != nil {
		return func() {}
	}
	one := recordstore.NewWatching(changed)
	e := s.entry(name)
	e.mu.Lock()
	e.watchers = append(e.watchers, one)
	e.mu.Unlock()
	s.watcher.add(name)
	return func() {
		if !one.End() {
			return
		}
		e.mu.Lock()
		e.watchers = slices.DeleteFunc(e.watchers, func(other *recordstore.Watching) bool { return other == one })
		if len(e.watchers) == 0 {
			e.last = nil
		}
		e.mu.Unlock()
		s.watcher.remove(name)
	}
}

func (w *watcher) add(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.names == nil {
		w.names, w.news = make(map[string]int), make(map[string]bool)
	}
	if w.names[name]++; w.names[name] == 1 {
		select {
		case w.told <- struct{}{}:
		default:
		}
	}
	if w.session != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	run := &session{cancel: cancel, wake: make(chan struct{}, 1)}
	w.session = run
	run.done.Go(func() { w.follow(ctx, run) })
	run.done.Go(func() { w.compareAll(ctx, run) })
}

func (w *watcher) remove(name string) {
	w.mu.Lock()
	if w.names[name]--; w.names[name] == 0 {
		delete(w.names, name)
	}
	var last *session
	if len(w.names) == 0 {
		last, w.session = w.session, nil
	}
	w.mu.Unlock()
	if last != nil {
		last.cancel()
		last.done.Wait()
	}
}

func (w *watcher) isTold() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.telling
}

// follow watches, and begins anew whenever that ends.
func (w *watcher) follow(ctx context.Context, run *session) {
	pause, deaf := watchAgain, false
	for ctx.Err() == nil {
		if !sleep(ctx, namesSettle) {
			return
		}
		select {
		case <-w.told:
		default:
		}
		err := w.watchOnce(ctx, run, func() { pause, deaf = watchAgain, false })
		w.setTold(false)
		w.note(run) // so that versions are compared more often
		switch {
		case errors.Is(err, errOtherNames):
			continue
		case errors.Is(err, store.ErrNoWatch):
			pause = watchSeldom
			if !deaf {
				deaf = true
				w.s.hooks.unheard(err)
			}
		}
		if !sleep(ctx, pause/2+rand.N(pause)) {
			return
		}
		pause = min(2*pause, watchSeldom)
	}
}

var errOtherNames = errors.New("other names are watched")

// watchOnce watches the names that are wanted now, until it fails or others are.
func (w *watcher) watchOnce(ctx context.Context, run *session, seen func()) error {
	if err := w.s.ready(ctx); err != nil {
		return err
	}
	u := w.s.current()
	if u == nil {
		return errNoEngine
	}
	names := w.wanted()
	watching, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		select {
		case <-w.told:
			cancel(errOtherNames)
		case <-ended:
		case <-watching.Done():
		}
	})
	err := u.engine.Watch(watching, names, func() {
		seen()
		w.setTold(true)
		w.note(run, names...)
	}, func(name string) { w.note(run, name) })
	close(ended)
	others.Wait()
	if cause := context.Cause(watching); errors.Is(cause, errOtherNames) {
		return cause
	}
	return err
}

func (w *watcher) setTold(told bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.telling = told
}

// wanted returns the names that are watched.
func (w *watcher) wanted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.names))
}

// note notes that objects may have changed.
func (w *watcher) note(run *session, names ...string) {
	w.mu.Lock()
	for _, name := range names {
		if w.names[name] > 0 {
			w.news[name] = true
		}
	}
	w.mu.Unlock()
	select {
	case run.wake <- struct{}{}:
	default:
	}
}

// compareAll compares versions: of what is told of at once, of all now and then.
func (w *watcher) compareAll(ctx context.Context, run *session) {
	for last := time.Now(); ; {
		poll := w.s.options().Poll
		if !w.isTold() {
			poll = min(poll, noWatchPoll)
		}
		timer := time.NewTimer(max(0, poll-time.Since(last)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-run.wake:
		case <-timer.C:
			last = time.Now()
			w.note(run, w.wanted()...)
		}
		timer.Stop()
		w.mu.Lock()
		news := w.news
		w.news = make(map[string]bool)
		w.mu.Unlock()
		if len(news) > 0 {
			w.compare(ctx, news)
		}
	}
}

// compare tells those who watch that a version is another one than was read or written
// here last. What this process itself is about to write, under its lease, is no news.
func (w *watcher) compare(ctx context.Context, news map[string]bool) {
	var ask []string
	for name := range news {
		switch e := w.s.entry(name); {
		case e.leasing():
		case e.awaits():
			e.poke()
		default:
			ask = append(ask, name)
		}
	}
	if len(ask) == 0 {
		return
	}
	slices.Sort(ask)
	tags := make(map[string]store.Tag, len(ask))
	err := w.s.call(ctx, "tags", false, func(ctx context.Context, engine store.Engine) error {
		return engine.List(ctx, ask, false, func(o store.Object) bool {
			tags[o.Name] = o.Tag
			return true
		})
	})
	if err != nil {
		return // those who failed are told when it is back, and the next poll compares again
	}
	for _, name := range ask {
		if e := w.s.entry(name); e.differs(tags[name]) {
			e.poke()
		}
	}
}

// leasing reports whether this process has the lease, or is taking it.
func (e *entry) leasing() bool {
	e.mu.Lock()
	l := e.lease
	e.mu.Unlock()
	return l != nil && !l.taken()
}

// taken reports whether another holder is known to have it.
func (l *lease) taken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone != nil
}

// awaits reports whether the lease was wanted a moment ago, and was another's.
func (e *entry) awaits() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.seen.held.Tag != "" && time.Since(e.asked) < leaseAwaited
}

// differs reports whether a version is another one than the last that is known. Who has
// not read anything yet is about to.
func (e *entry) differs(tag store.Tag) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changes > 0 && e.newest.tag != tag
}

// poke tells those who watch.
func (e *entry) poke() {
	e.mu.Lock()
	watchers := slices.Clone(e.watchers)
	e.failed, e.shown = false, false
	e.mu.Unlock()
	for _, one := range watchers {
		one.Call()
	}
}

// steady is how long the store has to be back before those are told who failed: one that
// answers some calls and not others would have them try for ever.
const steady = time.Second

// pokeFailed tells those for whom a call failed that the store is back, and stays.
func (s *Store) pokeFailed() {
	s.background(func() {
		timer := time.NewTimer(steady)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.ending:
			return
		}
		if s.health.wentSince(steady) {
			return
		}
		for _, e := range s.known() {
			e.mu.Lock()
			failed := e.failed
			e.mu.Unlock()
			if failed {
				e.poke()
			}
		}
	})
}

// pokeAll tells everybody.
func (s *Store) pokeAll() {
	go func() {
		for _, e := range s.known() {
			e.poke()
		}
	}()
}

// sleep waits, and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
