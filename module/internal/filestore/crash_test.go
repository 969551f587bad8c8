package filestore

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

var errDisk = errors.New("disk trouble")

func onDisk(disk fileSystem) *File {
	f := NewFile("records")
	f.fs = disk
	return f
}

// span is one Save as the disk saw it: what it had done before and after.
type span struct {
	from, to int
	revision uint64
	ok       bool
}

// bounds returns which revisions may be found after a crash behind the first n
// operations: not less than the last completed Save's, not more than the last
// one begun.
func bounds(saves []span, n int) (low, high uint64) {
	for _, s := range saves {
		if s.ok && s.to <= n {
			low = s.revision
		}
		if s.from < n {
			high = max(high, s.revision)
		}
	}
	return low, max(low, high)
}

func TestNoCrashLosesARecordThatWasSaved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		disk := newMemFS(nil)
		st := onDisk(disk)
		if err := st.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		faultAt := rapid.IntRange(-1, 16).Draw(t, "fault at")
		first := disk.at
		disk.fail = func(at int, _ string) error {
			if at-first == faultAt {
				return errDisk
			}
			return nil
		}
		var saves []span
		revision := uint64(0)
		for range rapid.IntRange(1, 3).Draw(t, "saves") {
			rec := recordtest.Written(recordtest.Holding(rapid.StringN(0, 40, -1).Draw(t, "refresh token")), fmt.Sprint("write ", revision))
			for attempt := 1; ; attempt++ {
				s := span{from: disk.writes(), revision: revision + 1}
				err := st.Save(t.Context(), "erp", rec, revision)
				s.to, s.ok = disk.writes(), err == nil
				saves = append(saves, s)
				if err == nil {
					break
				}
				if !errors.Is(err, errDisk) || attempt > 1 {
					t.Fatalf("attempt %d: %v", attempt, err)
				}
				if n := strings.Count(fmt.Sprint(disk.list("")), ".tmp-"); n > 0 {
					t.Fatalf("a failed save left %d temporary files", n)
				}
			}
			revision++
		}
		for n := range len(disk.log) + 1 {
			low, high := bounds(saves, n)
			for _, image := range crashed(disk.log[:n]) {
				checkImage(t, image, low, high)
			}
		}
	})
}

// checkImage reads a record both at once and after Open, which may finish what
// was begun, and goes on with it.
func checkImage(t *rapid.T, image map[string][]byte, low, high uint64) {
	st := onDisk(newMemFS(image))
	before := loadRevision(t, st, image)
	if err := st.Open(t.Context()); err != nil {
		t.Fatalf("%q: %v", image, err)
	}
	after := loadRevision(t, st, image)
	if before < low || after < before || after > high {
		t.Fatalf("found revision %d, then %d after Open, want %d to %d in %q", before, after, low, high, image)
	}
	if left, _ := st.fs.list(""); len(left) > 1 {
		t.Fatalf("Open left %q", left)
	}
	if err := st.Save(t.Context(), "erp", &record.Record{}, after); err != nil {
		t.Fatalf("cannot go on: %v", err)
	}
}

func loadRevision(t *rapid.T, st recordstore.Store, image map[string][]byte) uint64 {
	rec, err := stored(t.Context(), st)
	if err != nil {
		t.Fatalf("%v in %q", err, image)
	}
	return rec.Revision
}

func TestTheCrashTestNoticesAMissingSync(t *testing.T) {
	for _, forgotten := range []string{"sync", "syncDir"} {
		disk := newMemFS(nil)
		st := onDisk(disk)
		mustSave(t, st, recordtest.Holding("rt"), 0)
		var ops []memOp
		for _, op := range disk.log {
			if op.kind != forgotten {
				ops = append(ops, op)
			}
		}
		lost := false
		for _, image := range crashed(ops) {
			_, err := onDisk(newMemFS(image)).Load(t.Context(), "erp")
			lost = lost || err != nil
		}
		if !lost {
			t.Errorf("without %s nothing seems to be lost", forgotten)
		}
	}
}

func TestAFailedSaveSaysSoAndChangesNothing(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "rename"} {
		t.Run(op, func(t *testing.T) {
			disk := newMemFS(nil)
			st := onDisk(disk)
			mustSave(t, st, recordtest.Holding("old"), 0)
			disk.fail = func(_ int, kind string) error {
				if kind == op {
					return errDisk
				}
				return nil
			}
			rec := recordtest.Holding("new secret")
			err := st.Save(t.Context(), "erp", rec, 1)
			recordtest.WantErr(t, err, errDisk, "erp.json")
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q quotes the record", err)
			}
			if left, _ := disk.list(""); len(left) != 1 {
				t.Errorf("it left %q", left)
			}
			if got := mustLoad(t, st); recordtest.RefreshToken(got) != "old" || got.Revision != 1 {
				t.Errorf("got %+v, want the old record", got)
			}
			disk.fail = nil
			mustSave(t, st, rec, 1)
		})
	}
}

func TestASaveThatCouldNotBeMadeDurableIsRepeatedInFull(t *testing.T) {
	disk := newMemFS(nil)
	st := onDisk(disk)
	mustSave(t, st, &record.Record{}, 0)
	disk.fail = func(_ int, kind string) error {
		if kind == "syncDir" {
			return errDisk
		}
		return nil
	}
	rec := recordtest.Written(recordtest.Holding("new"), "w-1")
	recordtest.WantErr(t, st.Save(t.Context(), "erp", rec, 1), errDisk)
	disk.fail = nil

	// Another record is a conflict: somebody may have read the first one.
	recordtest.WantErr(t, st.Save(t.Context(), "erp", recordtest.Written(recordtest.Holding("other"), "w-2"), 1), recordstore.ErrConflict)
	// So is the same one from elsewhere.
	recordtest.WantErr(t, onDisk(disk).Save(t.Context(), "erp", rec, 1), recordstore.ErrConflict)

	before := disk.writes()
	mustSave(t, st, rec, 1)
	var did []string
	for _, op := range disk.log[before:] {
		did = append(did, op.kind)
	}
	if got := strings.Join(did, " "); got != "create write sync rename syncDir" {
		t.Errorf("it did %q, want the whole sequence", got)
	}
	if got := mustLoad(t, st); got.Revision != 2 || recordtest.RefreshToken(got) != "new" {
		t.Errorf("got %+v", got)
	}
	recordtest.WantErr(t, st.Save(t.Context(), "erp", rec, 1), recordstore.ErrConflict)
}

func TestARepeatedSaveDoesNotTurnARevisionBack(t *testing.T) {
	disk := newMemFS(nil)
	st := onDisk(disk)
	mustSave(t, st, &record.Record{}, 0)
	disk.fail = func(_ int, kind string) error {
		if kind == "syncDir" {
			return errDisk
		}
		return nil
	}
	rec := recordtest.Written(recordtest.Holding("new"), "w-1")
	recordtest.WantErr(t, st.Save(t.Context(), "erp", rec, 1), errDisk)
	disk.fail = nil
	recordtest.WantErr(t, st.Save(t.Context(), "erp", rec, 0), recordstore.ErrConflict)
	mustSave(t, st, rec, 1)
}
