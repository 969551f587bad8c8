package filestore

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

func TestFileKeepsTheContract(t *testing.T) {
	var mu sync.Mutex
	dirs := make(map[string]string)
	testStore(t, func(t *testing.T) recordstore.Store {
		mu.Lock()
		defer mu.Unlock()
		if dirs[t.Name()] == "" {
			dirs[t.Name()] = filepath.Join(t.TempDir(), "records")
		}
		return NewFile(dirs[t.Name()])
	})
}

// testStore is the contract of every store. open returns another instance of
// the store at each call; within one test all share one place, which is empty
// at first.
func testStore(t *testing.T, open func(t *testing.T) recordstore.Store) {
	for name, test := range map[string]func(*testing.T, func(*testing.T) recordstore.Store){
		"a missing record is not found":                 contractNotFound,
		"a saved record comes back":                     contractRoundTrip,
		"save compares before it swaps":                 contractCompareAndSwap,
		"one of many savers wins each revision":         contractOneWinner,
		"replace compares before it swaps, too":         contractReplace,
		"replace waits for the holder of the lease":     contractReplaceWaits,
		"names that could escape are refused":           contractNames,
		"clients do not meet":                           contractSeparateClients,
		"a lease excludes other instances":              contractLeaseExcludes,
		"leases of one instance exclude each other":     contractLeaseExcludesWithin,
		"a lease that another has is refused at once":   contractLeaseBusy,
		"a lease that nobody took is not lost":          contractLeaseLost,
		"a lease may be released twice":                 contractReleaseTwice,
		"save works with and without the lease":         contractSaveAndLease,
		"save without the lease waits for its holder":   contractSaveWaits,
		"save outlives the lease it began under":        contractSaveDuringRelease,
		"watchers learn of what another instance wrote": contractWatch,
		"stop ends the calls":                           contractWatchStop,
		"a cancelled context does nothing":              contractCancelled,
		"the place of a record has a name":              contractDescribe,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func contractNotFound(t *testing.T, open func(*testing.T) recordstore.Store) {
	st := open(t)
	_, err := st.Load(t.Context(), "erp")
	recordtest.WantErr(t, err, recordstore.ErrNotFound)
	mustOpen(t, st)
	_, err = st.Load(t.Context(), "erp")
	recordtest.WantErr(t, err, recordstore.ErrNotFound)
}

func contractRoundTrip(t *testing.T, open func(*testing.T) recordstore.Store) {
	st, other := open(t), open(t)
	mustOpen(t, st)
	mustOpen(t, st)
	want := recordtest.Sample()
	mustSave(t, st, want, 0)
	if want.Revision != 0 {
		t.Errorf("saving gave its argument revision %d", want.Revision)
	}
	want.Revision = 1
	for _, st := range []recordstore.Store{st, other} {
		if got := mustLoad(t, st); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}

func contractCompareAndSwap(t *testing.T, open func(*testing.T) recordstore.Store) {
	st, other := open(t), open(t)
	recordtest.WantErr(t, st.Save(t.Context(), "erp", &record.Record{}, 1), recordstore.ErrConflict)
	mustSave(t, st, &record.Record{Generation: 1}, 0)
	recordtest.WantErr(t, other.Save(t.Context(), "erp", &record.Record{Generation: 9}, 0), recordstore.ErrConflict)
	mustSave(t, other, &record.Record{Generation: 2}, 1)
	recordtest.WantErr(t, st.Save(t.Context(), "erp", &record.Record{Generation: 9}, 1), recordstore.ErrConflict)
	// The same record again is a conflict, too: it was somebody else's.
	recordtest.WantErr(t, st.Save(t.Context(), "erp", &record.Record{Generation: 2}, 1), recordstore.ErrConflict)
	if got := mustLoad(t, st); got.Revision != 2 || got.Generation != 2 || got.Client != "erp" {
		t.Errorf("got %+v, want revision 2 of generation 2", got)
	}
}

func contractOneWinner(t *testing.T, open func(*testing.T) recordstore.Store) {
	shared := open(t)
	stores := []recordstore.Store{shared, shared, open(t), open(t)}
	wins := make([]uint64, len(stores))
	var wg sync.WaitGroup
	for i, st := range stores {
		wg.Go(func() {
			n, err := race(st, 25)
			if err != nil {
				t.Error(err)
			}
			wins[i] = n
		})
	}
	wg.Wait()
	var total uint64
	for _, n := range wins {
		total += n
	}
	if got := mustLoad(t, shared); got.Revision != total || got.Generation != total {
		t.Errorf("%v saves won, but the record is revision %d, generation %d", wins, got.Revision, got.Generation)
	}
}

// What else Replace does depends on what damage is in a store.
func contractReplace(t *testing.T, open func(*testing.T) recordstore.Store) {
	st, other := open(t), open(t)
	replace := func(st recordstore.Store, generation, revision uint64) error {
		return st.Replace(t.Context(), "erp", &record.Record{Generation: generation}, revision, revision-1)
	}
	if replace(st, 1, 0) == nil {
		t.Error("a record was given revision 0, that of none")
	}
	_, err := st.Load(t.Context(), "erp")
	recordtest.WantErr(t, err, recordstore.ErrNotFound)
	if err := replace(st, 1, 4); err != nil { // there is nothing to lose
		t.Fatal(err)
	}
	if err := replace(other, 2, 5); err != nil {
		t.Fatal(err)
	}
	for _, revision := range []uint64{0, 1, 4, 5, 7} {
		for _, st := range []recordstore.Store{st, other} {
			if err := replace(st, 9, revision); revision > 0 {
				recordtest.WantErr(t, err, recordstore.ErrConflict)
			}
		}
	}
	mustSave(t, st, &record.Record{Generation: 3}, 5)
	recordtest.WantErr(t, replace(other, 9, 6), recordstore.ErrConflict)
	if got := mustLoad(t, other); got.Revision != 6 || got.Generation != 3 || got.Client != "erp" {
		t.Errorf("got %+v, want revision 6 of generation 3", got)
	}
}

func contractReplaceWaits(t *testing.T, open func(*testing.T) recordstore.Store) {
	holder, other := open(t), open(t)
	lease := mustLease(t, holder)
	mustSave(t, holder, &record.Record{}, 0)
	recordtest.WantErr(t, other.Replace(timeout(t, 60*time.Millisecond), "erp", &record.Record{}, 2, 1), context.DeadlineExceeded)
	if got := mustLoad(t, holder); got.Revision != 1 {
		t.Errorf("revision %d was written in spite of the lease", got.Revision)
	}
	if err := holder.Replace(t.Context(), "erp", &record.Record{}, 2, 1); err != nil {
		t.Error(err)
	}
	lease.Release()
	if err := other.Replace(t.Context(), "erp", &record.Record{}, 3, 2); err != nil {
		t.Error(err)
	}
}

func contractNames(t *testing.T, open func(*testing.T) recordstore.Store) {
	st := open(t)
	mustOpen(t, st)
	for _, name := range []string{"", ".", "..", "../x", "x/../y", "/x", "A", ".x", "-x", "_x", "a b", "a\x00", "a\n", "ä", `a\b`, strings.Repeat("a", 64)} {
		if _, err := st.Load(t.Context(), name); err == nil || errors.Is(err, recordstore.ErrNotFound) {
			t.Errorf("load %q: got %v, want a refusal", name, err)
		}
		if err := st.Save(t.Context(), name, &record.Record{}, 0); err == nil {
			t.Errorf("save %q: want a refusal", name)
		}
		if err := st.Replace(t.Context(), name, &record.Record{}, 1, 0); err == nil {
			t.Errorf("replace %q: want a refusal", name)
		}
		if _, err := st.Lease(t.Context(), name); err == nil {
			t.Errorf("lease %q: want a refusal", name)
		}
		st.Watch(name, func() { t.Errorf("watch %q: was called", name) })()
	}
	for _, name := range []string{"a", "0", "a.b-c_d", "a.json", "a.lock", "a.json.tmp-b", strings.Repeat("a", 63)} {
		if err := st.Save(t.Context(), name, &record.Record{}, 0); err != nil {
			t.Errorf("save %q: %v", name, err)
		}
		if _, err := st.Load(t.Context(), name); err != nil {
			t.Errorf("load %q: %v", name, err)
		}
	}
}

func contractSeparateClients(t *testing.T, open func(*testing.T) recordstore.Store) {
	st := open(t)
	mustLease(t, st)
	lease, err := st.Lease(timeout(t, patience), "crm")
	if err != nil {
		t.Fatal(err)
	}
	lease.Release()
	if err := st.Save(t.Context(), "crm", &record.Record{Client: "erp"}, 0); err == nil {
		t.Error("the record of erp was saved as that of crm")
	}
	if err := st.Replace(t.Context(), "crm", &record.Record{Client: "erp"}, 1, 0); err == nil {
		t.Error("the record of erp was put in the place of that of crm")
	}
}

func contractWatch(t *testing.T, open func(*testing.T) recordstore.Store) {
	writer, follower := open(t), open(t)
	mustOpen(t, writer)
	called := make(chan struct{}, 100)
	defer follower.Watch("erp", func() { called <- struct{}{} })()
	defer follower.Watch("crm", func() { t.Error("the watcher of another record was called") })()
	for rev := range uint64(3) {
		mustSave(t, writer, &record.Record{Generation: rev + 1}, rev)
		select {
		case <-called:
		case <-time.After(patience):
			t.Fatal("not called")
		}
		if got := mustLoad(t, follower); got.Generation != rev+1 {
			t.Errorf("got generation %d when called, want %d", got.Generation, rev+1)
		}
	}
}

func contractWatchStop(t *testing.T, open func(*testing.T) recordstore.Store) {
	writer, follower := open(t), open(t)
	mustOpen(t, writer)
	entered, leave := make(chan struct{}), make(chan struct{})
	var stopped, late bool
	var mu sync.Mutex
	stop := follower.Watch("erp", func() {
		mu.Lock()
		late = late || stopped
		mu.Unlock()
		entered <- struct{}{}
		<-leave
	})
	mustSave(t, writer, &record.Record{}, 0)
	<-entered
	ended := make(chan struct{})
	go func() {
		stop()
		mu.Lock()
		stopped = true
		mu.Unlock()
		close(ended)
	}()
	select {
	case <-ended:
		t.Error("stop returned while a call was running")
	case <-time.After(30 * time.Millisecond):
	}
	close(leave)
	<-ended
	stop()

	// Others go on, and what they hear the stopped one could have heard.
	heard := make(chan struct{}, 10)
	defer follower.Watch("erp", func() { heard <- struct{}{} })()
	mustSave(t, writer, &record.Record{}, 1)
	<-heard
	if late {
		t.Error("called after stop returned")
	}
}

func contractCancelled(t *testing.T, open func(*testing.T) recordstore.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	st := open(t)
	recordtest.WantErr(t, st.Open(ctx), context.Canceled)
	mustOpen(t, st)
	_, err := st.Load(ctx, "erp")
	recordtest.WantErr(t, err, context.Canceled)
	_, err = st.Lease(ctx, "erp")
	recordtest.WantErr(t, err, context.Canceled)
	recordtest.WantErr(t, st.Save(ctx, "erp", &record.Record{}, 0), context.Canceled)
	recordtest.WantErr(t, st.Replace(ctx, "erp", &record.Record{}, 1, 0), context.Canceled)
	_, err = st.Load(t.Context(), "erp")
	recordtest.WantErr(t, err, recordstore.ErrNotFound)
}

func contractDescribe(t *testing.T, open func(*testing.T) recordstore.Store) {
	if got := open(t).Describe("erp"); !strings.Contains(got, "erp") {
		t.Errorf("got %q, want the place of erp's record", got)
	}
}
