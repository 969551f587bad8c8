package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"lamplighter/module/store"
)

// leases are the tests of Acquire and Lease.
var leases = map[string]func(*suite, *testing.T){
	"ALeaseKeepsOthersOut":                      (*suite).excludes,
	"ALeaseThatIsGivenBackIsFree":               (*suite).released,
	"ALeaseIsTakenOverWithTheTagSeenOnly":       (*suite).takenOver,
	"ARenewedLeaseHasAnotherTag":                (*suite).renewed,
	"WhoLostALeaseChangesNothing":               (*suite).lost,
	"AHolderThatAsksAgainHasItsLease":           (*suite).repeated,
	"OneOfManyThatTryAtOnceHasTheLease":         (*suite).leaseRaces,
	"OneOfManyThatTakeOverAtOnceHasTheLease":    (*suite).takeoverRaces,
	"ALeaseNeedsNoObject":                       (*suite).leaseAlone,
	"ALeaseWhoseTimeToTryIsOverIsNotTaken":      (*suite).leaseOver,
	"AnotherEngineSeesWhoHoldsALease":           (*suite).leaseShared,
	"ALeaseOutlivesTheEngineOfItsHolder":        (*suite).leaseLeft,
	"ALeaseIsTakenManyTimesAndNeverOfTheOldTag": (*suite).leaseTags,
	"ALeaseHasNoEndInTheStore":                  (*suite).leaseStays,
	"ALeaseOutlivesItsConnection":               (*suite).leaseCut,
}

func take(t *testing.T, e store.Engine, name, holder string) store.Lease {
	t.Helper()
	lease, held, err := e.Acquire(within(t), name, holder, "")
	if err != nil || lease == nil {
		t.Fatalf("acquire %q for %s: %v, held by %v", name, holder, err, held)
	}
	return lease
}

// busy fails unless somebody holds the lease of "client", and returns how.
func busy(t *testing.T, e store.Engine, holder, by string, over store.Tag) store.Held {
	t.Helper()
	lease, held, err := e.Acquire(within(t), "client", holder, over)
	if err != nil || lease != nil {
		t.Fatalf("the lease is not held by %s: %v, %v", by, lease, err)
	}
	if held.Holder != by || held.Tag == "" {
		t.Fatalf("the lease is held by %q with tag %q, not by %q", held.Holder, held.Tag, by)
	}
	return held
}

func (s *suite) excludes(t *testing.T) {
	e := s.opened(t)
	lease := take(t, e, "client", "one")
	busy(t, e, "two", "one", "")
	take(t, e, "other", "three")
	if err := lease.Renew(within(t)); err != nil {
		t.Errorf("renew: %v", err)
	}
	busy(t, e, "two", "one", "")
}

func (s *suite) released(t *testing.T) {
	e := s.opened(t)
	lease := take(t, e, "client", "one")
	held := busy(t, e, "two", "one", "")
	if err := lease.Release(within(t)); err != nil {
		t.Fatalf("release: %v", err)
	}
	if err := lease.Renew(within(t)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a lease that was given back is renewed: %v", err)
	}
	next := take(t, e, "client", "two")
	if err := lease.Release(within(t)); err != nil && !errors.Is(err, store.ErrConflict) {
		t.Errorf("release again: %v", err)
	}
	if err := next.Renew(within(t)); err != nil {
		t.Errorf("it was given back by who no longer held it: %v", err)
	}
	busy(t, e, "three", "two", held.Tag)
}

