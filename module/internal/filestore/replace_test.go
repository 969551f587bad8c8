package filestore

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

const damage = `{"format":2,"sha`

// damaged returns a store whose record "erp" is torn.
func damaged(t *testing.T) *File {
	t.Helper()
	st := tempStore(t)
	mustSave(t, st, recordtest.Holding("old"), 0)
	writeFile(t, st.Describe("erp"), []byte(damage))
	return st
}

func aside(st *File) string { return st.Describe("erp") + ".damaged" }

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v), want %q", path, got, err, want)
	}
}

func TestReplaceWritesOverADamagedRecordAndKeepsACopy(t *testing.T) {
	for _, leased := range []bool{false, true} {
		st := damaged(t)
		if leased {
			mustLease(t, st)
		}
		for revision, damage := range map[uint64]string{7: damage, 3: "\x00\x00\x00"} {
			writeFile(t, st.Describe("erp"), []byte(damage))
			if err := st.Replace(t.Context(), "erp", recordtest.Holding("living"), revision, revision-1); err != nil {
				t.Fatal(err)
			}
			if got := mustLoad(t, NewFile(st.dir)); recordtest.RefreshToken(got) != "living" || got.Revision != revision || got.Client != "erp" {
				t.Errorf("got %+v, want revision %d", got, revision)
			}
			wantFile(t, aside(st), damage) // the one of the last time
			mustSave(t, st, recordtest.Holding("next"), revision)
		}
		if names := fmt.Sprint(mustList(t, st)); strings.Contains(names, "tmp") {
			t.Errorf("left are %s", names)
		}
	}
}

func TestReplaceNeedsNoRecord(t *testing.T) {
	st := tempStore(t)
	if err := st.Replace(t.Context(), "erp", recordtest.Holding("living"), 4, 3); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, st); got.Revision != 4 || recordtest.RefreshToken(got) != "living" {
		t.Errorf("got %+v", got)
	}
	if exists(t, aside(st)) {
		t.Error("nothing was set aside")
	}
}

// A record of that revision is known to the caller, who thinks it somebody else's.
func TestReplaceSetsAsideARecordThatCanBeRead(t *testing.T) {
	st := tempStore(t)
	mustSave(t, NewFile(st.dir), recordtest.Holding("theirs"), 0)
	theirs, err := os.ReadFile(st.Describe("erp"))
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Replace(t.Context(), "erp", recordtest.Holding("ours"), 2, 1); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, st); got.Revision != 2 || recordtest.RefreshToken(got) != "ours" {
		t.Errorf("got %+v", got)
	}
	wantFile(t, aside(st), string(theirs))
}

// Two holders see the damage. What the first one has written in its place, and
// since, the second one has not read.
func TestReplaceDoesNotWriteOverWhatAnotherHolderHasMended(t *testing.T) {
	st := damaged(t)
	other := NewFile(st.dir)
	if err := other.Replace(t.Context(), "erp", recordtest.Holding("R1"), 2, 1); err != nil {
		t.Fatal(err)
	}
	recordtest.WantErr(t, st.Replace(t.Context(), "erp", recordtest.Holding("old"), 2, 1), recordstore.ErrConflict)
	mustSave(t, other, recordtest.Holding("R2"), 2)
	recordtest.WantErr(t, st.Replace(t.Context(), "erp", recordtest.Holding("old"), 2, 1), recordstore.ErrConflict)
	if got := mustLoad(t, st); recordtest.RefreshToken(got) != "R2" || got.Revision != 3 {
		t.Errorf("got %+v, want what the other holder wrote", got)
	}
	wantFile(t, aside(st), damage)
}

