package sharedstore

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
	"lamplighter/module/store/storetest"
)

func TestALeaseIsOneProcesss(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		l := a.mustLease()
		for _, p := range []*process{a, b} {
			if _, err := p.Lease(t.Context(), "erp"); !errors.Is(err, recordstore.ErrBusy) {
				t.Errorf("the lease is held: %v", err)
			}
		}
		if holder, own := b.Holder("erp"); !strings.HasPrefix(holder, "a-") || own {
			t.Errorf("held by %q, own %v", holder, own)
		}
		if holder, own := a.Holder("erp"); !strings.HasPrefix(holder, "a-") || !own {
			t.Errorf("held by %q, own %v", holder, own)
		}
		l.Release()
		l.Release()
		if err := l.Lost(); err == nil {
			t.Error("a lease that was given back is held")
		}
		b.mustLease().Release()
		if said := a.saidAll(); !slices.Equal(said, []string{`erp taken from ""`}) {
			t.Errorf("told %q", said)
		}
	})
}

// A holder that was met once, and gave its lease back since, is not who it is taken from,
// nor who has it.
func TestALeaseThatWasGivenBackIsTakenFromNobody(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		stop := b.Watch("erp", func() {})
		defer stop()
		time.Sleep(time.Second)
		l := a.mustLease()
		if _, err := b.Lease(t.Context(), "erp"); !errors.Is(err, recordstore.ErrBusy) {
			t.Fatalf("the lease is held: %v", err)
		}
		l.Release()
		time.Sleep(100 * time.Millisecond)
		if holder, _ := b.Holder("erp"); holder != "" {
			t.Errorf("nobody has the lease, and it is said to be held by %q", holder)
		}
		for range 4 { // the store is there all the time
			time.Sleep(lasts / 3)
			_, _ = b.Load(t.Context(), "erp")
		}
		b.mustLease().Release()
		if said := b.saidAll(); !slices.Equal(said, []string{`erp taken from ""`}) {
			t.Errorf("told %q", said)
		}
	})
}

func TestAHolderKeepsItsLeaseForAsLongAsItWants(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		l := a.mustLease()
		for range 300 {
			time.Sleep(time.Second)
			if err := l.Lost(); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Lease(t.Context(), "erp"); !errors.Is(err, recordstore.ErrBusy) {
				t.Fatalf("it is held: %v", err)
			}
		}
		if n := a.count("renew"); n < 55 || n > 61 {
			t.Errorf("%d renewals in 300 s", n)
		}
		l.Release()
	})
}

func TestALeaseThatIsNotRenewedIsGivenUpBeforeAnotherTakesIt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		l := a.mustLease()
		a.mustSave("one", 0)
		_, _ = b.Lease(t.Context(), "erp") // sees it
		a.engine.Partition(true)
		var gaveUp atomic.Int64
		began := time.Now()
		go func() {
			for l.Lost() == nil {
				time.Sleep(100 * time.Millisecond)
			}
			gaveUp.Store(int64(time.Since(began)))
		}()
		over, took := b.leaseWithin(time.Minute)
		if took < lasts || took > lasts+2*time.Second {
			t.Errorf("taken over after %s", took)
		}
		if d := time.Duration(gaveUp.Load()); d == 0 || d > 2*lasts/3+time.Second {
			t.Errorf("given up after %s, and taken over after %s", d, took)
		}
		a.engine.Partition(false)
		if err := a.Save(t.Context(), "erp", journaling("one"), 1); err == nil {
			t.Error("who gave its lease up writes a journal")
		}
		time.Sleep(lasts)
		if err := l.Lost(); err == nil {
			t.Error("the lease that another has is held again")
		}
		l.Release()
		if err := over.Lost(); err != nil {
			t.Error(err)
		}
		if said := b.saidAll(); len(said) != 1 || !strings.HasPrefix(said[0], `erp taken from "a-`) {
			t.Errorf("told %q", said)
		}
		if said := a.saidAll(); !slices.Contains(said, "erp lost") {
			t.Errorf("told %q", said)
		}
		over.Release()
	})
}

func TestALeaseThatNobodyTookMeanwhileIsHeldAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		l := a.mustLease()
		a.engine.Partition(true)
		time.Sleep(lasts + time.Second)
		if l.Lost() == nil {
			t.Fatal("it was not renewed, and is held")
		}
		a.engine.Partition(false)
		time.Sleep(5 * time.Second)
		if err := l.Lost(); err != nil {
			t.Error(err)
		}
		l.Release()
	})
}

