package sharedstore

import (
	"errors"
	"fmt"
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

// watches counts what is told of the record, once watching has begun.
func (p *process) watches(name string) (told *atomic.Int64, stop func()) {
	told = new(atomic.Int64)
	stop = p.Watch(name, func() { told.Add(1) })
	time.Sleep(time.Second)
	p.rig.Cleanup(stop)
	return told, stop
}

// tells fails unless something is told within a time, or was since the last call.
func tells(t *testing.T, told *atomic.Int64, within time.Duration) {
	t.Helper()
	for began := time.Now(); told.Load() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > within {
			t.Fatalf("nothing is told within %s", within)
		}
	}
	synctest.Wait()
	told.Store(0)
}

func TestWhatAnotherProcessWritesIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		a.mustSave("one", 0)
		b.loads("one")
		told, stop := b.watches("erp")
		if n := told.Load(); n != 0 {
			t.Errorf("%d changes of what was just read", n)
		}
		a.mustSave("two", 1)
		tells(t, told, 50*time.Millisecond)
		b.mustSave("three", b.loads("two"))
		before := told.Load()
		time.Sleep(time.Minute)
		if told.Load() != before {
			t.Error("its own write is news")
		}
		stop()
		a.mustSave("four", a.loads("three"))
		time.Sleep(time.Minute)
		if told.Load() != before {
			t.Error("told after its end")
		}
	})
}

func TestALeaseThatIsWantedIsToldToBeFree(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		a.mustSave("one", 0)
		b.loads("one")
		told, _ := b.watches("erp")
		l := a.mustLease()
		_, _ = b.Lease(t.Context(), "erp")
		l.Release()
		tells(t, told, 50*time.Millisecond)
	})
}

func TestWhatTheStoreDoesNotTellIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		fault  storetest.Fault
		within time.Duration
	}{
		"it cannot tell":     {storetest.Fault{Err: store.ErrNoWatch}, time.Second + 100*time.Millisecond},
		"it cannot be heard": {away, time.Second + 100*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				a, b := r.process("a"), r.process("b")
				b.fails(test.fault, "watch")
				a.mustSave("one", 0)
				b.loads("one")
				told, _ := b.watches("erp")
				if b.Status().Told {
					t.Error("nothing is told, and it is said to be")
				}
				a.mustSave("two", 1)
				tells(t, told, test.within)
			})
		})
	}
	t.Run("it missed one", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			b := r.process("b")
			b.mustSave("one", 0)
			told, _ := b.watches("erp")
			o, err := b.engine.Get(t.Context(), "erp")
			if err != nil {
				t.Fatal(err)
			}
			r.place.Damage("erp", o.Data, false) // untold
			tells(t, told, 31*time.Second)
		})
	})
}

func TestAStoreThatCannotTellOfChangesIsToldOfOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		b := r.process("b")
		unheard := func() (n int) {
			for _, said := range b.saidAll() {
				if strings.HasPrefix(said, "unheard: ") {
					n++
				}
			}
			return n
		}
		b.fails(storetest.Fault{Err: store.ErrNoWatch}, "watch")
		b.watches("erp")
		time.Sleep(10 * time.Minute)
		if n := unheard(); n != 1 {
			t.Errorf("it was said %d times", n)
		}
		b.fails(storetest.Fault{})
		time.Sleep(10 * time.Minute)
		if !b.Status().Told || unheard() != 0 {
			t.Error("it tells again, and is said not to")
		}
		b.fails(storetest.Fault{Err: store.ErrNoWatch}, "watch")
		r.place.Cut()
		time.Sleep(10 * time.Minute)
		if n := unheard(); n != 1 {
			t.Errorf("when it ended again, it was said %d times", n)
		}
	})
}

func TestWhatWasWrittenWhileNothingWasHeardIsFoundAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		a.mustSave("one", 0)
		b.loads("one")
		told, _ := b.watches("erp")
		b.engine.Partition(true)
		r.place.Cut()
		time.Sleep(12 * time.Second)
		a.mustSave("two", 1)
		b.engine.Partition(false)
		tells(t, told, 5*time.Second)
		b.loads("two")
	})
}

func TestOtherNamesAreWatchedAsSoonAsTheyAreWanted(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		for i := range 50 {
			name := fmt.Sprintf("c%d", i)
			if err := a.Save(t.Context(), name, holding("one"), 0); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Load(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			defer b.Watch(name, func() {})()
		}
		time.Sleep(time.Second)
		if n := b.count("watch"); n != 1 {
			t.Errorf("%d watches for names that came at once", n)
		}
		a.mustSave("one", 0)
		b.loads("one")
		told, _ := b.watches("erp")
		a.mustSave("two", 1)
		tells(t, told, 50*time.Millisecond)
	})
}

