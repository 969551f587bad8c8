package sharedstore

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
	"lamplighter/module/store/storetest"
)

func TestARecordIsReadByAnotherProcess(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		if _, err := b.Load(t.Context(), "erp"); !errors.Is(err, recordstore.ErrNotFound) {
			t.Fatalf("nothing is there: %v", err)
		}
		a.mustSave("one", 0)
		rev := b.loads("one")
		if rec := b.load(); rec.Client != "erp" {
			t.Errorf("it is the record of %q", rec.Client)
		}
		b.mustSave("two", rev)
		if err := a.saves("three", 1); !errors.Is(err, recordstore.ErrConflict) {
			t.Errorf("a write over what was not read: %v", err)
		}
		a.mustSave("three", a.loads("two"))
		b.loads("three")
	})
}

func TestARecordIsEncryptedForAllKeys(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first, second := newKeys(t), newKeys(t)
		a, b, c := r.process("a"), r.process("b"), r.process("c")
		both, err := encryption.ParseKeys(first, second)
		if err != nil {
			t.Fatal(err)
		}
		one, err := encryption.ParseKeys(second)
		if err != nil {
			t.Fatal(err)
		}
		a.Encrypt(both)
		b.Encrypt(one)
		a.mustSave("secret-token", 0)
		if o, err := r.place.Engine().Get(t.Context(), "erp"); err != nil || bytes.Contains(o.Data, []byte("secret-token")) {
			t.Errorf("it is stored in the clear: %v", err)
		}
		b.loads("secret-token")
		_, err = c.Load(t.Context(), "erp")
		if !errors.Is(err, recordstore.ErrForeign) || !errors.Is(err, recordstore.ErrUnreadable) {
			t.Errorf("sealed for another key: %v", err)
		}
		if err := c.Replace(t.Context(), "erp", holding("x"), 2, 0); !errors.Is(err, recordstore.ErrConflict) {
			t.Errorf("what is sealed is written over: %v", err)
		}
	})
}

func newKeys(t *testing.T) []byte {
	k, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return []byte(k.String())
}

// Revisions repeat once a store has lost writes: what was read as one must not be written
// over as another of the same number.
func TestAVersionThatCameInsteadOfOneIsNotWrittenOverAsThat(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		a.mustSave("one", 0)
		restore := r.place.Snapshot()
		a.mustSave("two", 1) // revision 2
		restore(false)
		b.loads("one")
		b.mustSave("other", 1) // revision 2 again
		if err := a.saves("three", 2); !errors.Is(err, recordstore.ErrConflict) {
			t.Fatalf("it wrote over what it never read: %v", err)
		}
		rev := a.loads("other")
		if rev == 2 {
			t.Fatal("two versions have one revision")
		}
		// Somebody who still has the lost version in hand, as an order beside the keeper.
		if err := a.saves("three", 2); !errors.Is(err, recordstore.ErrConflict) {
			t.Fatalf("the lost version was written over the other one: %v", err)
		}
		a.mustSave("three", rev)
		b.loads("three")
	})
}

func TestWhatAStoreLostIsWrittenBackOverWhatIsThereAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		a.mustSave("one", 0)
		restore := r.place.Snapshot()
		a.mustSave("two", 1)
		a.mustSave("three", 2)
		restore(true)
		rev := a.loads("one")
		if again := a.loads("one"); again != rev {
			t.Errorf("one version has the revisions %d and %d", rev, again)
		}
		a.mustSave("three", rev)
		a.loads("three")
	})
}

func TestAWriteInDoubtIsKnownByReading(t *testing.T) {
	for name, fault := range map[string]storetest.Fault{
		"its answer is lost":  {Err: store.ErrUnknown, Lands: storetest.Done},
		"it lands late":       {Err: store.ErrUnknown, Lands: storetest.Later, Late: time.Second},
		"an unknown error":    {Err: errors.New("odd"), Lands: storetest.Done},
		"it is never there":   {Err: store.ErrUnknown},
		"it hangs and is not": {Lands: storetest.Hangs, Err: store.ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				a, b := r.process("a"), r.process("b")
				a.mustSave("one", 0)
				a.fails(fault, "put")
				if err := a.saves("two", 1); !errors.Is(err, store.ErrUnknown) {
					t.Fatalf("the write is in doubt: %v", err)
				}
				a.fails(storetest.Fault{})
				time.Sleep(2 * time.Second)
				landed := tokenOf(a.load()) == "two"
				if want := fault.Lands == storetest.Done || fault.Lands == storetest.Later; landed != want {
					t.Fatalf("landed: %v", landed)
				}
				a.mustSave("three", a.load().Revision)
				b.loads("three")
				if said := a.saidAll(); strings.Contains(fmt.Sprint(said), "rolled back") {
					t.Errorf("a write in doubt is none that was lost: %q", said)
				}
			})
		})
	}
}

