package filestore

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

func contractLeaseExcludes(t *testing.T, open func(*testing.T) recordstore.Store) {
	lease := mustLease(t, open(t))
	other := open(t)
	_, err := other.Lease(t.Context(), "erp")
	recordtest.WantErr(t, err, recordstore.ErrBusy)
	lease.Release()
	mustLease(t, other)
}

func contractLeaseExcludesWithin(t *testing.T, open func(*testing.T) recordstore.Store) {
	st := open(t)
	var wg sync.WaitGroup
	holders, most := 0, 0
	var mu sync.Mutex
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		holders += by
		most = max(most, holders)
	}
	for range 8 {
		wg.Go(func() {
			lease, err := awaitLease(timeout(t, patience), st)
			if err != nil {
				t.Error(err)
				return
			}
			count(1)
			if err := lease.Lost(); err != nil {
				t.Error(err)
			}
			count(-1)
			lease.Release()
		})
	}
	wg.Wait()
	if most != 1 {
		t.Errorf("%d held the lease at once", most)
	}
}

func contractLeaseBusy(t *testing.T, open func(*testing.T) recordstore.Store) {
	st := open(t)
	lease := mustLease(t, st)
	for _, st := range []recordstore.Store{st, open(t)} {
		for range 2 {
			_, err := st.Lease(t.Context(), "erp")
			recordtest.WantErr(t, err, recordstore.ErrBusy, "erp")
		}
	}
	if err := lease.Lost(); err != nil {
		t.Errorf("asking for it has ended the lease: %v", err)
	}
	lease.Release()
	mustLease(t, open(t)).Release()
	mustLease(t, st)
}

func contractLeaseLost(t *testing.T, open func(*testing.T) recordstore.Store) {
	st := open(t)
	lease := mustLease(t, st)
	if err := lease.Lost(); err != nil {
		t.Errorf("held lease is lost: %v", err)
	}
	lease.Release()
	if lease.Lost() == nil {
		t.Error("released lease is not lost")
	}
}

func contractReleaseTwice(t *testing.T, open func(*testing.T) recordstore.Store) {
	st := open(t)
	first := mustLease(t, st)
	first.Release()
	second := mustLease(t, st)
	first.Release()
	if err := second.Lost(); err != nil {
		t.Errorf("the second release of the first lease ended the second: %v", err)
	}
	_, err := open(t).Lease(t.Context(), "erp")
	recordtest.WantErr(t, err, recordstore.ErrBusy)
}

func contractSaveAndLease(t *testing.T, open func(*testing.T) recordstore.Store) {
	st := open(t)
	mustSave(t, st, &record.Record{}, 0)
	lease := mustLease(t, st)
	mustSave(t, st, &record.Record{}, 1)
	mustSave(t, st, &record.Record{}, 2)
	lease.Release()
	mustSave(t, st, &record.Record{}, 3)
	mustSave(t, open(t), &record.Record{}, 4)
}

func contractSaveWaits(t *testing.T, open func(*testing.T) recordstore.Store) {
	holder, other := open(t), open(t)
	lease := mustLease(t, holder)
	recordtest.WantErr(t, other.Save(timeout(t, 60*time.Millisecond), "erp", &record.Record{}, 0), context.DeadlineExceeded)
	saved := make(chan error)
	go func() { saved <- other.Save(timeout(t, patience), "erp", &record.Record{}, 1) }()
	mustSave(t, holder, &record.Record{}, 0)
	lease.Release()
	if err := <-saved; err != nil {
		t.Error(err)
	}
}

func contractSaveDuringRelease(t *testing.T, open func(*testing.T) recordstore.Store) {
	st, other := open(t), open(t)
	var rev uint64
	for range 20 {
		lease := mustLease(t, st)
		var wg sync.WaitGroup
		results := make([]error, 2)
		wg.Go(func() { results[0] = st.Save(timeout(t, patience), "erp", &record.Record{}, rev) })
		wg.Go(func() { results[1] = other.Save(timeout(t, patience), "erp", &record.Record{}, rev) })
		lease.Release()
		wg.Wait()
		rev++
		won := 0
		for _, err := range results {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, recordstore.ErrConflict):
				t.Fatal(err)
			}
		}
		if got := mustLoad(t, st); won != 1 || got.Revision != rev {
			t.Fatalf("%d saves won, revision is %d, want 1 and %d", won, got.Revision, rev)
		}
	}
}
