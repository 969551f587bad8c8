package filestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

// plant puts a temporary file beside the record, as a crashed writer leaves it.
func plant(t *testing.T, st *File, data []byte) string {
	t.Helper()
	path := filepath.Join(st.dir, ".erp"+tempInfix+"CRASHED")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefusesWhatIsNoDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	st := NewFile(path)
	recordtest.WantErr(t, st.Open(t.Context()), nil, path, "not a directory")
	if NewFile(filepath.Join(path, "below")).Open(t.Context()) == nil {
		t.Error("a directory below a file was opened")
	}
	recordtest.WantErr(t, st.Save(t.Context(), "erp", &record.Record{}, 0), nil, path)
	_, err := st.Lease(t.Context(), "erp")
	recordtest.WantErr(t, err, nil, path)
}

func TestOpenNamesThePlaceThatCannotLock(t *testing.T) {
	for name, disk := range map[string]*faulty{
		"unsupported":       {fileSystem: osFS{}, lockErr: errors.ErrUnsupported},
		"granted to anyone": {fileSystem: osFS{}, grantAll: true},
	} {
		t.Run(name, func(t *testing.T) {
			st := tempStore(t)
			st.fs = disk
			recordtest.WantErr(t, st.Open(t.Context()), recordstore.ErrNoLocks, st.dir)
			recordtest.WantErr(t, st.Save(t.Context(), "erp", &record.Record{}, 0), recordstore.ErrNoLocks, st.dir)
			_, err := st.Lease(t.Context(), "erp")
			recordtest.WantErr(t, err, recordstore.ErrNoLocks, st.dir)
		})
	}
}

func TestWhatKeepsOpenFromSucceedingMayPass(t *testing.T) {
	for name, disk := range map[string]*faulty{
		"mkdir": {fileSystem: osFS{}, mkdirErr: errDisk},
		"lock":  {fileSystem: osFS{}, lockErr: errDisk},
		"sync":  {fileSystem: osFS{}, syncErr: errDisk},
	} {
		t.Run(name, func(t *testing.T) {
			st := tempStore(t)
			st.fs = disk
			err := st.Open(t.Context())
			recordtest.WantErr(t, err, errDisk)
			if errors.Is(err, recordstore.ErrNoLocks) {
				t.Errorf("%q is final, want one that may pass", err)
			}
			recordtest.WantErr(t, st.Save(t.Context(), "erp", &record.Record{}, 0), errDisk)
			st.fs = osFS{}
			mustSave(t, st, &record.Record{}, 0)
		})
	}
}

func TestOpenFinishesWhatACrashedWriterHadWrittenInFull(t *testing.T) {
	for stored := range uint64(2) {
		st := tempStore(t)
		mustOpen(t, st)
		if stored == 1 {
			mustSave(t, st, recordtest.Holding("spent"), 0)
		}
		temp := plant(t, st, mustEncode(t, recordtest.Revised(recordtest.Holding("living"), "erp", stored+1)))
		again := NewFile(st.dir)
		mustOpen(t, again)
		if got := mustLoad(t, again); got.Revision != stored+1 || recordtest.RefreshToken(got) != "living" {
			t.Errorf("got %+v, want what the crashed process had received", got)
		}
		if exists(t, temp) {
			t.Error("the temporary file is still there")
		}
	}
}

func TestOpenRemovesWhatNobodyNeeds(t *testing.T) {
	whole := func(client string, rev uint64) []byte {
		return mustEncode(t, recordtest.Revised(recordtest.Holding("other"), client, rev))
	}
	for name, data := range map[string][]byte{
		"empty":            nil,
		"torn":             whole("erp", 2)[:60],
		"same revision":    whole("erp", 1),
		"revision skipped": whole("erp", 3),
		"another client":   whole("crm", 2),
	} {
		t.Run(name, func(t *testing.T) {
			st := tempStore(t)
			mustSave(t, st, recordtest.Holding("living"), 0)
			temp := plant(t, st, data)
			mustOpen(t, NewFile(st.dir))
			if exists(t, temp) {
				t.Error("the temporary file is still there")
			}
			if got := mustLoad(t, st); got.Revision != 1 || recordtest.RefreshToken(got) != "living" {
				t.Errorf("got %+v, want the record as before", got)
			}
		})
	}
}

func TestOpenLeavesAloneWhatMayBeNeeded(t *testing.T) {
	next := mustEncode(t, &record.Record{Client: "erp", Revision: 2})
	for name, test := range map[string]struct {
		data    []byte
		prepare func(*File)
	}{
		"its writer lives":            {next, func(st *File) { mustLease(t, st) }},
		"a newer version's":           {recordtest.Enveloped(9, `{}`), nil},
		"an encrypted one":            {recordtest.Enveloped(1, `"age"`), nil},
		"beside a damaged record":     {next, func(st *File) { _ = os.WriteFile(st.Describe("erp"), nil, 0o600) }},
		"beside a newer one's record": {next, func(st *File) { _ = os.WriteFile(st.Describe("erp"), recordtest.Enveloped(9, `{}`), 0o600) }},
	} {
		t.Run(name, func(t *testing.T) {
			st := tempStore(t)
			mustSave(t, st, &record.Record{}, 0)
			temp := plant(t, st, test.data)
			if test.prepare != nil {
				test.prepare(st)
			}
			mustOpen(t, NewFile(st.dir))
			st.opened.Store(false)
			mustOpen(t, st)
			if !exists(t, temp) {
				t.Error("the temporary file was removed")
			}
		})
	}
}

func TestOpenLeavesAloneWhatThisProcessIsWriting(t *testing.T) {
	st := tempStore(t)
	mustSave(t, st, &record.Record{}, 0)
	temp := plant(t, st, mustEncode(t, &record.Record{Client: "erp", Revision: 2}))
	e, done := st.entry("erp")
	defer done()
	if err := e.saving.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	st.opened.Store(false)
	mustOpen(t, st)
	e.saving.unlock()
	if !exists(t, temp) {
		t.Error("the temporary file was removed")
	}
}

func TestOpenTouchesNoForeignFiles(t *testing.T) {
	st := tempStore(t)
	mustOpen(t, st)
	for _, name := range []string{"erp.json.tmp-X", ".A.json.tmp-X", ".erp.json", "notes", "erp.json.bak", ".json.tmp-X"} {
		if err := os.WriteFile(filepath.Join(st.dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := fmt.Sprint(len(mustList(t, st)))
	mustOpen(t, NewFile(st.dir))
	if after := fmt.Sprint(len(mustList(t, st))); after != before {
		t.Errorf("got %s files, had %s", after, before)
	}
}

func mustList(t *testing.T, st *File) []string {
	t.Helper()
	names, err := st.fs.list(st.dir)
	if err != nil {
		t.Fatal(err)
	}
	return names
}
