package filestore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
)

// firstReleaseRefuses is all that the first release read of a file before it
// refused it as ErrNewer, "it was written by a newer version of lamplighter".
func firstReleaseRefuses(t *testing.T, data []byte) bool {
	t.Helper()
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &version); err != nil || bytes.IndexByte(data, 0) >= 0 {
		t.Fatalf("the first release takes %q for damaged (%v)", data, err)
	}
	return version.Format > 1
}

func TestARecordOfTheFirstReleaseIsCarriedOnAndTheFirstReleaseRefusesIt(t *testing.T) {
	key, _ := recordtest.NewKey(t)
	keys := recordtest.Keys(t, key)
	plain := recordtest.FirstRelease()
	var env struct{ Record json.RawMessage }
	if err := json.Unmarshal(plain, &env); err != nil {
		t.Fatal(err)
	}
	ciphertext, err := keys.Seal(env.Record)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		file []byte
		keys *encryption.Keys
	}{
		"in the clear":     {plain, nil},
		"encrypted by now": {plain, keys},
		"encrypted":        {append(recordtest.Enveloped(1, string(ciphertext)), '\n'), keys},
	} {
		t.Run(name, func(t *testing.T) {
			st := tempStore(t)
			defer st.Encrypt(test.keys)()
			mustOpen(t, st)
			if firstReleaseRefuses(t, test.file) {
				t.Fatal("the first release refuses its own file")
			}
			writeFile(t, st.Describe("erp"), test.file)
			rec := mustLoad(t, st)
			if recordtest.RefreshToken(rec) != "<refresh&token>\u2028" || rec.Revision != 3 || rec.Generation != 7 || rec.Client != "erp" {
				t.Errorf("got %+v", rec)
			}
			if !rec.Journals() || rec.Open(record.FingerprintOf(recordtest.RefreshToken(rec))) == nil {
				t.Errorf("the open attempt was forgotten: %+v", rec.Attempts)
			}
			for _, used := range []string{"seed", "spent", "too"} {
				if got := rec.Of(record.FingerprintOf(used)); got != record.WasUsed {
					t.Errorf("of %q is known %v, want that it was used", used, got)
				}
			}
			if a := rec.Access(recordtest.Binding.Request); a == nil || a.AccessToken != "access token" || a.Response["tenant.id"] != "t\xff" {
				t.Errorf("got access token %+v", a)
			}

			recordtest.WantErr(t, st.Save(t.Context(), "erp", rec, 2), recordstore.ErrConflict)
			mustSave(t, st, rec, 3)
			data, err := os.ReadFile(st.Describe("erp"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(data, []byte(`{"format":2,`)) || !firstReleaseRefuses(t, data) {
				t.Errorf("on the disk: %q", data)
			}
			again := NewFile(st.dir)
			defer again.Encrypt(test.keys)()
			if got, want := mustLoad(t, again), recordtest.Revised(rec, "erp", 4); !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

// A process of the first release was killed after its answer was synced and before
// the rename, and the present one takes over.
func TestTheAnswerOfAKilledProcessOfTheFirstReleaseIsFound(t *testing.T) {
	answer := recordtest.Enveloped(1, fmt.Sprintf(`{"client":"erp","revision":4,"generation":8,"binding":{"grant":"%s"},"refresh_token":"R2","spent":["%s"]}`,
		recordtest.Binding.Grant, record.FingerprintOf("<refresh&token>\u2028")))
	for name, takeOver := range map[string]func(*testing.T, *File){
		"at a start": func(t *testing.T, st *File) { mustOpen(t, NewFile(st.dir)) },
		"by a lease": func(t *testing.T, st *File) { mustLease(t, st).Release() },
	} {
		t.Run(name, func(t *testing.T) {
			st := tempStore(t)
			mustOpen(t, st)
			writeFile(t, st.Describe("erp"), recordtest.FirstRelease())
			temp := plant(t, st, answer)
			takeOver(t, st)
			if got := mustLoad(t, st); recordtest.RefreshToken(got) != "R2" || got.Revision != 4 {
				t.Errorf("got %+v, want what the killed process had received", got)
			}
			if exists(t, temp) {
				t.Error("the temporary file is still there")
			}
		})
	}
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
