package carry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/filestore"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// grant returns the record of a client whose seed was spent.
func grant(seed, living string) *record.Record {
	rec := new(record.Record)
	for i, pair := range [][2]string{{seed, seed + " 2"}, {seed + " 2", living}} {
		rec = rec.Answered(uint32(i+1), record.Presented{RefreshToken: pair[0], Binding: record.Binding{Grant: 1}}, record.Token{RefreshToken: pair[1]}).Count()
	}
	return rec.Obtain(record.AccessToken{Request: 2, Grant: 1, Lineage: record.FingerprintOf(seed), Number: 2, AccessToken: "access"})
}

func save(t *testing.T, e End, rec *record.Record) {
	t.Helper()
	var revision uint64
	if stored, err := e.Store.Load(t.Context(), e.Client); err == nil {
		revision = stored.Revision
	}
	own := *rec
	own.Client = e.Client
	if err := e.Store.Save(t.Context(), e.Client, &own, revision); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, e End) *record.Record {
	t.Helper()
	rec, err := e.Store.Load(t.Context(), e.Client)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func wantLiving(t *testing.T, e End, token string) {
	t.Helper()
	rec := load(t, e)
	if current := rec.Current(1); current == nil || current.RefreshToken != token || rec.Moved != nil {
		t.Errorf("client %s has %+v, want %s", e.Client, rec, token)
	}
	if access := rec.Access(2); access == nil || access.AccessToken != "access" {
		t.Errorf("client %s has the access token %+v", e.Client, access)
	}
	if rec.Of(record.FingerprintOf("seed")) != record.WasUsed {
		t.Error("what was spent is forgotten")
	}
	if owner, err := e.Store.Claimed(t.Context(), record.FingerprintOf("seed")); owner != e.Client || err != nil {
		t.Errorf("the seed is claimed by %q, %v", owner, err)
	}
}

func wantTombstone(t *testing.T, e, to End) {
	t.Helper()
	rec := load(t, e)
	if rec.Moved == nil || rec.Moved.Client != to.Client || rec.Moved.Place != to.place() || rec.Pending() {
		t.Errorf("client %s has %+v, want an empty tombstone", e.Client, rec)
	}
	data, err := rec.Encode()
	if err != nil || strings.Contains(string(data), "living") || strings.Contains(string(data), `"access"`) {
		t.Errorf("a tombstone holds a secret: %s, %v", data, err)
	}
	if rec.Frees(record.FingerprintOf("seed"), 1) || rec.Frees(record.FingerprintOf("living"), 1) {
		t.Error("a tombstone lets go what was carried over")
	}
}

// ends are a renamed client, and one whose store was changed.
func ends(t *testing.T) map[string][2]End {
	one := filestore.NewFile(filepath.Join(t.TempDir(), "one"))
	other := filestore.NewFile(filepath.Join(t.TempDir(), "other"))
	return map[string][2]End{
		"rename": {{Store: one, Client: "erp"}, {Store: one, Client: "erp2"}},
		"move":   {{Store: one, Client: "crm", Name: "one"}, {Store: other, Client: "crm", Name: "other"}},
	}
}

func TestAGrantIsCarriedOverAndBack(t *testing.T) {
	for name, e := range ends(t) {
		t.Run(name, func(t *testing.T) {
			from, to := e[0], e[1]
			save(t, from, grant("seed", "living"))
			for range 2 { // the second time nothing is left to be done
				if err := Over(t.Context(), from, to); err != nil {
					t.Fatal(err)
				}
				wantLiving(t, to, "living")
				wantTombstone(t, from, to)
			}
			if err := Over(t.Context(), to, from); err != nil {
				t.Fatal(err)
			}
			wantLiving(t, from, "living")
			wantTombstone(t, to, from)
		})
	}
}

func TestAGrantOfItsOwnThatIsLostGivesWay(t *testing.T) {
	e := ends(t)["rename"]
	save(t, e[0], grant("seed", "living"))
	lost := grant("other", "dead")
	for n := uint32(3); n < 9; n++ {
		lost = lost.Answered(n, record.Presented{RefreshToken: "dead"}, record.Token{RefreshToken: "dead"})
	}
	lost = lost.Refuse(9, record.Presented{RefreshToken: "dead"}, true, &record.Loss{Cause: "refused"})
	save(t, e[1], lost)
	if err := Over(t.Context(), e[0], e[1]); err != nil {
		t.Fatal(err)
	}
	wantLiving(t, e[1], "living")
}

func TestACommandThatWasInterruptedIsRepeatedAfterALogIn(t *testing.T) {
	e := ends(t)["rename"]
	from, to := e[0], e[1]
	save(t, from, grant("seed", "living"))
	left := 2 // the old record is a tombstone, and the new one is written
	broken := func(e End) End { e.Store = faulty{e.Store, &left}; return e }
	if err := Over(t.Context(), broken(from), broken(to)); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	rec := load(t, to)
	save(t, to, rec.Answered(rec.Number+1, record.Presented{RefreshToken: "new", Binding: record.Binding{Grant: 1}}, record.Token{RefreshToken: "newest"}))
	if err := Over(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	if current := load(t, to).Current(1); current == nil || current.RefreshToken != "newest" {
		t.Errorf("got %+v", current)
	}
	wantTombstone(t, from, to)
}

func TestWhereAGrantIsByNowIsSaidWhateverCameBetween(t *testing.T) {
	one := filestore.NewFile(filepath.Join(t.TempDir(), "one"))
	other := filestore.NewFile(filepath.Join(t.TempDir(), "the other"))
	in := func(st recordstore.Store, client, name string) End { return End{Store: st, Client: client, Name: name} }
	a, b, c := in(one, "a", ""), in(one, "b", ""), in(one, "c", "")
	save(t, a, grant("seed", "living"))
	want := func(from, to End, command string) {
		t.Helper()
		if err := Over(t.Context(), from, to); err == nil || !strings.HasSuffix(err.Error(), ": run 'lamplighter tokens "+command+"'") {
			t.Errorf("want %q, got %v", command, err)
		}
	}
	over := func(from, to End) {
		t.Helper()
		if err := Over(t.Context(), from, to); err != nil {
			t.Fatal(err)
		}
	}
	over(a, b)
	over(b, c)
	over(a, c) // is done
	want(a, in(one, "d", ""), "rename c d")
	want(b, a, "rename c a")
	over(in(one, "c", "/one"), in(other, "c", "/the other"))
	want(b, a, "rename c a --from '/the other'")
	want(in(one, "b", "/one"), in(other, "d", "/the other"), "rename c d")
	want(in(one, "c", "/one"), in(one, "d", "/one"), "rename c d --from '/the other'")
}

// The seed that was withdrawn is one that the server left as it was.
func TestAGrantIsCarriedOverToAClientThatWasDeniedItsSeed(t *testing.T) {
	e := ends(t)["rename"]
	given := record.Presented{RefreshToken: "seed", Candidate: true, Imported: true, Binding: record.Binding{Grant: 1}}
	save(t, e[0], new(record.Record).Answered(1, given, record.Token{}))
	save(t, e[1], new(record.Record).Supply(1, given).Withdraw(1, given))
	if err := Over(t.Context(), e[0], e[1]); err != nil {
		t.Fatal(err)
	}
	if current := load(t, e[1]).Current(1); current == nil || current.RefreshToken != "seed" {
		t.Errorf("got %+v", current)
	}
}

// A crash may have left an attempt of which nobody knows what became. The lease is free, so
// that nobody makes it any more: it is for the client that has the grant to repeat it.
func TestAnAttemptThatNobodyAnsweredIsCarriedOver(t *testing.T) {
	candidate := record.Presented{RefreshToken: "fresh", Candidate: true, Binding: record.Binding{Grant: 1}}
	for name, c := range map[string]struct {
		rec    *record.Record
		p      record.Presented
		denied bool // the client was denied the refresh token before
	}{
		"of a grant":                {grant("seed", "living"), record.Presented{RefreshToken: "living", Binding: record.Binding{Grant: 1}}, false},
		"of a first refresh token":  {new(record.Record), candidate, false},
		"of one that was withdrawn": {new(record.Record), candidate, true},
	} {
		for _, interrupted := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", interrupted: ", interrupted), func(t *testing.T) {
				e := ends(t)["rename"]
				from, to := e[0], e[1]
				f := record.FingerprintOf(c.p.RefreshToken)
				at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
				save(t, from, c.rec.Journal(record.Attempt{Number: c.rec.Number + 1, ID: "a-1", At: at}, c.p))
				if c.denied {
					given := c.p
					given.Imported = true
					save(t, to, new(record.Record).Journal(record.Attempt{Number: 1, ID: "b-1"}, c.p).Withdraw(1, given).Settle(1))
				}
				if interrupted {
					left := 2
					broken := func(e End) End { e.Store = faulty{e.Store, &left}; return e }
					if err := Over(t.Context(), broken(from), broken(to)); !errors.Is(err, errFault) {
						t.Fatal(err)
					}
					rec := load(t, to) // it goes on meanwhile, and has no answer either
					save(t, to, rec.Journal(record.Attempt{Number: rec.Number + 1, ID: "b-2"}, c.p))
				}
				if err := Over(t.Context(), from, to); err != nil {
					t.Fatal(err)
				}
				rec := load(t, to)
				a := rec.Open(f)
				if of := rec.Of(f); of != c.rec.Of(f) && of != record.Unjudged || a == nil {
					t.Fatalf("got %+v", rec)
				}
				if since := cmp.Or(a.UnansweredBy, a.ID); since != "a-1" || !a.At.Equal(at) && !a.Unanswered.Equal(at) {
					t.Errorf("got %+v", a)
				}
				if kept := c.p.Candidate && rec.Candidate(1, false) == nil; kept {
					t.Errorf("the refresh token is gone: %+v", rec)
				}
				if left := load(t, from); left.Frees(f, 1) || left.Moved == nil || left.Pending() || len(left.Attempts) != 0 {
					t.Errorf("the old client has %+v", left)
				}
				if owner, err := to.Store.Claimed(t.Context(), record.FingerprintOf(cmp.Or(map[bool]string{true: "fresh"}[c.p.Candidate], "seed"))); owner != to.Client || err != nil {
					t.Errorf("it is claimed by %q, %v", owner, err)
				}
			})
		}
	}
}

