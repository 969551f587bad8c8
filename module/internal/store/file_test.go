package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"lamplighter/module/internal/record"
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
	data, err := encode(rec)
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
	wantErr(t, err, ErrNotFound, st.dir)
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
	wantErr(t, st.Save(t.Context(), "erp", &record.Record{}, 0), os.ErrNotExist)
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
		wantErr(t, err, ErrUnreadable, path)
		for _, rev := range []uint64{0, 1} {
			wantErr(t, st.Save(t.Context(), "erp", &record.Record{}, rev), ErrUnreadable, path)
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
	wantErr(t, err, ErrUnreadable, st.Describe("crm"), "another client")
	wantErr(t, err, ErrForeign)
}
