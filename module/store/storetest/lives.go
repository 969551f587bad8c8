package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"lamplighter/module/store"
)

// lives are the tests of Open, Close, Describe and Epoch.
var lives = map[string]func(*suite, *testing.T){
	"AStoreIsOpenedAgain":            (*suite).reopened,
	"AClosedEngineFails":             (*suite).closed,
	"AnEngineThatIsNotOpenedIsQuiet": (*suite).unopened,
	"AnOpenWhoseTimeIsOverFails":     (*suite).openOver,
	"ThePlaceIsNamedWithoutSecrets":  (*suite).described,
	"TheEpochStays":                  (*suite).epoch,
}

func (s *suite) reopened(t *testing.T) {
	e := s.opened(t)
	tag := put(t, e, "client", "one", "")
	if err := e.Open(within(t)); err != nil {
		t.Fatalf("open again: %v", err)
	}
	expect(t, e, "client", "one", tag)
	expect(t, s.opened(t), "client", "one", tag)
}

func (s *suite) closed(t *testing.T) {
	e := s.opened(t)
	tag := put(t, e, "client", "one", "")
	lease := take(t, e, "client", "holder")
	if err := e.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	_, err := e.Get(within(t), "client")
	if err == nil {
		t.Error("a closed engine reads")
	}
	s.hides(t, fmt.Sprint(err))
	if _, err := e.Put(within(t), "client", []byte("two"), tag); err == nil {
		t.Error("a closed engine writes")
	}
	if err := e.List(within(t), nil, false, func(store.Object) bool { return true }); err == nil {
		t.Error("a closed engine lists")
	}
	if _, _, err := e.Acquire(within(t), "other", "holder 2", ""); err == nil {
		t.Error("a closed engine takes a lease")
	}
	if err := lease.Renew(within(t)); err == nil {
		t.Error("a closed engine renews a lease")
	}
	watching, cancel := context.WithTimeout(t.Context(), s.patience)
	defer cancel()
	if err := e.Watch(watching, []string{"client"}, func() {}, func(string) {}); err == nil || watching.Err() != nil {
		t.Errorf("a closed engine watches: %v", err)
	}
	_ = e.Close() // again: it does not panic
	expect(t, s.opened(t), "client", "one", tag)
}

func (s *suite) unopened(t *testing.T) {
	e := s.open(t)
	if place := e.Describe("client"); place == "" {
		t.Error("a place has a name before it is opened")
	}
	if err := e.Close(); err != nil {
		t.Errorf("close what was never opened: %v", err)
	}
}

func (s *suite) openOver(t *testing.T) {
	e := s.open(t)
	t.Cleanup(func() { _ = e.Close() })
	began := time.Now()
	err := e.Open(ended(t))
	if err == nil {
		t.Error("it was opened after its end")
	}
	s.hides(t, fmt.Sprint(err))
	if took := time.Since(began); took > s.patience {
		t.Errorf("it took %s to notice", took)
	}
	if err := e.Open(within(t)); err != nil {
		t.Errorf("it cannot be opened after that: %v", err)
	}
}

func (s *suite) described(t *testing.T) {
	e := s.opened(t)
	for _, name := range []string{"client", store.ClaimsName("ab")} {
		place := e.Describe(name)
		s.hides(t, place)
		if place == "" || len(place) > 500 || strings.ContainsFunc(place, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is described as %q", name, place)
		}
	}
	if first, again := e.Describe("client"), e.Describe("client"); first != again || first == e.Describe("other") {
		t.Error("the name of a place tells nothing")
	}
	s.hides(t, e.Epoch())
}

func (s *suite) epoch(t *testing.T) {
	e := s.opened(t)
	before := e.Epoch()
	tag := put(t, e, "client", "one", "")
	put(t, e, "client", "two", tag)
	if err := take(t, e, "client", "holder").Renew(within(t)); err != nil {
		t.Fatal(err)
	}
	get(t, e, "client")
	listed(t, e, nil, true)
	if after := e.Epoch(); after != before {
		t.Errorf("the epoch went from %q to %q, and nothing was lost", before, after)
	}
	if other := s.opened(t).Epoch(); other != before {
		t.Errorf("another engine has the epoch %q, not %q", other, before)
	}
}