func TestAPauseIsCarriedOver(t *testing.T) {
	e := ends(t)["rename"]
	rec := grant("seed", "living")
	until := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	save(t, e[0], rec.Rest(record.Pause{Number: rec.Number + 1, Failures: 1, Until: until}))
	save(t, e[1], new(record.Record).Obtain(record.AccessToken{Request: 7, Grant: 7, Number: 5, AccessToken: "of another grant"}))
	if err := Over(t.Context(), e[0], e[1]); err != nil {
		t.Fatal(err)
	}
	if p := load(t, e[1]).Pause(); p == nil || !p.Until.Equal(until) {
		t.Errorf("got %+v", p)
	}
}

// faulty is a store that fails at one call that changes something.
type faulty struct {
	recordstore.Store
	left *int
}

var errFault = errors.New("it fails")

func (f faulty) Save(ctx context.Context, name string, rec *record.Record, ifRevision uint64) error {
	if *f.left--; *f.left < 0 {
		return errFault
	}
	return f.Store.Save(ctx, name, rec, ifRevision)
}

func (f faulty) Claim(ctx context.Context, name string, token record.Fingerprint, free func(string) (bool, error)) (string, error) {
	if *f.left--; *f.left < 0 {
		return "", errFault
	}
	return f.Store.Claim(ctx, name, token, free)
}

