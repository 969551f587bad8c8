package record

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// firstRelease reads a record that the first release's own code wrote.
func firstRelease(t *testing.T, name string) *Record {
	t.Helper()
	data, err := os.ReadFile("testdata/first/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Decode(data, 1)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARecordOfTheFirstReleaseIsCarriedOn(t *testing.T) {
	for name, want := range map[string]carriedOn{
		"seed_journaled": {candidate: "seed", open: "seed", verdicts: map[string]Verdict{"seed": Unjudged, "other": Unknown}},
		"mid_life": {
			current: "R3", access: true, ends: true,
			verdicts: map[string]Verdict{"seed": WasUsed, "R1": WasUsed, "R2": WasUsed, "R3": Living, "R4": Unknown},
		},
		"lost":    {loss: "grant_refused", verdicts: map[string]Verdict{"seed": WasUsed, "R2": WasUsed, "R3": WasRefused, "R4": Unknown}},
		"revoked": {loss: "revoked", verdicts: map[string]Verdict{"seed": WasUsed, "R2": WasUsed, "R3": WasUsed, "R4": Unknown}},
		"imported_beside": {
			current: "R3", access: true, ends: true, imported: "import\xff",
			verdicts: map[string]Verdict{"seed": WasUsed, "R3": Living, "import\xff": Unjudged},
		},
		"attempt_open": {current: "R3", access: true, ends: true, open: "R3", verdicts: map[string]Verdict{"R2": WasUsed, "R3": Living}},
		"not_utf8":     {current: "R\xff\x00", access: true, ends: true, verdicts: map[string]Verdict{"R2": WasUsed, "R\xff\x00": Living}},
		"cache_only":   {access: true, verdicts: map[string]Verdict{"seed": Unknown}},
		"many_spent": {
			current: "old 300", access: true, ends: true,
			verdicts: map[string]Verdict{"seed": WasUsed, "old 299": WasUsed, "old 204": WasUsed, "old 300": Living},
		},
	} {
		t.Run(name, func(t *testing.T) { want.check(t, name) })
	}
}

// carriedOn is what must be true of a record of the first release.
type carriedOn struct {
	current, candidate, imported string // refresh tokens
	verdicts                     map[string]Verdict
	loss                         string // its cause
	open                         string // the refresh token that it presents
	access, ends                 bool
}

func (want carriedOn) check(t *testing.T, name string) {
	t.Helper()
	r := firstRelease(t, name)
	if other := firstRelease(t, name); !Equal(r, other) || !Equal(Merge(r, other), r) {
		t.Error("another process makes another record of it")
	}
	if back := decoded(t, encoded(t, r)); !Equal(back, r) {
		t.Errorf("written anew it is\n%s\nnot\n%s", encoded(t, back), encoded(t, r))
	}
	if got := secretOf(r.Current(grant)); got != want.current {
		t.Errorf("current is %q, want %q", got, want.current)
	}
	if got := secretOf(r.Candidate(grant, false)); got != want.candidate {
		t.Errorf("candidate is %q, want %q", got, want.candidate)
	}
	if got := secretOf(r.Candidate(grant, true)); got != want.imported {
		t.Errorf("imported is %q, want %q", got, want.imported)
	}
	if c := r.Current(grant); c != nil && c.ExpiresAt.IsZero() == want.ends {
		t.Errorf("the grant ends %v", c.ExpiresAt)
	}
	for token, verdict := range want.verdicts {
		if got := r.Of(FingerprintOf(token)); got != verdict {
			t.Errorf("of %q is known %v, want %v", token, got, verdict)
		}
	}
	l := r.Lost(grant)
	if want.loss != "" && (l == nil || l.Loss == nil || l.Loss.Cause != want.loss || l.Loss.Sentence == "" || !l.Loss.At.Equal(moment)) ||
		want.loss == "" && l != nil && l.Loss != nil {
		t.Errorf("lost: %+v, want %q", l, want.loss)
	}
	if l := r.Lost(grant); l != nil && secretOf(l.LastRefused()) != "" && want.loss != "grant_refused" {
		t.Errorf("%+v may be presented once more", l.LastRefused())
	}
	if open := r.Open(FingerprintOf(want.open)); (open != nil) != (want.open != "") || open != nil && !open.At.Equal(moment) {
		t.Errorf("open attempt is %+v, want one of %q", open, want.open)
	}
	if r.Journals() != (want.open != "") {
		t.Errorf("journals: %v", r.Journals())
	}
	if a := r.Access(request); (a != nil) != want.access || a != nil && (a.AccessToken != "access" || a.Response["tenant"] != "t\xff" || !a.ExpiresAt.Equal(moment.Add(time.Hour))) {
		t.Errorf("access token is %+v, want one: %v", a, want.access)
	}
}

func secretOf(t *Token) string {
	if t == nil {
		return ""
	}
	return t.RefreshToken
}

// One process carries a record on while another one still has read the old file.
func TestARecordOfTheFirstReleaseJoinsWithWhatFollowsFromIt(t *testing.T) {
	for _, name := range []string{"mid_life", "attempt_open", "many_spent", "imported_beside", "not_utf8"} {
		old := firstRelease(t, name)
		p := Presented{RefreshToken: old.Current(grant).RefreshToken, Binding: Binding{Grant: grant, Request: request}}
		number := old.Number + 1
		r := old.Journal(Attempt{Number: number, ID: "q-1"}, p).Answered(number, p, Token{RefreshToken: "new"})
		r = r.Obtain(AccessToken{Request: request, Grant: grant, Lineage: r.LineageOf(FingerprintOf("new")), Number: number, AccessToken: "newer"})
		for _, m := range []*Record{Merge(old, r), Merge(r, old)} {
			if !Equal(m, r) || secretOf(m.Current(grant)) != "new" || m.Access(request).AccessToken != "newer" || m.Open(FingerprintOf(p.RefreshToken)) != nil {
				t.Errorf("%s: got\n%s\nwant\n%s", name, encoded(t, m), encoded(t, r))
			}
		}
	}
}

func TestAnImportOfTheFirstReleaseDisplacesNothing(t *testing.T) {
	r, err := Decode([]byte(`{"client":"erp","revision":1,"generation":1,"refresh_token":"R","imported":"R"}`), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Grant(0); got == nil || got.Since == 0 || secretOf(&got.Tokens[0]) != "R" {
		t.Errorf("got %+v", got)
	}
}

func TestOfManySpentTokensOfTheFirstReleaseTheNewestAreKept(t *testing.T) {
	r := firstRelease(t, "many_spent")
	l := r.Grant(grant)
	if l == nil || len(l.Consumed) != keptMarks {
		t.Fatalf("got %+v", l)
	}
	for i := range keptMarks {
		if f := FingerprintOf(fmt.Sprint("old ", 299-i)); r.Of(f) != WasUsed {
			t.Errorf("old %d is %v", 299-i, r.Of(f))
		}
	}
}