func TestReplaceLeavesAloneWhatIsWholeAndNotOurs(t *testing.T) {
	key, _ := recordtest.NewKey(t)
	ciphertext, err := recordstore.Encode(recordtest.Revised(recordtest.Holding("theirs"), "erp", 1), recordtest.Keys(t, key), recordstore.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	put := func(data []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) { writeFile(t, path, data) }
	}
	for name, test := range map[string]struct {
		want error
		put  func(t *testing.T, path string)
	}{
		"encrypted for another key": {recordstore.ErrForeign, put(ciphertext)},
		"another client's":          {recordstore.ErrForeign, put(mustEncode(t, recordtest.Revised(recordtest.Holding("theirs"), "crm", 1)))},
		"a newer version's":         {recordstore.ErrNewer, put(recordtest.Enveloped(3, `{"client":"erp","revision":1}`))},
		"a symbolic link": {recordstore.ErrForeign, func(t *testing.T, path string) {
			writeFile(t, path+".real", []byte(damage))
			if err := os.Symlink(path+".real", path); err != nil {
				t.Fatal(err)
			}
		}},
		"a directory": {recordstore.ErrForeign, func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
		"damaged, and open to others": {recordstore.ErrExposed, func(t *testing.T, path string) {
			writeFile(t, path, []byte(damage))
			if err := os.Chmod(path, 0o640); err != nil {
				t.Fatal(err)
			}
		}},
		"whole, and open to others": {recordstore.ErrExposed, func(t *testing.T, path string) {
			writeFile(t, path, mustEncode(t, recordtest.Revised(recordtest.Holding("theirs"), "erp", 1)))
			if err := os.Chmod(path, 0o604); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			st := tempStore(t)
			mustOpen(t, st)
			test.put(t, st.Describe("erp"))
			before, _ := os.ReadFile(st.Describe("erp"))
			for _, revision := range []uint64{1, 2, 9} {
				err := st.Replace(t.Context(), "erp", recordtest.Holding("ours"), revision, revision-1)
				recordtest.WantErr(t, err, recordstore.ErrUnreadable, st.Describe("erp"))
				recordtest.WantErr(t, err, test.want)
			}
			if now, _ := os.ReadFile(st.Describe("erp")); !bytes.Equal(now, before) {
				t.Errorf("it is now %q", now)
			}
			if exists(t, aside(st)) {
				t.Error("it was copied")
			}
			_, err := st.Load(t.Context(), "erp")
			recordtest.WantErr(t, err, test.want)
		})
	}
}

// What is no damage, only trouble of the disk, is not written over.
func TestReplaceDoesNotTakeAnErrorOfTheDiskForDamage(t *testing.T) {
	st := damaged(t)
	st.fs = &unreadableDisk{fileSystem: osFS{}}
	recordtest.WantErr(t, st.Replace(t.Context(), "erp", recordtest.Holding("living"), 2, 1), syscall.EIO)
	wantFile(t, st.Describe("erp"), damage)
}

type unreadableDisk struct{ fileSystem }

func (*unreadableDisk) read(string, int64) ([]byte, fs.FileInfo, error) {
	return nil, nil, syscall.EIO
}

func TestAFailedReplaceSaysSoAndChangesNothing(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "rename"} {
		for nth := 1; nth <= 2; nth++ { // of the copy, and of the record
			t.Run(fmt.Sprint(op, nth), func(t *testing.T) {
				disk := damagedDisk(t)
				st := onDisk(disk)
				seen := 0
				disk.fail = func(_ int, kind string) error {
					if kind == op {
						seen++
					}
					if kind == op && seen == nth {
						return syscall.ENOSPC
					}
					return nil
				}
				err := st.Replace(t.Context(), "erp", recordtest.Holding("new secret"), 2, 1)
				recordtest.WantErr(t, err, syscall.ENOSPC, "erp.json")
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("%q quotes the record", err)
				}
				if got := disk.content("erp.json"); got != damage {
					t.Errorf("the record is %q", got)
				}
				if left := fmt.Sprint(disk.list("")); strings.Contains(left, "tmp") {
					t.Errorf("it left %s", left)
				}
				disk.fail = nil
				if err := st.Replace(t.Context(), "erp", recordtest.Holding("new secret"), 2, 1); err != nil {
					t.Fatal(err)
				}
				if got := disk.content("erp.json.damaged"); got != damage {
					t.Errorf("the copy is %q", got)
				}
			})
		}
	}
}

// The rename was done, and may not last: the copy must not be written over by a
// copy of the new record.
func TestAReplaceThatCouldNotBeMadeDurableIsRepeatedInFull(t *testing.T) {
	disk := damagedDisk(t)
	st := onDisk(disk)
	renamed := 0
	disk.fail = func(_ int, kind string) error {
		if kind == "rename" {
			renamed++
		}
		if kind == "syncDir" && renamed == 2 {
			return errDisk
		}
		return nil
	}
	rec := recordtest.Written(recordtest.Holding("living"), "w-1")
	recordtest.WantErr(t, st.Replace(t.Context(), "erp", rec, 2, 1), errDisk)
	disk.fail = nil
	recordtest.WantErr(t, st.Replace(t.Context(), "erp", recordtest.Written(recordtest.Holding("other"), "w-2"), 2, 1), recordstore.ErrConflict)
	before := disk.writes()
	if err := st.Replace(t.Context(), "erp", rec, 2, 1); err != nil {
		t.Fatal(err)
	}
	if got := kinds(disk.log[before:]); got != "create write sync rename syncDir" {
		t.Errorf("it did %q, want the record's whole sequence, and no other", got)
	}
	if got := disk.content("erp.json.damaged"); got != damage {
		t.Errorf("the copy is %q", got)
	}
	if got := mustLoad(t, st); got.Revision != 2 || recordtest.RefreshToken(got) != "living" {
		t.Errorf("got %+v", got)
	}
}

func TestAJournalThatReplacesNeedsSpaceForItsAnswerToo(t *testing.T) {
	disk := damagedDisk(t)
	st := onDisk(disk)
	writes := 0
	disk.fail = func(_ int, op string) error {
		if op == "write" {
			writes++
		}
		if writes == 3 { // the copy and the journal itself fit
			return syscall.ENOSPC
		}
		return nil
	}
	recordtest.WantErr(t, st.Replace(t.Context(), "erp", recordtest.Journaling("R1"), 2, 1), syscall.ENOSPC, "64 KiB of space")
	if got := disk.content("erp.json"); got != damage {
		t.Errorf("the record is %q", got)
	}
}