func TestACommandThatWasInterruptedIsRepeated(t *testing.T) {
	const steps = 4
	for done := range steps {
		for name, e := range ends(t) {
			from, to := e[0], e[1]
			save(t, from, grant("seed", "living"))
			left := done
			broken := func(e End) End { e.Store = faulty{e.Store, &left}; return e }
			if err := Over(t.Context(), broken(from), broken(to)); !errors.Is(err, errFault) {
				t.Fatalf("%s after %d steps: %v", name, done, err)
			}
			// Nothing is in two places for whoever looks, and nothing is nowhere.
			living := 0
			for _, e := range e {
				if rec, err := e.Store.Load(t.Context(), e.Client); err == nil && rec.Moved == nil && rec.Current(1) != nil {
					living++
				}
			}
			pending := load(t, from).Pending()
			if living > 1 || living == 0 && !pending {
				t.Errorf("%s after %d steps: the grant lives in %d records, pending %v", name, done, living, pending)
			}
			if load(t, from).Frees(record.FingerprintOf("seed"), 1) {
				t.Errorf("%s after %d steps: the seed is free", name, done)
			}
			// The client may go on with it meanwhile.
			want := "living"
			if rec, err := to.Store.Load(t.Context(), to.Client); err == nil && rec.Current(1) != nil {
				want = "rotated"
				n := rec.Number + 1
				save(t, to, rec.Answered(n, record.Presented{RefreshToken: "living"}, record.Token{RefreshToken: want}))
			}
			if err := Over(t.Context(), from, to); err != nil {
				t.Fatalf("%s after %d steps: %v", name, done, err)
			}
			wantLiving(t, to, want)
			if rec := load(t, from); rec.Pending() || rec.Moved == nil {
				t.Errorf("%s after %d steps: %+v", name, done, rec)
			}
		}
	}
}