func TestWhoeverFailedIsToldThatTheStoreIsBack(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		a.mustSave("one", 0)
		told, _ := a.watches("erp")
		a.engine.Partition(true)
		r.place.Cut()
		if err := a.saves("two", 1); err == nil {
			t.Fatal("saved")
		}
		time.Sleep(time.Minute)
		before := told.Load()
		a.engine.Partition(false)
		time.Sleep(10 * time.Second)
		if told.Load() == before {
			t.Error("nobody is told")
		}
	})
}

func TestAnIdleStoreIsAskedOncePerPoll(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		for i := range 100 {
			name := fmt.Sprintf("c%d", i)
			if err := a.Save(t.Context(), name, holding("one"), 0); err != nil {
				t.Fatal(err)
			}
			defer a.Watch(name, func() {})()
		}
		time.Sleep(time.Second)
		a.mu.Lock()
		clear(a.calls)
		a.mu.Unlock()
		time.Sleep(10 * time.Minute)
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.calls["list"] > 21 || len(a.calls) != 1 {
			t.Errorf("in ten minutes %v calls", a.calls)
		}
	})
}

func TestNobodyTakesALeaseWhenTheStoreLostWrites(t *testing.T) {
	for name, lose := range map[string]func(r *rig, a *process) (restore func(bool), tell bool){
		"the store tells": func(r *rig, _ *process) (func(bool), bool) { return r.place.Snapshot(), true },
		"a write is gone": func(r *rig, a *process) (func(bool), bool) {
			restore := r.place.Snapshot()
			a.mustSave("two", 1)
			return restore, false
		},
		"everything is gone": func(r *rig, _ *process) (func(bool), bool) {
			return func(bool) { r.place.Empty() }, false
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				a := r.process("a")
				a.mustSave("one", 0)
				told, _ := a.watches("erp")
				restore, tell := lose(r, a)
				before := told.Load()
				a.saidAll()
				restore(tell)
				_, _ = a.Load(t.Context(), "erp")
				synctest.Wait()
				if told.Load() == before {
					t.Error("nobody is told to write back what is missing")
				}
				said := a.saidAll()
				if !slices.Contains(said, "rolled back") || !a.Status().RolledBack {
					t.Error("it is not said")
				}
				if seen := slices.Contains(said, "a write is gone"); seen == tell {
					t.Errorf("a write is said to be gone: %v", seen)
				}
				if _, err := a.Lease(t.Context(), "erp"); !errors.Is(err, recordstore.ErrRolledBack) {
					t.Errorf("a lease is taken: %v", err)
				}
				time.Sleep(lasts - time.Second)
				if _, err := a.Lease(t.Context(), "erp"); err == nil {
					t.Error("a lease is taken before everybody could write back")
				}
				time.Sleep(time.Second)
				a.mustLease().Release()
			})
		})
	}
}

// A server that was restarted may have lost nothing; that it has is told when it is seen.
func TestALossThatIsSeenIsToldAfterOneThatMayBe(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		a.mustSave("one", 0)
		restore := r.place.Snapshot()
		a.mustSave("two", 1)
		restore(true)
		a.loads("one")
		a.loads("one")
		if said, want := a.saidAll(), []string{"rolled back", "rolled back", "a write is gone"}; !slices.Equal(said, want) {
			t.Errorf("told %q, want %q", said, want)
		}
	})
}

func TestWhoStartsAfterWritesWereLostWaitsToo(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		a.mustSave("one", 0)
		restore := r.place.Snapshot()
		restore(true)
		b := r.process("b")
		b.loads("one")
		if _, err := b.Lease(t.Context(), "erp"); err == nil {
			t.Error("it takes a lease although the others may not have written back")
		}
		time.Sleep(lasts)
		b.mustSave("two", 1)
		b.loads("two")
		b.mustLease().Release()
		c := r.process("c")
		c.loads("two") // written since
		c.mustLease().Release()
		if said := strings.Join(b.saidAll(), ", "); strings.Count(said, "rolled back") != 1 {
			t.Errorf("told %s", said)
		}
	})
}

func TestAReaderThatIsLateFindsNothingLost(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		a.mustSave("one", 0)
		a.mu.Lock()
		a.fault = func(c storetest.Call) storetest.Fault {
			if c.Op == "get" {
				return storetest.Fault{Answer: time.Second}
			}
			return storetest.Fault{}
		}
		a.mu.Unlock()
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = a.Load(t.Context(), "erp")
		}()
		synctest.Wait()
		a.mustSave("two", 1)
		<-read
		if said := a.saidAll(); slices.Contains(said, "rolled back") {
			t.Errorf("told %q", said)
		}
	})
}