// damagedDisk is one whose record is torn, durably.
func damagedDisk(t rapid.TB) *memFS {
	disk := newMemFS(nil)
	putDurably(t, disk, damage)
	return disk
}

func putDurably(t rapid.TB, disk *memFS, data string) {
	st := onDisk(disk)
	if _, err := st.writeTemp(".erp"+tempInfix+"PUT", []byte(data), 0); err != nil {
		t.Fatal(err)
	}
	if err := disk.rename(".erp"+tempInfix+"PUT", "erp.json"); err != nil {
		t.Fatal(err)
	}
	if err := disk.syncDir(""); err != nil {
		t.Fatal(err)
	}
}

func kinds(ops []memOp) string {
	var did []string
	for _, op := range ops {
		did = append(did, op.kind)
	}
	return strings.Join(did, " ")
}

// Whenever the power fails, there is the damaged record or the new one, and with
// the new one a whole copy of the damaged one.
func TestNoCrashDuringReplaceLosesTheOldAndTheNewRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		disk := damagedDisk(t)
		st := onDisk(disk)
		if err := st.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		old, first := "", damage
		if rapid.Bool().Draw(t, "for the second time") {
			if err := st.Replace(t.Context(), "erp", recordtest.Holding("R0"), 5, 4); err != nil {
				t.Fatal(err)
			}
			old, first = damage, "damaged anew"
			putDurably(t, disk, first)
		}
		faultAt, begin := rapid.IntRange(-1, 10).Draw(t, "fault at"), disk.at
		disk.fail = func(at int, _ string) error {
			if at-begin == faultAt {
				return errDisk
			}
			return nil
		}
		rec := recordtest.Written(recordtest.Holding(rapid.StringN(0, 40, -1).Draw(t, "refresh token")), "w-1")
		from := len(disk.log)
		err := st.Replace(t.Context(), "erp", rec, 9, 8)
		if err != nil {
			err = st.Replace(t.Context(), "erp", rec, 9, 8)
		}
		if err != nil {
			t.Fatal(err)
		}
		for n := from; n <= len(disk.log); n++ {
			for _, image := range crashed(disk.log[:n]) {
				if err := checkReplaced(t.Context(), image, old, first, n == len(disk.log)); err != nil {
					t.Fatalf("after %q: %v", kinds(disk.log[from:n]), err)
				}
			}
		}
	})
}

// checkReplaced looks at a disk on which damage was replaced, and what was set aside
// before.
func checkReplaced(ctx context.Context, image map[string][]byte, before, damage string, done bool) error {
	disk := newMemFS(image)
	st := onDisk(disk)
	for range 2 { // at once, and after Open
		rec, err := st.Load(ctx, "erp")
		copied := disk.content("erp.json.damaged")
		switch {
		case err == nil && (rec.Revision != 9 || copied != damage):
			return fmt.Errorf("there is %+v, and a copy %q", rec, copied)
		case err != nil && (done || disk.content("erp.json") != damage):
			return fmt.Errorf("%w in %q", err, image)
		case copied != before && copied != damage:
			return fmt.Errorf("the copy is %q", copied)
		}
		if err := st.Open(ctx); err != nil {
			return err
		}
	}
	if rec, err := st.Load(ctx, "erp"); err == nil {
		return st.Replace(ctx, "erp", rec, rec.Revision+1, rec.Revision)
	}
	return st.Replace(ctx, "erp", recordtest.Holding("again"), 9, 8)
}

// content returns what a file holds, "" if there is none.
func (m *memFS) content(name string) string {
	if f, ok := m.names[name]; ok {
		return string(f.data)
	}
	return ""
}

func TestTheCrashTestOfReplaceNoticesAMissingSync(t *testing.T) {
	disk := damagedDisk(t)
	st := onDisk(disk)
	mustOpen(t, st)
	from := len(disk.log)
	if err := st.Replace(t.Context(), "erp", recordtest.Holding("living"), 9, 8); err != nil {
		t.Fatal(err)
	}
	for i := from; i < len(disk.log); i++ {
		if kind := disk.log[i].kind; kind != "sync" && kind != "syncDir" {
			continue
		}
		ops := append(append([]memOp(nil), disk.log[:i]...), disk.log[i+1:]...)
		noticed := false
		for n := from; n <= len(ops); n++ {
			for _, image := range crashed(ops[:n]) {
				noticed = noticed || checkReplaced(t.Context(), image, "", damage, n == len(ops)) != nil
			}
		}
		if !noticed {
			t.Errorf("without the %s after %q nothing seems to be lost", disk.log[i].kind, kinds(disk.log[from:i]))
		}
	}
}

// What this process remembers of revisions says nothing of a record that it could not
// read, and that another holder has mended meanwhile, with whatever revision.
func TestReplaceOfADamagedRecordLeavesEveryReadableOneAlone(t *testing.T) {
	st := tempStore(t)
	mustSave(t, st, recordtest.Holding("mended"), 0)
	recordtest.WantErr(t, st.Replace(t.Context(), "erp", recordtest.Holding("old"), 2, 0), recordstore.ErrConflict)
	if got := mustLoad(t, st); recordtest.RefreshToken(got) != "mended" {
		t.Errorf("got %+v", got)
	}
}
