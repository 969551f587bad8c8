package filestore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

// faulty is a disk on which chosen operations fail.
type faulty struct {
	fileSystem
	lockErr, syncErr, mkdirErr error
	grantAll                   bool
}

func (f *faulty) mkdirAll(dir string) error {
	if f.mkdirErr != nil {
		return f.mkdirErr
	}
	return f.fileSystem.mkdirAll(dir)
}

func (f *faulty) syncDir(dir string) error {
	if f.syncErr != nil {
		return f.syncErr
	}
	return f.fileSystem.syncDir(dir)
}

func (f *faulty) tryLock(path string) (fileLock, error) {
	if f.lockErr != nil {
		return nil, f.lockErr
	}
	if f.grantAll {
		return noLock{}, nil
	}
	return f.fileSystem.tryLock(path)
}

// noLock excludes nobody.
type noLock struct{}

func (noLock) lost() error { return nil }
func (noLock) unlock()     {}

func tempStore(t testing.TB) *File {
	t.Helper()
	return NewFile(filepath.Join(t.TempDir(), "caddy", "records"))
}

func mustEncode(t *testing.T, rec *record.Record) []byte {
	t.Helper()
	data, err := recordstore.Encode(rec, nil, recordstore.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestNewFileAndLoadAndWatchTouchNothing(t *testing.T) {
	st := tempStore(t)
	_, err := st.Load(t.Context(), "erp")
	recordtest.WantErr(t, err, recordstore.ErrNotFound, st.dir)
	st.Watch("erp", func() {})()
	if exists(t, filepath.Dir(st.dir)) {
		t.Error("a directory was created")
	}
}

func TestALineIsAllThereIsBesideTheLock(t *testing.T) {
	st := tempStore(t)
	for rev := range uint64(3) {
		mustSave(t, st, &record.Record{}, rev)
	}
	names, err := osFS{}.list(st.dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 4 { // .claims, .lock, erp.lock and erp.json
		t.Errorf("got %q", names)
	}
	if got, want := st.Describe("erp"), filepath.Join(st.dir, "erp.json"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestADirectoryThatWasTakenAwayIsMadeAnew(t *testing.T) {
	st := tempStore(t)
	mustSave(t, st, &record.Record{}, 0)
	if err := os.RemoveAll(st.dir); err != nil {
		t.Fatal(err)
	}
	recordtest.WantErr(t, st.Save(t.Context(), "erp", &record.Record{}, 0), os.ErrNotExist)
	mustSave(t, st, &record.Record{}, 0)
}

func TestADamagedRecordIsNeverOverwritten(t *testing.T) {
	st := tempStore(t)
	mustOpen(t, st)
	path := st.Describe("erp")
	for _, damage := range []string{"", "\x00\x00", `{"format":1,"sha`, `{"format":2,"sha`, `{"format":7}`} {
		if err := os.WriteFile(path, []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := st.Load(t.Context(), "erp")
		recordtest.WantErr(t, err, recordstore.ErrUnreadable, path)
		for _, rev := range []uint64{0, 1} {
			recordtest.WantErr(t, st.Save(t.Context(), "erp", &record.Record{}, rev), recordstore.ErrUnreadable, path)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != damage {
			t.Errorf("the file is now %q (%v), want %q as before", got, err, damage)
		}
	}
}

func TestARenamedRecordIsNoticed(t *testing.T) {
	st := tempStore(t)
	mustSave(t, st, &record.Record{}, 0)
	if err := os.Rename(st.Describe("erp"), st.Describe("crm")); err != nil {
		t.Fatal(err)
	}
	_, err := st.Load(t.Context(), "crm")
	recordtest.WantErr(t, err, recordstore.ErrUnreadable, st.Describe("crm"), "another client")
	recordtest.WantErr(t, err, recordstore.ErrForeign)
}

// What a store remembers of a record that is watched is of these bytes and no others,
// whatever the file system says of the file.
func TestWhatIsRememberedOfARecordIsOfItsBytes(t *testing.T) {
	st := tempStore(t)
	defer st.Watch("erp", func() {})()
	given := recordtest.Sample()
	if err := st.Save(t.Context(), "erp", given, 0); err != nil {
		t.Fatal(err)
	}
	path := st.Describe("erp")
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := NewFile(filepath.Dir(path)).Load(t.Context(), "erp")
	if err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, st); !reflect.DeepEqual(got, fresh) {
		t.Errorf("remembered\n%+v\nread\n%+v", got, fresh)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Replace(written, []byte(`"erp"`), []byte(`"ERP"`), 1)
	if err := errors.Join(os.WriteFile(path, damaged, 0o600), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Load(t.Context(), "erp"); !errors.Is(err, recordstore.ErrUnreadable) {
		t.Errorf("got %v, want recordstore.ErrUnreadable", err)
	}
	if err := os.WriteFile(path, written, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, st); got.Revision != 1 || got.Client != "erp" {
		t.Errorf("got %+v", got)
	}
}
