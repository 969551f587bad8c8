package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
				mustSave(t, second, Record{RefreshToken: "R0"}, 0)
			} else {
				mustSave(t, first, Record{RefreshToken: "R0"}, 0)
			}
			journal := Record{RefreshToken: "R1", Attempt: &Attempt{ID: "p-1", RefreshToken: FingerprintOf("R1")}}
			mustSave(t, first, journal, 1)
			if _, err := first.writeTemp(filepath.Join(dir, ".erp"+tempInfix+"KILLED"), mustEncode(t, Record{Client: "erp", Revision: 3, RefreshToken: "R2"}), 0); err != nil {
				t.Fatal(err)
			}

			mustLease(t, second).Release()
			if rec := mustLoad(t, second); rec.RefreshToken != "R2" {
				t.Errorf("%s will be presented, want R2", rec.RefreshToken)
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
	mustSave(t, st, Record{}, 0)
}

func TestAJournalNeedsSpaceForItsAnswerToo(t *testing.T) {
	m := newMemFS(nil)
	st := NewFile("/records")
	st.fs = m
	mustSave(t, st, Record{RefreshToken: "R1"}, 0)
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
	err := st.Save(t.Context(), "erp", Record{RefreshToken: "R1", Attempt: &Attempt{ID: "p-1"}}, 1)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "space for the answer") {
		t.Errorf("got %v, want an error about space for the answer", err)
	}
	if rec := mustLoad(t, st); rec.Revision != 1 {
		t.Errorf("revision %d, want the record as it was", rec.Revision)
	}
	m.fail = nil
	mustSave(t, st, Record{RefreshToken: "R1", Attempt: &Attempt{ID: "p-1"}}, 1)
	if size := len(m.names["erp.json"].data); size > 1000 {
		t.Errorf("the journal has %d bytes, want it without what was to spare", size)
	}
}
