package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

// A writer is killed after its answer was synced and before the rename. Another
// process, which runs on, takes over.
func TestWhoTakesOverFindsTheAnswerOfAWriterThatWasKilled(t *testing.T) {
	for name, watched := range map[string]bool{"a stranger to the record": false, "its follower": true} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			first, second := NewFile(dir), NewFile(dir)
			mustOpen(t, second)
			if watched {
				defer second.Watch("erp", func() {})()
				mustSave(t, second, recordtest.Holding("R0"), 0)
			} else {
				mustSave(t, first, recordtest.Holding("R0"), 0)
			}
			mustSave(t, first, recordtest.Journaling("R1"), 1)
			if _, err := first.writeTemp(filepath.Join(dir, ".erp"+tempInfix+"KILLED"), mustEncode(t, recordtest.Revised(recordtest.Holding("R2"), "erp", 3)), 0); err != nil {
				t.Fatal(err)
			}

			mustLease(t, second).Release()
			if rec := mustLoad(t, second); recordtest.RefreshToken(rec) != "R2" {
				t.Errorf("%s will be presented, want R2", recordtest.RefreshToken(rec))
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".erp"+tempInfix+"*")); len(left) > 0 {
				t.Errorf("%v are left", left)
			}
		})
	}
}

func TestALeaseWhoseDirectoryWasTakenAwayMakesItAnew(t *testing.T) {
	st := tempStore(t)
	mustOpen(t, st)
	if err := os.RemoveAll(st.dir); err != nil {
		t.Fatal(err)
	}
	mustLease(t, st).Release()
	mustSave(t, st, &record.Record{}, 0)
}

func TestAJournalNeedsSpaceForItsAnswerToo(t *testing.T) {
	m := newMemFS(nil)
	st := NewFile("/records")
	st.fs = m
	mustSave(t, st, recordtest.Holding("R1"), 0)
	writes := 0
	m.fail = func(_ int, op string) error {
		if op != "write" {
			return nil
		}
		if writes++; writes == 2 {
			return syscall.ENOSPC // the journal itself fits
		}
		return nil
	}
	err := st.Save(t.Context(), "erp", recordtest.Journaling("R1"), 1)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "64 KiB of space") {
		t.Errorf("got %v, want an error about space for the answer", err)
	}
	if rec := mustLoad(t, st); rec.Revision != 1 {
		t.Errorf("revision %d, want the record as it was", rec.Revision)
	}
	m.fail = nil
	mustSave(t, st, recordtest.Journaling("R1"), 1)
	if size := len(m.names["erp.json"].data); size > 1000 {
		t.Errorf("the journal has %d bytes, want it without what was to spare", size)
	}
}

// As above, but whoever comes next only writes. Over the journal, it would write
// over the only way to see that an answer is there.
func TestWhoSavesFindsTheAnswerOfAWriterThatWasKilled(t *testing.T) {
	first, second := tempStore(t), (*File)(nil)
	second = NewFile(first.dir)
	mustOpen(t, second)
	mustSave(t, first, recordtest.Holding("R0"), 0)
	mustSave(t, first, recordtest.Journaling("R1"), 1)
	temp := plant(t, first, mustEncode(t, recordtest.Revised(recordtest.Holding("R2"), "erp", 3)))

	recordtest.WantErr(t, second.Save(t.Context(), "erp", recordtest.Journaling("R1").Settle(2), 2), recordstore.ErrConflict)
	if rec := mustLoad(t, second); recordtest.RefreshToken(rec) != "R2" || rec.Revision != 3 {
		t.Errorf("got %+v, want the answer", rec)
	}
	if exists(t, temp) {
		t.Error("the temporary file is still there")
	}
	mustSave(t, second, recordtest.Holding("R3"), 3)
}

func TestAJournalOfAKilledWriterIsFinishedWithoutSpaceForItsAnswer(t *testing.T) {
	m := newMemFS(map[string][]byte{
		".erp" + tempInfix + "KILLED": mustEncode(t, recordtest.Revised(recordtest.Journaling("R1"), "erp", 1)),
	})
	writes := 0
	m.fail = func(_ int, op string) error {
		if op == "write" {
			writes++
		}
		if writes > 1 {
			return syscall.ENOSPC
		}
		return nil
	}
	st := onDisk(m)
	mustOpen(t, st)
	if rec := mustLoad(t, st); !rec.Journals() || rec.Revision != 1 {
		t.Errorf("got %+v, want the journal", rec)
	}
}
