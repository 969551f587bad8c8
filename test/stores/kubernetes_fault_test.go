package stores

import (
	"context"
	"errors"
	"testing"

	"lamplighter/module/store"
	"lamplighter/test/internal/apiserver"
	"lamplighter/test/internal/rig"
)

// through returns what makes engines for an address.
func (c *cluster) through(t testing.TB) func(testing.TB, string) store.Engine {
	ns := c.namespace(t, rulesOf(allVerbs))
	allowed(t, c.engine(t, ns))
	return func(t testing.TB, address string) store.Engine { return c.engine(t, ns, "api https://"+address) }
}

func (c *cluster) truth(t *testing.T)   { tellsTheTruth(t, c.Address, c.through(t)) }
func (c *cluster) silence(t *testing.T) { noticesSilence(t, c.Address, c.through(t)) }

// leases: a renewal of ours whose answer was lost is nobody else's, and who gave a lease
// back, and was not told, does not have it.
func (c *cluster) leases(t *testing.T) {
	engine := c.through(t)
	b := newBetween(t, c.Address)
	e, direct := opened(t, engine(t, b.Listen)), opened(t, engine(t, c.Address))
	lease, held, err := e.Acquire(t.Context(), "erp", "one", "")
	if err != nil || lease == nil {
		t.Fatalf("%v, %v", held, err)
	}
	lose := func(do func(context.Context) error) {
		t.Helper()
		heal := b.fail(t, faults[0])
		if err := do(soon(t)); !errors.Is(err, store.ErrUnknown) {
			t.Errorf("an answer was lost: %v", err)
		}
		heal()
	}
	for range 3 {
		lose(lease.Renew)
		rig.Eventually(t, "it is renewed", func() bool {
			err := lease.Renew(t.Context())
			if errors.Is(err, store.ErrConflict) {
				t.Fatal(err)
			}
			return err == nil
		})
	}
	lose(lease.Release)
	rig.Eventually(t, "it is free", func() bool {
		other, _, err := direct.Acquire(t.Context(), "erp", "two", "")
		return err == nil && other != nil
	})
	if err := lease.Renew(t.Context()); !errors.Is(err, store.ErrConflict) {
		t.Errorf("it was given back, and is renewed: %v", err)
	}
}

// TestKubernetesWatchesOverWhatEtcdForgot: a watch that the API server ended in good
// order begins again with a list, if changes since its end were compacted away.
func TestKubernetesWatchesOverWhatEtcdForgot(t *testing.T) {
	c := &cluster{Server: apiserver.Start(t, "--watch-cache=false", "--min-request-timeout=3"), made: make(map[string]bool)}
	e := allowed(t, c.engine(t, c.namespace(t, rulesOf(allVerbs))))
	w := watch(t, e, "client", "other")
	l, _, err := e.Acquire(t.Context(), "other", "holder", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := l.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.tells(t, "other") // so that the watch of Leases knows all that is compacted, and that of Secrets nothing
	c.Compact(t)
	w.isReady(t)
	if _, err := e.Put(t.Context(), "client", []byte("x"), ""); err != nil {
		t.Fatal(err)
	}
	w.tells(t, "client")
}
