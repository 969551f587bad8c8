package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

func newKey(t *testing.T) (file []byte, secret string) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, "# created: today\n# public key: %s\n%s\n", identity.Recipient(), identity), identity.String()
}

func mustParse(t *testing.T, files ...[]byte) *Keys {
	t.Helper()
	keys, err := ParseKeys(files...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestRecordIsEncryptedAtRestAndKeysCanBeRotated(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	first, _ := newKey(t)
	second, _ := newKey(t)
	ctx := t.Context()
	revision := uint64(0)
	save := func(keys *Keys, wantReadable bool) {
		t.Helper()
		f := NewFile(dir) // as after a restart
		defer f.Encrypt(keys)()
		if revision > 0 {
			rec, err := f.Load(ctx, "erp")
			if err != nil || refreshToken(rec) != "the-living-refresh-token" || rec.Revision != revision {
				t.Fatalf("%+v, %v", rec, err)
			}
		}
		if err := f.Save(ctx, "erp", holding("the-living-refresh-token"), revision); err != nil {
			t.Fatal(err)
		}
		revision++
		data, err := os.ReadFile(filepath.Join(dir, "erp.json"))
		if err != nil || bytes.Contains(data, []byte("living")) != wantReadable {
			t.Errorf("on the disk: %s (%v)", data, err)
		}
	}
	refused := func(keys *Keys) {
		t.Helper()
		f := NewFile(dir)
		defer f.Encrypt(keys)()
		if _, err := f.Load(ctx, "erp"); !errors.Is(err, ErrUnreadable) || !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "encryption_key") {
			t.Errorf("load: %v", err)
		}
		if err := f.Save(ctx, "erp", holding("new"), 0); !errors.Is(err, ErrUnreadable) {
			t.Errorf("save: %v", err)
		}
	}
	save(nil, true)
	save(mustParse(t, first), false)         // encrypted on the next write
	refused(nil)                             // a missing key is no fresh start
	refused(mustParse(t, second))            //
	save(mustParse(t, second, first), false) // both decrypt
	save(mustParse(t, second), false)        // the old one is no longer needed
	refused(mustParse(t, first))
	save(mustParse(t, append(second, first...)), false) // several in one file
	save(mustParse(t, first), false)
}

func TestKeysOfAConfigurationThatStopsGiveWayToThoseBefore(t *testing.T) {
	f := NewFile(filepath.Join(t.TempDir(), "records"))
	first, _ := newKey(t)
	second, _ := newKey(t)
	old := f.Encrypt(mustParse(t, first))
	newer := f.Encrypt(mustParse(t, second))
	if err := f.Save(t.Context(), "erp", holding("r"), 0); err != nil {
		t.Fatal(err)
	}
	newer()
	// What the newer ones wrote is still read, and written for the old ones.
	if err := f.Save(t.Context(), "erp", holding("r"), 1); err != nil {
		t.Fatal(err)
	}
	again := NewFile(f.dir)
	defer again.Encrypt(mustParse(t, first))()
	if _, err := again.Load(t.Context(), "erp"); err != nil {
		t.Error(err)
	}
	old()
	if f.keys.Writing() != nil {
		t.Error("keys that nobody uses encrypt")
	}
}

func TestKeysThatCannotBeUsedAreRefusedWithoutBeingShown(t *testing.T) {
	file, secret := newKey(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string][][]byte{
		"none":      nil,
		"empty":     {nil},
		"damaged":   {[]byte(secret[:len(secret)-1])},
		"a comment": {[]byte("# public key: age1…")},
		"mixed":     {file, []byte(hybrid.String())},
	} {
		if _, err := ParseKeys(files...); err == nil || strings.Contains(err.Error(), secret[20:40]) || strings.Contains(err.Error(), hybrid.String()[20:40]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if mustParse(t, file).Same(mustParse(t, []byte(hybrid.String()))) || !mustParse(t, file).Same(mustParse(t, []byte(secret))) {
		t.Error("keys are told apart by their files")
	}
}

func TestDamagedCiphertextIsNeverTakenForARecord(t *testing.T) {
	file, _ := newKey(t)
	keys := mustParse(t, file)
	data, err := encode(revised(holding("r"), "erp", 1), keys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decode("erp", data, keys.identities...); err != nil {
		t.Fatal(err)
	}
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		if _, err := decode("erp", bad, keys.identities...); err == nil && !bytes.Equal(bytes.TrimSpace(bad), bytes.TrimSpace(data)) {
			t.Fatalf("byte %d changed, and it was read", i)
		}
	}
}

func TestEncryptedSaveIsRepeatedUntilItIsDurable(t *testing.T) {
	st := tempStore(t)
	mustOpen(t, st)
	file, _ := newKey(t)
	defer st.Encrypt(mustParse(t, file))()
	disk := &faulty{fileSystem: st.fs, syncErr: errors.New("the directory cannot be synced")}
	st.fs = disk
	for range 2 { // each time with other ciphertext
		wantErr(t, st.Save(t.Context(), "erp", written(holding("r"), "w-1"), 0), disk.syncErr)
	}
	disk.syncErr = nil
	if err := st.Save(t.Context(), "erp", written(holding("another"), "w-2"), 0); !errors.Is(err, ErrConflict) {
		t.Errorf("another record: %v", err)
	}
	mustSave(t, st, written(holding("r"), "w-1"), 0)
}
