package filestore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"lamplighter/module/internal/record"
)

func never(string) (bool, error)  { return false, nil }
func always(string) (bool, error) { return true, nil }

func wantClaim(t *testing.T, st *File, name string, token record.Fingerprint, free func(string) (bool, error), want string) {
	t.Helper()
	owner, err := st.Claim(t.Context(), name, token, free)
	if owner != want || err != nil {
		t.Errorf("%s claims: it is %q's, %v; want %q's", name, owner, err, want)
	}
	if owner, err := NewFile(st.dir).Claimed(t.Context(), token); owner != want || err != nil {
		t.Errorf("another process reads that it is %q's, %v; want %q's", owner, err, want)
	}
}

func TestAClaimIsTheFirstOnesUntilItLetsGo(t *testing.T) {
	st := tempStore(t)
	token := record.FingerprintOf("seed")
	if owner, err := st.Claimed(t.Context(), token); owner != "" || err != nil {
		t.Errorf("it is %q's, %v", owner, err)
	}
	wantClaim(t, st, "erp", token, never, "erp")
	wantClaim(t, st, "erp", token, never, "erp")
	wantClaim(t, st, "erp2", token, never, "erp")
	wantClaim(t, st, "erp2", token, always, "erp2")
	wantClaim(t, st, "erp", token, never, "erp2")
	wantClaim(t, st, "crm", token+1, never, "crm") // in the same file
	files, err := filepath.Glob(filepath.Join(st.dir, claimsDir, "*.json"))
	if err != nil || len(files) != 1 {
		t.Errorf("claims are in %q, %v", files, err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
}

func TestOfManyWhoClaimOneTokenOneGetsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	token := record.FingerprintOf("seed")
	var winners atomic.Int32
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			name := fmt.Sprintf("client-%d", i)
			owner, err := NewFile(dir).Claim(t.Context(), name, token, never)
			if err != nil {
				t.Error(err)
			}
			if owner == name {
				winners.Add(1)
			}
		})
	}
	wg.Wait()
	if n := winners.Load(); n != 1 {
		t.Errorf("%d have it", n)
	}
}

func TestDamagedClaimsAreNoClaims(t *testing.T) {
	st := tempStore(t)
	token := record.FingerprintOf("seed")
	wantClaim(t, st, "erp", token, never, "erp")
	if err := os.WriteFile(st.claimsPath(token, recordSuffix), []byte(`{"format":1,"cla`), 0o600); err != nil {
		t.Fatal(err)
	}
	if owner, err := st.Claim(t.Context(), "erp2", token, always); err == nil {
		t.Errorf("it is %q's", owner)
	}
}

// Records that the first release wrote have no claims.
func TestRecordsThatWereThereBeforeAreClaimedOnce(t *testing.T) {
	st := tempStore(t)
	tokens := func(seed string) []record.Fingerprint {
		return []record.Fingerprint{record.FingerprintOf(seed), record.FingerprintOf(seed + " spent")}
	}
	for _, name := range []string{"erp", "crm"} {
		rec := new(record.Record)
		at := record.Binding{Grant: 1}
		for i, pair := range [][2]string{{name, name + " spent"}, {name + " spent", name + " living"}} {
			rec = rec.Answered(uint32(i+1), record.Presented{RefreshToken: pair[0], Binding: at}, record.Token{RefreshToken: pair[1]})
		}
		rec.Client = name
		if err := st.Save(t.Context(), name, rec, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(st.dir, "bad.json"), []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(st.dir, claimsDir)); err != nil {
		t.Fatal(err)
	}
	st = NewFile(st.dir)
	if err := st.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"erp", "crm"} {
		for _, token := range tokens(name) {
			wantClaim(t, st, "other", token, never, name)
		}
	}
	// What was let go since is not claimed anew.
	wantClaim(t, st, "other", tokens("erp")[0], always, "other")
	st = NewFile(st.dir)
	if err := st.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantClaim(t, st, "erp", tokens("erp")[0], never, "other")
	names, err := osFS{}.list(filepath.Join(st.dir, claimsDir))
	if err != nil || slices.ContainsFunc(names, func(name string) bool { return filepath.Ext(name) == ".tmp" }) {
		t.Errorf("%q, %v", names, err)
	}
}

// A record that only tried a refresh token has no claim on that of another's grant.
func TestAClaimThatIsMadeAnewIsThatOfTheGrant(t *testing.T) {
	for _, other := range []string{"aaa", "zzz"} {
		st := tempStore(t)
		p := record.Presented{RefreshToken: "seed", Binding: record.Binding{Grant: 1}}
		tried := new(record.Record).Withdraw(1, p)
		spent := new(record.Record).Answered(1, p, record.Token{RefreshToken: "next"})
		for name, rec := range map[string]*record.Record{other: tried, "erp": spent} {
			if err := st.Save(t.Context(), name, rec, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.RemoveAll(filepath.Join(st.dir, claimsDir)); err != nil {
			t.Fatal(err)
		}
		st = NewFile(st.dir)
		if err := st.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantClaim(t, st, other, record.FingerprintOf("seed"), never, "erp")
	}
}