func TestWhatIsNotCarriedOverStaysAsItIs(t *testing.T) {
	open := func(rec *record.Record, token string) *record.Record {
		return rec.Journal(record.Attempt{Number: rec.Number + 1, ID: "a-1"}, record.Presented{RefreshToken: token, Candidate: token == "fresh"})
	}
	for want, set := range map[string]func(t *testing.T, from, to End){
		"has another grant, which lives": func(t *testing.T, from, to End) {
			save(t, from, grant("seed", "living"))
			save(t, to, grant("other", "of its own"))
		},
		"client erp2 has another grant": func(t *testing.T, from, to End) {
			// … whose seed the other client was given by mistake, once.
			given := record.Presented{RefreshToken: "other", Candidate: true, Imported: true}
			save(t, from, grant("seed", "living").Supply(3, given).Withdraw(3, given))
			save(t, to, grant("other", "of its own"))
		},
		"client erp2 has another grant, which": func(t *testing.T, from, to End) {
			refused := record.Presented{RefreshToken: "other", Candidate: true}
			save(t, from, grant("seed", "living").Refuse(3, refused, false, &record.Loss{Cause: "seed_refused"}))
			save(t, to, grant("other", "of its own"))
		},
		"client erp2 has another grant, which lives": func(t *testing.T, from, to End) {
			// … which the other client had too, before a log-in.
			save(t, from, record.Merge(grant("other", "lost"), grant("seed", "living").Answered(9, record.Presented{RefreshToken: "living", Binding: record.Binding{Grant: 1}}, record.Token{}).Answered(10, record.Presented{RefreshToken: "new", Binding: record.Binding{Grant: 1}}, record.Token{})))
			save(t, to, grant("other", "of its own"))
		},
		"last token request of client erp2:": func(t *testing.T, from, to End) {
			save(t, from, grant("seed", "living"))
			save(t, to, open(new(record.Record), "fresh"))
		},
		"holds no grant": func(t *testing.T, from, to End) {
			given := record.Presented{RefreshToken: "other", Candidate: true, Imported: true}
			save(t, from, new(record.Record).Supply(1, given).Withdraw(1, given))
			save(t, to, grant("seed", "living"))
		},
		"no record of client erp": func(*testing.T, End, End) {},
		"was carried over to client other already": func(t *testing.T, from, _ End) {
			save(t, from, grant("seed", "living"))
			if err := Over(t.Context(), from, End{Store: from.Store, Client: "other"}); err != nil {
				t.Fatal(err)
			}
		},
		"is in use": func(t *testing.T, from, _ End) {
			save(t, from, grant("seed", "living"))
			lease, err := from.Store.Lease(t.Context(), from.Client)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(lease.Release)
		},
	} {
		t.Run(want, func(t *testing.T) {
			e := ends(t)["rename"]
			from, to := e[0], e[1]
			set(t, from, to)
			revisions := func() (list [2]uint64) {
				for i, e := range e {
					if rec, err := e.Store.Load(t.Context(), e.Client); err == nil {
						list[i] = rec.Revision
					}
				}
				return list
			}
			before := revisions()
			patience := time.Minute
			if want == "is in use" {
				patience = 5 * leasePoll
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := Over(ctx, from, to); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
			if after := revisions(); after != before {
				t.Errorf("records of the revisions %v became %v", before, after)
			}
		})
	}
}
