package filestore

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

func TestALeaseIsLostWithItsLockFile(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"deleted": os.Remove,
		"replaced": func(path string) error {
			if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			st := tempStore(t)
			lease := mustLease(t, st)
			path := st.lockPath("erp")
			if err := harm(path); err != nil {
				t.Fatal(err)
			}
			recordtest.WantErr(t, lease.Lost(), errReplaced, path)

			// Others lock the new file, and Save respects them.
			other := mustLease(t, NewFile(st.dir))
			recordtest.WantErr(t, st.Save(timeout(t, 60*time.Millisecond), "erp", &record.Record{}, 0), context.DeadlineExceeded)
			other.Release()
			mustSave(t, st, &record.Record{}, 0)
			lease.Release()
			mustLease(t, st)
		})
	}
}

func TestALockOnAReplacedFileIsNoLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erp.lock")
	old := flock.New(path)
	if ok, err := old.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	lock, err := confirmed(path, old)
	if lock != nil || err != nil {
		t.Errorf("got %v and %v, want no lock", lock, err)
	}
	if old.Locked() {
		t.Error("the old file is still locked")
	}
}

func TestASaveKeepsTheLockOfALeaseThatIsReleasedMeanwhile(t *testing.T) {
	st := tempStore(t)
	lease := mustLease(t, st)
	entry, done := st.entry("erp")
	defer done()
	unlock, err := st.exclude(t.Context(), entry, "erp")
	if err != nil {
		t.Fatal(err)
	}
	lease.Release()
	if lock, err := (osFS{}).tryLock(st.lockPath("erp")); lock != nil || err != nil {
		t.Fatalf("got %v and %v while the save goes on, want no lock", lock, err)
	}
	unlock()
	mustLease(t, NewFile(st.dir)).Release()
}

func TestNothingIsRememberedOfARecordThatIsLeftAlone(t *testing.T) {
	st := tempStore(t)
	lease := mustLease(t, st)
	mustSave(t, st, &record.Record{}, 0)
	lease.Release()
	mustSave(t, st, &record.Record{}, 1)
	if n := len(st.entries); n != 0 {
		t.Errorf("there are %d entries, want none", n)
	}
}

func TestLockFilesStay(t *testing.T) {
	st := tempStore(t)
	lease := mustLease(t, st)
	mustSave(t, st, &record.Record{}, 0)
	lease.Release()
	if !exists(t, st.lockPath("erp")) {
		t.Error("the lock file is gone")
	}
}

// The Save may be waiting, for as long as another process holds the lease.
func TestALeaseDoesNotWaitForASaveOfThisProcess(t *testing.T) {
	st := tempStore(t)
	mustOpen(t, st)
	e, done := st.entry("erp")
	defer done()
	if err := e.saving.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := st.Lease(timeout(t, patience), "erp")
	recordtest.WantErr(t, err, recordstore.ErrBusy)
	e.saving.unlock()
	mustLease(t, st)
}
