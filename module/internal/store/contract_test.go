package store

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestFileKeepsTheContract(t *testing.T) {
	var mu sync.Mutex
	dirs := make(map[string]string)
	testStore(t, func(t *testing.T) Store {
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
func testStore(t *testing.T, open func(t *testing.T) Store) {
	for name, test := range map[string]func(*testing.T, func(*testing.T) Store){
		"a missing record is not found":                 contractNotFound,
		"a saved record comes back":                     contractRoundTrip,
		"save compares before it swaps":                 contractCompareAndSwap,
		"one of many savers wins each revision":         contractOneWinner,
		"names that could escape are refused":           contractNames,
		"clients do not meet":                           contractSeparateClients,
		"a lease excludes other instances":              contractLeaseExcludes,
		"leases of one instance exclude each other":     contractLeaseExcludesWithin,
		"waiting for a lease ends with the context":     contractLeaseContext,
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

func contractNotFound(t *testing.T, open func(*testing.T) Store) {
	st := open(t)
	_, err := st.Load(t.Context(), "erp")
	wantErr(t, err, ErrNotFound)
	mustOpen(t, st)
	_, err = st.Load(t.Context(), "erp")
	wantErr(t, err, ErrNotFound)
}

func contractRoundTrip(t *testing.T, open func(*testing.T) Store) {
	st, other := open(t), open(t)
	mustOpen(t, st)
	mustOpen(t, st)
	want := sampleRecord()
	mustSave(t, st, want, 0)
	want.Revision = 1
	for _, st := range []Store{st, other} {
		if got := mustLoad(t, st); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
}

func contractCompareAndSwap(t *testing.T, open func(*testing.T) Store) {
	st, other := open(t), open(t)
	wantErr(t, st.Save(t.Context(), "erp", Record{}, 1), ErrConflict)
	mustSave(t, st, Record{Generation: 1}, 0)
	wantErr(t, other.Save(t.Context(), "erp", Record{Generation: 9}, 0), ErrConflict)
	mustSave(t, other, Record{Generation: 2}, 1)
	wantErr(t, st.Save(t.Context(), "erp", Record{Generation: 9}, 1), ErrConflict)
	// The same record again is a conflict, too: it was somebody else's.
	wantErr(t, st.Save(t.Context(), "erp", Record{Generation: 2}, 1), ErrConflict)
	if got := mustLoad(t, st); got.Revision != 2 || got.Generation != 2 || got.Client != "erp" {
		t.Errorf("got %+v, want revision 2 of generation 2", got)
	}
}

func contractOneWinner(t *testing.T, open func(*testing.T) Store) {
	shared := open(t)
	stores := []Store{shared, shared, open(t), open(t)}
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

func contractNames(t *testing.T, open func(*testing.T) Store) {
	st := open(t)
	mustOpen(t, st)
	for _, name := range []string{"", ".", "..", "../x", "x/../y", "/x", "A", ".x", "-x", "_x", "a b", "a\x00", "a\n", "ä", `a\b`, strings.Repeat("a", 64)} {
		if _, err := st.Load(t.Context(), name); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("load %q: got %v, want a refusal", name, err)
		}
		if err := st.Save(t.Context(), name, Record{}, 0); err == nil {
			t.Errorf("save %q: want a refusal", name)
		}
		if _, err := st.Lease(t.Context(), name); err == nil {
			t.Errorf("lease %q: want a refusal", name)
		}
		st.Watch(name, func() { t.Errorf("watch %q: was called", name) })()
	}
	for _, name := range []string{"a", "0", "a.b-c_d", "a.json", "a.lock", "a.json.tmp-b", strings.Repeat("a", 63)} {
		if err := st.Save(t.Context(), name, Record{}, 0); err != nil {
			t.Errorf("save %q: %v", name, err)
		}
		if _, err := st.Load(t.Context(), name); err != nil {
			t.Errorf("load %q: %v", name, err)
		}
	}
}

func contractSeparateClients(t *testing.T, open func(*testing.T) Store) {
	st := open(t)
	mustLease(t, st)
	lease, err := st.Lease(timeout(t, patience), "crm")
	if err != nil {
		t.Fatal(err)
	}
	lease.Release()
	if err := st.Save(t.Context(), "crm", Record{Client: "erp"}, 0); err == nil {
		t.Error("the record of erp was saved as that of crm")
	}
}

func contractWatch(t *testing.T, open func(*testing.T) Store) {
	writer, follower := open(t), open(t)
	mustOpen(t, writer)
	called := make(chan struct{}, 100)
	defer follower.Watch("erp", func() { called <- struct{}{} })()
	defer follower.Watch("crm", func() { t.Error("the watcher of another record was called") })()
	for rev := range uint64(3) {
		mustSave(t, writer, Record{Generation: rev + 1}, rev)
		select {
		case <-called:
		case <-time.After(time.Second):
			t.Fatal("not called within a second")
		}
		if got := mustLoad(t, follower); got.Generation != rev+1 {
			t.Errorf("got generation %d when called, want %d", got.Generation, rev+1)
		}
	}
}

func contractWatchStop(t *testing.T, open func(*testing.T) Store) {
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
	mustSave(t, writer, Record{}, 0)
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
	mustSave(t, writer, Record{}, 1)
	<-heard
	if late {
		t.Error("called after stop returned")
	}
}

func contractCancelled(t *testing.T, open func(*testing.T) Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	st := open(t)
	wantErr(t, st.Open(ctx), context.Canceled)
	mustOpen(t, st)
	_, err := st.Load(ctx, "erp")
	wantErr(t, err, context.Canceled)
	_, err = st.Lease(ctx, "erp")
	wantErr(t, err, context.Canceled)
	wantErr(t, st.Save(ctx, "erp", Record{}, 0), context.Canceled)
	_, err = st.Load(t.Context(), "erp")
	wantErr(t, err, ErrNotFound)
}

func contractDescribe(t *testing.T, open func(*testing.T) Store) {
	if got := open(t).Describe("erp"); !strings.Contains(got, "erp") {
		t.Errorf("got %q, want the place of erp's record", got)
	}
}

// sampleRecord has a value in every field.
func sampleRecord() Record {
	at := time.Date(2026, time.February, 3, 4, 5, 6, 789, time.UTC)
	fp := FingerprintOf
	return Record{
		Client:                "erp",
		Generation:            7,
		Binding:               Binding{Grant: fp("grant"), Request: fp("request"), TokenEndpoint: "https://as.example/token"},
		RefreshToken:          "<refresh&token>\u2028",
		RefreshTokenExpiresAt: at.Add(time.Hour),
		Token: &Token{
			AccessToken: "access token", IDToken: "id token", TokenType: "Bearer", Scope: "a b",
			ObtainedAt: at, ExpiresAt: at.Add(time.Minute), Unusable: "characters",
			Response: map[string]string{"tenant.id": "t\xff", "": "base64:"},
		},
		Seeds:   []Fingerprint{fp("seed")},
		Spent:   []Fingerprint{fp("spent"), fp("too")},
		Attempt: &Attempt{ID: "process-1", RefreshToken: fp("seed"), At: at, Unanswered: at.Add(-time.Second), UnansweredBy: "process-0"},
		Lost:    &Loss{Cause: "refused", Detail: "the server said so", At: at, RefreshToken: fp("seed")},
	}
}