func TestAWriteInDoubtThatLandsAfterTheNextIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		a.mustSave("one", 0)
		a.fails(storetest.Fault{Err: store.ErrUnknown, Lands: storetest.Later, Late: 10 * time.Second}, "put")
		if err := a.saves("late", 1); err == nil {
			t.Fatal("it is in doubt")
		}
		a.fails(storetest.Fault{})
		rev := a.loads("one")
		a.mustSave("two", rev)
		time.Sleep(time.Minute)
		a.loads("two")
	})
}

func TestWhatOneWroteAndIsDamagedIsWrittenAnew(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		a.mustSave("one", 0)
		o, err := r.place.Engine().Get(t.Context(), "erp")
		if err != nil {
			t.Fatal(err)
		}
		r.place.Damage("erp", o.Data[:len(o.Data)/2], true)
		_, err = a.Load(t.Context(), "erp")
		if !errors.Is(err, recordstore.ErrUnreadable) || errors.Is(err, recordstore.ErrForeign) {
			t.Fatalf("it is damaged: %v", err)
		}
		if _, err := b.Load(t.Context(), "erp"); !errors.Is(err, recordstore.ErrForeign) {
			t.Errorf("who did not write it does not know what was in it: %v", err)
		}
		if err := b.Replace(t.Context(), "erp", holding("b"), 2, 0); !errors.Is(err, recordstore.ErrConflict) {
			t.Errorf("who did not write it writes over it: %v", err)
		}
		if err := a.Replace(t.Context(), "erp", holding("two"), 2, 0); err != nil {
			t.Fatalf("replace: %v", err)
		}
		b.loads("two")
		r.place.Damage("erp", []byte("nothing"), false)
		if _, err := a.Load(t.Context(), "erp"); !errors.Is(err, recordstore.ErrForeign) {
			t.Errorf("somebody else wrote this: %v", err)
		}
	})
}

func TestTheGrantOfAnotherDeploymentIsNotWrittenOver(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		a.mustSave("theirs", 0)
		rev := a.loads("theirs")
		if err := a.Replace(t.Context(), "erp", holding("ours"), rev+1, rev); !errors.Is(err, recordstore.ErrForeign) {
			t.Errorf("replace: %v", err)
		}
		a.loads("theirs")
	})
}

func TestTimesAreThoseOfTheReadersClock(t *testing.T) {
	for _, test := range []struct {
		skew time.Duration // of the writer
		off  time.Duration // what a reader is wrong by
	}{{0, 0}, {time.Second, time.Second}, {time.Hour, 0}, {-90 * time.Second, 0}, {-9 * time.Second, 9 * time.Second}} {
		t.Run(test.skew.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				a, b := r.process("a"), r.process("b")
				a.stepClock(test.skew)
				rec := holding("one")
				expires := time.Now().Add(10 * time.Minute)
				rec.AccessTokens = []record.AccessToken{{AccessToken: "x", Number: 1, ObtainedAt: time.Now().Add(test.skew), ExpiresAt: expires.Add(test.skew)}}
				if err := a.Save(t.Context(), "erp", rec, 0); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				_ = b.load() // one write might have landed late
				if err := a.Save(t.Context(), "erp", rec, 1); err != nil {
					t.Fatal(err)
				}
				if got := b.load().AccessTokens[0].ExpiresAt; got.Sub(expires).Abs() != test.off {
					t.Errorf("the token expires at %v, not at %v", got, expires)
				}
				if got := a.load().AccessTokens[0].ExpiresAt; !got.Equal(expires.Add(test.skew)) {
					t.Errorf("who wrote it reads that it expires at %v", got)
				}
			})
		})
	}
}

func TestAWriteThatLandsLateProlongsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		rec := holding("one")
		expires := time.Now().Add(10 * time.Minute).UTC()
		rec.AccessTokens = []record.AccessToken{{AccessToken: "x", Number: 1, ObtainedAt: time.Now(), ExpiresAt: expires}}
		for revision := range uint64(3) {
			a.fails(storetest.Fault{Err: store.ErrUnknown, Lands: storetest.Later, Late: time.Duration(40-10*revision) * time.Second}, "put")
			if err := a.Save(t.Context(), "erp", rec, revision); err == nil {
				t.Fatal("it is in doubt")
			}
			a.fails(storetest.Fault{})
			time.Sleep(time.Minute)
			a.load()
			if got := b.load().AccessTokens[0].ExpiresAt; revision == 0 && !got.Equal(expires) || got.Sub(expires) > 30*time.Second {
				t.Errorf("after %d late writes the token expires %s later", revision+1, got.Sub(expires))
			}
			b.load()
		}
	})
}

func TestARecordThatIsTooLargeIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		if err := a.saves(strings.Repeat("x", maxData), 0); !errors.Is(err, store.ErrFull) {
			t.Errorf("save: %v", err)
		}
		if n := a.count("put"); n != 0 {
			t.Errorf("%d writes", n)
		}
	})
}

func TestRecordsThatAreReadAtOnceAreReadAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		const clients = 200
		for i := range clients {
			if err := a.Save(t.Context(), fmt.Sprintf("c%d", i), holding(fmt.Sprint(i)), 0); err != nil {
				t.Fatal(err)
			}
		}
		b.mu.Lock()
		b.fault = func(storetest.Call) storetest.Fault { return storetest.Fault{Delay: 10 * time.Millisecond} }
		b.mu.Unlock()
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				rec, err := b.Load(t.Context(), fmt.Sprintf("c%d", i))
				if err != nil || tokenOf(rec) != fmt.Sprint(i) {
					t.Errorf("client %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if n := b.count("get") + b.count("list"); n > 10 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestOneClaimOfARefreshTokenHolds(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b := r.process("a"), r.process("b")
		token := record.FingerprintOf("seed")
		if owner, err := a.Claimed(t.Context(), token); owner != "" || err != nil {
			t.Fatalf("claimed by %q: %v", owner, err)
		}
		never := func(owner string) (bool, error) { return false, nil }
		owners := make(chan string, 20)
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				owner, err := []*process{a, b}[i%2].Claim(t.Context(), fmt.Sprintf("client-%d", i), token, never)
				if err != nil {
					t.Errorf("claim: %v", err)
				}
				owners <- owner
			})
		}
		all.Wait()
		close(owners)
		first := <-owners
		for owner := range owners {
			if owner != first {
				t.Errorf("claimed by %s and by %s", first, owner)
			}
		}
		if owner, err := b.Claim(t.Context(), "another", token, func(owner string) (bool, error) { return owner == first, nil }); owner != "another" || err != nil {
			t.Errorf("what is let go is claimed by %q: %v", owner, err)
		}
		other := record.FingerprintOf("other")
		a.fails(storetest.Fault{Err: store.ErrUnknown, Lands: storetest.Done}, "put")
		if owner, err := a.Claim(t.Context(), "erp", other, never); owner != "erp" || err != nil {
			t.Errorf("a claim in doubt: %q, %v", owner, err)
		}
		r.place.Damage(store.ClaimsName(token.String()[:2]), []byte("nothing"), false)
		if owner, err := b.Claim(t.Context(), "erp", token, never); err == nil {
			t.Errorf("damaged claims let %q have it", owner)
		}
	})
}

func TestAStoreThatIsAwayIsNotAskedOnceForEachClient(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		a.engine.Partition(true)
		began := time.Now()
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				if _, err := a.Load(t.Context(), fmt.Sprintf("c%d", i)); !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("load: %v", err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		if n := a.count("open"); n > 5 {
			t.Errorf("it was opened %d times", n)
		}
		a.engine.Partition(false)
		time.Sleep(retryOpen)
		a.mustSave("one", 0)
		if said := fmt.Sprint(a.saidAll()); said != "[up false up true]" {
			t.Errorf("told %s", said)
		}
	})
}

func TestAStoreThatWasAwayHasToProveItselfAnew(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a := r.process("a")
		a.mustSave("one", 0)
		a.fails(away, "get")
		if _, err := a.Load(t.Context(), "erp"); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("load: %v", err)
		}
		a.fails(storetest.Fault{Err: fmt.Errorf("a replica: %w", store.ErrUnsafe)}, "open")
		if err := a.saves("two", 1); !errors.Is(err, store.ErrUnsafe) {
			t.Errorf("it wrote to a store that does not keep it: %v", err)
		}
		if st := a.Status(); st.Up || !errors.Is(st.Err, store.ErrUnsafe) {
			t.Errorf("status %+v", st)
		}
		a.fails(storetest.Fault{})
		time.Sleep(retryOpen)
		a.mustSave("two", 1)
		if st := a.Status(); !st.Up || st.Err != nil {
			t.Errorf("status %+v", st)
		}
		synctest.Wait()
	})
}