func TestALeaseIsOverByTheClockThatIsAhead(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		l := a.mustLease()
		a.fails(storetest.Fault{Lands: storetest.Hangs}, "renew")
		a.stepClock(time.Hour) // it was suspended
		if l.Lost() == nil {
			t.Error("a suspended holder trusts its lease")
		}
		a.fails(storetest.Fault{})
		time.Sleep(lasts)
		if err := l.Lost(); err != nil {
			t.Errorf("renewed since: %v", err)
		}
		l.Release()
	})
}

// In an outage no holder can renew its lease: whoever asks first afterwards must not have
// it, while the holder waits with an answer in its memory.
func TestALeaseIsNotTakenOverAfterAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		l := a.mustLease()
		_, _ = b.Lease(t.Context(), "erp")
		a.engine.Partition(true)
		b.engine.Partition(true)
		for range 10 {
			_, _ = b.Lease(t.Context(), "erp")
			time.Sleep(2 * time.Second)
		}
		b.engine.Partition(false)
		for range 16 {
			if _, err := b.Lease(t.Context(), "erp"); err == nil {
				t.Fatal("taken over at once after an outage")
			}
			time.Sleep(700 * time.Millisecond)
		}
		a.engine.Partition(false)
		time.Sleep(6 * time.Second)
		if err := l.Lost(); err != nil {
			t.Errorf("the holder lost it in an outage: %v", err)
		}
		if _, err := b.Lease(t.Context(), "erp"); !errors.Is(err, recordstore.ErrBusy) {
			t.Errorf("it is held: %v", err)
		}
		l.Release()
	})
}

func TestALeaseIsNotTakenOverByWhoDidNotLookAllTheTime(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		l := a.mustLease()
		_, _ = b.Lease(t.Context(), "erp")
		a.engine.Partition(true)
		time.Sleep(time.Hour) // nobody knows whether the store was there
		if _, err := b.Lease(t.Context(), "erp"); !errors.Is(err, recordstore.ErrBusy) {
			t.Errorf("the lease: %v", err)
		}
		over, took := b.leaseWithin(time.Minute)
		if took < lasts-time.Second {
			t.Errorf("taken over after %s", took)
		}
		over.Release()
		a.engine.Partition(false)
		l.Release()
	})
}

func TestAClockThatIsSetTakesNoLeaseOver(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		bubble(t, func(t *testing.T, r *rig) {
			a, b := r.process("a"), r.process("b")
			a.mustLease()
			a.fails(storetest.Fault{Lands: storetest.Hangs}, "renew", "release")
			_, _ = b.Lease(t.Context(), "erp")
			time.Sleep(time.Second)
			b.stepClock(step)
			over, took := b.leaseWithin(time.Minute)
			if took < lasts-time.Second || took > lasts+3*time.Second {
				t.Errorf("with a step of %s it was taken over after %s", step, took)
			}
			over.Release()
		})
	}
}

func TestALeaseWhoseAnswerWasLostIsOwn(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{
		"its answer is lost": {Err: store.ErrUnknown, Lands: storetest.Done},
		"it lands late":      {Err: store.ErrUnknown, Lands: storetest.Later, Late: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				a := r.process("a")
				a.fails(fault, "acquire")
				if _, err := a.Lease(t.Context(), "erp"); err == nil {
					t.Fatal("it is in doubt")
				}
				a.fails(storetest.Fault{})
				time.Sleep(2 * time.Second)
				a.mustLease().Release()
			})
		})
	}
}

func TestALeaseThatCouldNotBeGivenBackIsGivenBackLater(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		l := a.mustLease()
		a.fails(away, "release")
		l.Release()
		if _, err := b.Lease(t.Context(), "erp"); !errors.Is(err, recordstore.ErrBusy) {
			t.Fatalf("it is held: %v", err)
		}
		a.fails(storetest.Fault{})
		time.Sleep(3 * time.Second)
		b.mustLease().Release()
		l = a.mustLease()
		a.fails(away, "release")
		l.Release()
		a.fails(storetest.Fault{})
		a.mustLease().Release() // by itself at once
		synctest.Wait()
	})
}

func TestAShortLeaseIsTakenOverToo(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		short := func() *Store {
			s := New("memory")
			use(t, s, r.place.Engine(), Options{Lease: time.Second, OpTimeout: 300 * time.Millisecond, Poll: time.Minute})
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		a, b := short(), short()
		if _, err := a.Lease(t.Context(), "erp"); err != nil {
			t.Fatal(err)
		}
		_ = a.Close() // without giving it back
		began := time.Now()
		for {
			if _, err := b.Lease(t.Context(), "erp"); err == nil {
				break
			}
			if time.Sleep(time.Second); time.Since(began) > 10*time.Second {
				t.Fatal("it is never taken over")
			}
		}
	})
}
