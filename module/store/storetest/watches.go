package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"lamplighter/module/store"
)

// watches are the tests of Watch.
var watches = map[string]func(*suite, *testing.T){
	"AChangeIsTold":                    (*suite).told,
	"ALeaseThatIsGivenBackIsTold":      (*suite).releaseTold,
	"NamesThatNobodyWatchesAreNotTold": (*suite).othersNotTold,
	"TwoWatchesAreBothTold":            (*suite).watchedTwice,
	"AWatchEndsWithItsContext":         (*suite).watchEnds,
	"AWatchEndsWithItsEngine":          (*suite).watchClosed,
	"ABrokenWatchEndsAndBeginsAnew":    (*suite).watchBroken,
}

// watching is a Watch under way.
type watching struct {
	ready   chan struct{}
	changed chan string
	ended   chan error

	cancel   context.CancelFunc
	finished chan struct{} // closed when it has ended
}

// watch begins to watch, and returns when changes are seen. It skips the test if the
// engine cannot tell of changes.
func (s *suite) watch(t *testing.T, e store.Engine, names ...string) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{ready: make(chan struct{}, 1000), changed: make(chan string, 1000), ended: make(chan error, 1), cancel: cancel, finished: make(chan struct{})}
	go func() {
		defer close(w.finished)
		w.ended <- e.Watch(ctx, names, func() { w.ready <- struct{}{} }, func(name string) { w.changed <- name })
	}()
	t.Cleanup(func() { cancel(); <-w.finished })
	select {
	case <-w.ready:
	case err := <-w.ended:
		if errors.Is(err, store.ErrNoWatch) {
			t.Skip("the store cannot tell of changes")
		}
		t.Fatalf("watch: %v", err)
	case <-time.After(4 * s.patience):
		t.Fatal("no change is ever seen")
	}
	return w
}

// tells fails unless a change of that name is told.
func (s *suite) tells(t *testing.T, w *watching, name string) {
	t.Helper()
	over := time.After(s.patience)
	for {
		select {
		case got := <-w.changed:
			if got == name {
				return
			}
		case err := <-w.ended:
			t.Fatalf("the watch ended: %v", err)
		case <-over:
			t.Fatalf("the change of %q is not told within %s", name, s.patience)
		}
	}
}

// drain forgets what was told so far.
func (w *watching) drain() {
	for {
		select {
		case <-w.changed:
		case <-time.After(200 * time.Millisecond):
			return
		}
	}
}

func (s *suite) told(t *testing.T) {
	a, b := s.opened(t), s.opened(t)
	before := put(t, a, "old.client", "one", "")
	claims := store.ClaimsName("ab")
	w := s.watch(t, b, "old.client", "new-client", claims)
	put(t, a, "old.client", "two", before)
	s.tells(t, w, "old.client")
	first := put(t, a, "new-client", "one", "")
	s.tells(t, w, "new-client")
	put(t, a, claims, "one", "")
	s.tells(t, w, claims)
	w.drain()
	put(t, b, "new-client", "two", first) // an own write may be told as well
	put(t, a, "old.client", "three", get(t, a, "old.client").Tag)
	s.tells(t, w, "old.client")
}

func (s *suite) releaseTold(t *testing.T) {
	a, b := s.opened(t), s.opened(t)
	put(t, a, "client", "one", "")
	lease := take(t, a, "client", "one")
	w := s.watch(t, b, "client")
	w.drain()
	if err := lease.Release(within(t)); err != nil {
		t.Fatal(err)
	}
	s.tells(t, w, "client")
}

func (s *suite) othersNotTold(t *testing.T) {
	a, b := s.opened(t), s.opened(t)
	w := s.watch(t, b, "client")
	for _, name := range []string{"other", "client-2", "client.2"} {
		put(t, a, name, "one", "")
	}
	put(t, a, "client", "one", "")
	over := time.After(s.patience)
	for {
		select {
		case got := <-w.changed:
			if got == "client" {
				return
			}
			if !slices.Contains([]string{"other", "client-2", "client.2"}, got) {
				t.Fatalf("something is told of %q", got)
			}
		case <-over:
			t.Fatal("the change is not told")
		}
	}
}

func (s *suite) watchedTwice(t *testing.T) {
	a, b := s.opened(t), s.opened(t)
	first, second := s.watch(t, b, "client"), s.watch(t, b, "client", "other")
	tag := put(t, a, "client", "one", "")
	s.tells(t, first, "client")
	s.tells(t, second, "client")
	second.cancel()
	<-second.finished
	first.drain()
	put(t, a, "client", "two", tag)
	s.tells(t, first, "client")
}

func (s *suite) watchEnds(t *testing.T) {
	e := s.opened(t)
	w := s.watch(t, e, "client")
	w.cancel()
	select {
	case err := <-w.ended:
		if err == nil {
			t.Error("it says nothing of its end")
		}
	case <-time.After(s.patience):
		t.Error("it goes on after its context")
	}
}

func (s *suite) watchClosed(t *testing.T) {
	e := s.opened(t)
	w := s.watch(t, e, "client")
	if err := e.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	select {
	case err := <-w.ended:
		if err == nil {
			t.Error("it says nothing of its end")
		}
	case <-time.After(s.patience):
		t.Error("it goes on after its engine")
	}
}

func (s *suite) watchBroken(t *testing.T) {
	if s.cut == nil {
		t.Skip("nothing breaks the connections of this engine")
	}
	a, b := s.opened(t), s.opened(t)
	first := put(t, a, "client", "one", "")
	w := s.watch(t, b, "client")
	s.cut(t)
	select {
	case err := <-w.ended:
		if err == nil {
			t.Error("it says nothing of its end")
		}
		w = s.watch(t, b, "client")
	case <-w.ready: // it connected again by itself
	case <-time.After(4 * s.patience):
		t.Fatal("a broken connection is not noticed")
	}
	eventually(t, "write after the connection broke", func() error {
		_, err := a.Put(within(t), "client", []byte("two"), first)
		if !errors.Is(err, store.ErrUnknown) && !errors.Is(err, store.ErrConflict) {
			return err
		}
		o, readErr := a.Get(within(t), "client") // what was in doubt is settled by reading
		if readErr == nil && string(o.Data) != "two" {
			readErr = fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
		return readErr
	})
	s.tells(t, w, "client")
	eventually(t, "read after the connection broke", func() error {
		o, err := b.Get(within(t), "client")
		if err == nil && string(o.Data) != "two" {
			t.Fatalf("what was written after the connection broke is %q", o.Data)
		}
		return err
	})
}

// eventually tries for a while. A store whose connection broke may fail once for each
// connection that it kept.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for range 50 {
		if err = try(); err == nil {
			return
		}
		if !errors.Is(err, store.ErrUnavailable) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%s: %v", what, err)
}
