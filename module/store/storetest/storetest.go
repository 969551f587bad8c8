// Package storetest holds an engine of a shared store to the contract of package
// store, and has an engine in memory whose faults a test chooses.
//
// It knows the contract. It must not know any engine but its own, nor what the bytes
// mean.
package storetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"lamplighter/module/store"
)

// Open returns a new engine, which was not opened yet. All engines of one t are for the
// same place, which is empty at first, as those of several processes would be; what
// other ts have is another place. The engine's name space may be made of t.Name().
type Open func(t *testing.T) store.Engine

// Option is what an engine's test says besides.
type Option func(*suite)

// Secrets are those that the engine was given. None of them may be shown.
func Secrets(secrets ...string) Option {
	return func(s *suite) { s.secrets = append(s.secrets, secrets...) }
}

// Cut is called to break all connections of the store, which can be made again at
// once: by ending its sessions, say. Without it, nothing is proved of what follows.
func Cut(cut func(t *testing.T)) Option { return func(s *suite) { s.cut = cut } }

// Patience is how long news of a change may take. Default: 5s.
func Patience(d time.Duration) Option { return func(s *suite) { s.patience = d } }

// suite is one run of the contract.
type suite struct {
	open     Open
	secrets  []string
	cut      func(t *testing.T)
	patience time.Duration
}

// Run runs the contract. Each engine has to pass it against the real thing.
func Run(t *testing.T, open Open, options ...Option) {
	s := newSuite(open, options...)
	for _, group := range contract {
		for name, test := range group {
			t.Run(name, func(t *testing.T) { test(s, t) })
		}
	}
}

// contract are the tests of an engine by name.
var contract = []map[string]func(*suite, *testing.T){objects, lists, leases, watches, lives}

func newSuite(open Open, options ...Option) *suite {
	s := &suite{open: open, patience: 5 * time.Second}
	for _, o := range options {
		o(s)
	}
	return s
}

// opened returns an engine that was opened, and is closed at the end.
func (s *suite) opened(t *testing.T) store.Engine {
	t.Helper()
	e := s.open(t)
	t.Cleanup(func() { _ = e.Close() })
	if err := e.Open(within(t)); err != nil {
		t.Fatalf("open: %v", err)
	}
	return e
}

// within is the context of what may not take long.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func put(t *testing.T, e store.Engine, name, data string, ifTag store.Tag) store.Tag {
	t.Helper()
	tag, err := e.Put(within(t), name, []byte(data), ifTag)
	if err != nil {
		t.Fatalf("put %q: %v", name, err)
	}
	if tag == "" {
		t.Fatalf("put %q: the tag of what exists is empty", name)
	}
	return tag
}

func get(t *testing.T, e store.Engine, name string) store.Object {
	t.Helper()
	o, err := e.Get(within(t), name)
	if err != nil {
		t.Fatalf("get %q: %v", name, err)
	}
	if o.Name != name {
		t.Fatalf("got %q, not %q", o.Name, name)
	}
	return o
}

// expect fails unless an object is what was written.
func expect(t *testing.T, e store.Engine, name, data string, tag store.Tag) {
	t.Helper()
	o := get(t, e, name)
	if string(o.Data) != data || o.Tag != tag {
		t.Fatalf("%q is %s of tag %q, not %s of tag %q", name, short(string(o.Data)), o.Tag, short(data), tag)
	}
}

func short(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

// hides fails if a text shows a secret.
func (s *suite) hides(t *testing.T, text string) {
	t.Helper()
	for _, secret := range s.secrets {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}