func (s *suite) takenOver(t *testing.T) {
	e := s.opened(t)
	first := take(t, e, "client", "one")
	seen := busy(t, e, "two", "one", "")
	busy(t, e, "two", "one", "no tag")
	busy(t, e, "two", "one", seen.Tag+"0")
	if err := first.Renew(within(t)); err != nil {
		t.Fatal(err)
	}
	busy(t, e, "two", "one", seen.Tag) // it was renewed since
	seen = busy(t, e, "two", "one", "")
	lease, held, err := e.Acquire(within(t), "client", "two", seen.Tag)
	if err != nil || lease == nil {
		t.Fatalf("a lease seen unchanged is not taken over: %v, %v", held, err)
	}
	if err := lease.Renew(within(t)); err != nil {
		t.Errorf("renew: %v", err)
	}
	busy(t, e, "three", "two", seen.Tag)
	if lease, _, err := e.Acquire(within(t), "free", "two", "some tag"); err != nil || lease == nil {
		t.Errorf("a lease that is given back meanwhile is not free: %v", err)
	}
}

func (s *suite) renewed(t *testing.T) {
	e := s.opened(t)
	lease := take(t, e, "client", "one")
	tags := make(map[store.Tag]bool)
	for range 10 {
		held := busy(t, e, "two", "one", "")
		if again := busy(t, e, "two", "one", ""); again != held {
			t.Fatalf("looking changed it from %v to %v", held, again)
		}
		if tags[held.Tag] {
			t.Fatalf("it has the tag %q again", held.Tag)
		}
		tags[held.Tag] = true
		if err := lease.Renew(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *suite) lost(t *testing.T) {
	e := s.opened(t)
	first := take(t, e, "client", "one")
	seen := busy(t, e, "two", "one", "")
	second, _, err := e.Acquire(within(t), "client", "two", seen.Tag)
	if err != nil || second == nil {
		t.Fatalf("take over: %v", err)
	}
	for range 2 {
		if err := first.Renew(within(t)); !errors.Is(err, store.ErrConflict) {
			t.Errorf("who lost the lease renews it: %v", err)
		}
		if err := first.Release(within(t)); err != nil && !errors.Is(err, store.ErrConflict) {
			t.Errorf("who lost the lease gives it back: %v", err)
		}
		busy(t, e, "three", "two", "")
	}
	if err := second.Renew(within(t)); err != nil {
		t.Errorf("renew: %v", err)
	}
}

func (s *suite) repeated(t *testing.T) {
	e := s.opened(t)
	take(t, e, "client", "one")
	seen := busy(t, e, "two", "one", "")
	again := take(t, e, "client", "one")
	busy(t, e, "two", "one", seen.Tag) // to have it again is a sign of life
	if err := again.Renew(within(t)); err != nil {
		t.Errorf("renew: %v", err)
	}
	if err := again.Release(within(t)); err != nil {
		t.Errorf("release: %v", err)
	}
	take(t, e, "client", "two")
}

// winners returns how many of those that try at once have the lease.
func winners(t *testing.T, engines []store.Engine, round int, over store.Tag) int {
	t.Helper()
	const tries = 8
	won, mu := 0, sync.Mutex{}
	atOnce(tries, func(i int) {
		lease, _, err := engines[i%len(engines)].Acquire(within(t), "client", fmt.Sprintf("holder-%d-%d", round, i), over)
		if err != nil {
			t.Errorf("acquire: %v", err)
			return
		}
		if lease != nil {
			mu.Lock()
			defer mu.Unlock()
			won++
		}
	})
	return won
}

func (s *suite) leaseRaces(t *testing.T) {
	engines := []store.Engine{s.opened(t), s.opened(t)}
	if n := winners(t, engines, 0, ""); n != 1 {
		t.Errorf("%d have the lease", n)
	}
}

func (s *suite) takeoverRaces(t *testing.T) {
	engines := []store.Engine{s.opened(t), s.opened(t)}
	take(t, engines[0], "client", "dead")
	for round := range 5 {
		_, held, err := engines[0].Acquire(within(t), "client", fmt.Sprintf("looks-%d", round), "")
		if err != nil || held.Tag == "" {
			t.Fatalf("look: %v", err)
		}
		if n := winners(t, engines, round, held.Tag); n != 1 {
			t.Errorf("%d took the lease over", n)
		}
	}
}

func (s *suite) leaseAlone(t *testing.T) {
	e := s.opened(t)
	lease := take(t, e, "client", "one")
	if _, err := e.Get(within(t), "client"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the lease is an object: %v", err)
	}
	tag := put(t, e, "client", "one", "")
	if err := lease.Renew(within(t)); err != nil {
		t.Errorf("renew: %v", err)
	}
	expect(t, e, "client", "one", tag)
	if err := lease.Release(within(t)); err != nil {
		t.Errorf("release: %v", err)
	}
	expect(t, e, "client", "one", tag)
}

func (s *suite) leaseOver(t *testing.T) {
	e := s.opened(t)
	lease, _, err := e.Acquire(ended(t), "client", "one", "")
	switch {
	case err == nil || lease != nil:
		t.Errorf("a lease was taken after its end: %v", err)
	case !errors.Is(err, store.ErrUnknown):
		take(t, e, "client", "two")
	}
	s.hides(t, fmt.Sprint(err))
	other := take(t, e, "other", "one")
	if err := other.Renew(ended(t)); err == nil {
		t.Error("a lease was renewed after its end")
	}
	if err := other.Release(ended(t)); err == nil {
		take(t, e, "other", "two")
	}
}

// leaseStays waits no whole lease: no engine knows how long one is.
func (s *suite) leaseStays(t *testing.T) {
	e := s.opened(t)
	lease := take(t, e, "client", "one")
	seen := busy(t, e, "two", "one", "")
	time.Sleep(2 * time.Second)
	if held := busy(t, e, "two", "one", "no tag"); held != seen {
		t.Errorf("nobody renewed it, and it went from %v to %v", seen, held)
	}
	if err := lease.Renew(within(t)); err != nil {
		t.Errorf("renew: %v", err)
	}
}

func (s *suite) leaseCut(t *testing.T) {
	if s.cut == nil {
		t.Skip("nothing breaks the connections of this engine")
	}
	a, b := s.opened(t), s.opened(t)
	lease := take(t, a, "client", "one")
	s.cut(t)
	var held store.Held
	eventually(t, "look after the connection broke", func() (err error) {
		lease, now, err := b.Acquire(within(t), "client", "two", "")
		if lease != nil {
			t.Fatal("the lease is over with the connection of its holder")
		}
		held = now
		return passing(err)
	})
	if held.Holder != "one" {
		t.Errorf("the lease is held by %q", held.Holder)
	}
	eventually(t, "renew after the connection broke", func() error { return passing(lease.Renew(within(t))) })
}

// passing is what may be tried again: a write in doubt too, if it may be carried out twice.
func passing(err error) error {
	if errors.Is(err, store.ErrUnknown) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

func (s *suite) leaseShared(t *testing.T) {
	a, b := s.opened(t), s.opened(t)
	lease := take(t, a, "client", "one")
	held := busy(t, b, "two", "one", "")
	over, _, err := b.Acquire(within(t), "client", "two", held.Tag)
	if err != nil || over == nil {
		t.Fatalf("take over: %v", err)
	}
	if err := lease.Renew(within(t)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("who lost the lease renews it: %v", err)
	}
}

func (s *suite) leaseLeft(t *testing.T) {
	a, b := s.opened(t), s.opened(t)
	take(t, a, "client", "one")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	busy(t, b, "two", "one", "")
}

func (s *suite) leaseTags(t *testing.T) {
	e := s.opened(t)
	tags := make(map[store.Tag]bool)
	for i := range 10 {
		holder := fmt.Sprintf("holder-%d", i)
		lease := take(t, e, "client", holder)
		held := busy(t, e, "another", holder, "")
		if tags[held.Tag] {
			t.Fatalf("the tag %q comes again after the lease was given back", held.Tag)
		}
		tags[held.Tag] = true
		if err := lease.Release(within(t)); err != nil {
			t.Fatal(err)
		}
	}
}
