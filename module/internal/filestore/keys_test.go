package filestore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

func TestRecordIsEncryptedAtRestAndKeysCanBeRotated(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	first, _ := recordtest.NewKey(t)
	second, _ := recordtest.NewKey(t)
	ctx := t.Context()
	revision := uint64(0)
	save := func(keys *encryption.Keys, wantReadable bool) {
		t.Helper()
		f := NewFile(dir) // as after a restart
		defer f.Encrypt(keys)()
		if revision > 0 {
			rec, err := f.Load(ctx, "erp")
			if err != nil || recordtest.RefreshToken(rec) != "the-living-refresh-token" || rec.Revision != revision {
				t.Fatalf("%+v, %v", rec, err)
			}
		}
		if err := f.Save(ctx, "erp", recordtest.Holding("the-living-refresh-token"), revision); err != nil {
			t.Fatal(err)
		}
		revision++
		data, err := os.ReadFile(filepath.Join(dir, "erp.json"))
		if err != nil || bytes.Contains(data, []byte("living")) != wantReadable {
			t.Errorf("on the disk: %s (%v)", data, err)
		}
	}
	refused := func(keys *encryption.Keys) {
		t.Helper()
		f := NewFile(dir)
		defer f.Encrypt(keys)()
		if _, err := f.Load(ctx, "erp"); !errors.Is(err, recordstore.ErrUnreadable) || !errors.Is(err, recordstore.ErrForeign) || !strings.Contains(err.Error(), "encryption_key") {
			t.Errorf("load: %v", err)
		}
		if err := f.Save(ctx, "erp", recordtest.Holding("new"), 0); !errors.Is(err, recordstore.ErrUnreadable) {
			t.Errorf("save: %v", err)
		}
	}
	save(nil, true)
	save(recordtest.Keys(t, first), false)         // encrypted on the next write
	refused(nil)                                   // a missing key is no fresh start
	refused(recordtest.Keys(t, second))            //
	save(recordtest.Keys(t, second, first), false) // both decrypt
	save(recordtest.Keys(t, second), false)        // the old one is no longer needed
	refused(recordtest.Keys(t, first))
	save(recordtest.Keys(t, append(second, first...)), false) // several in one file
	save(recordtest.Keys(t, first), false)
}

func TestKeysOfAConfigurationThatStopsGiveWayToThoseBefore(t *testing.T) {
	f := NewFile(filepath.Join(t.TempDir(), "records"))
	first, _ := recordtest.NewKey(t)
	second, _ := recordtest.NewKey(t)
	old := f.Encrypt(recordtest.Keys(t, first))
	newer := f.Encrypt(recordtest.Keys(t, second))
	if err := f.Save(t.Context(), "erp", recordtest.Holding("r"), 0); err != nil {
		t.Fatal(err)
	}
	newer()
	// What the newer ones wrote is still read, and written for the old ones.
	if err := f.Save(t.Context(), "erp", recordtest.Holding("r"), 1); err != nil {
		t.Fatal(err)
	}
	again := NewFile(f.dir)
	defer again.Encrypt(recordtest.Keys(t, first))()
	if _, err := again.Load(t.Context(), "erp"); err != nil {
		t.Error(err)
	}
	old()
	if f.keys.Writing() != nil {
		t.Error("keys that nobody uses encrypt")
	}
}

func TestEncryptedSaveIsRepeatedUntilItIsDurable(t *testing.T) {
	st := tempStore(t)
	mustOpen(t, st)
	file, _ := recordtest.NewKey(t)
	defer st.Encrypt(recordtest.Keys(t, file))()
	disk := &faulty{fileSystem: st.fs, syncErr: errors.New("the directory cannot be synced")}
	st.fs = disk
	for range 2 { // each time with other ciphertext
		recordtest.WantErr(t, st.Save(t.Context(), "erp", recordtest.Written(recordtest.Holding("r"), "w-1"), 0), disk.syncErr)
	}
	disk.syncErr = nil
	if err := st.Save(t.Context(), "erp", recordtest.Written(recordtest.Holding("another"), "w-2"), 0); !errors.Is(err, recordstore.ErrConflict) {
		t.Errorf("another record: %v", err)
	}
	mustSave(t, st, recordtest.Written(recordtest.Holding("r"), "w-1"), 0)
}
