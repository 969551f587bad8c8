package carry

import (
	"errors"
	"strings"
	"testing"

	"lamplighter/module/internal/record"
)

var living = record.Presented{RefreshToken: "living", Binding: record.Binding{Grant: 1}}

// asked is a grant whose refresh token was presented, and owed what its holder made of that
// which was cut off by then.
func asked() (stored, owed *record.Record) {
	stored = grant("seed", "living")
	stored = stored.Journal(record.Attempt{Number: stored.Number + 1, ID: "a-1"}, living)
	return stored, stored.Answered(stored.Number, living, record.Token{RefreshToken: "next"}).
		Obtain(record.AccessToken{Request: 2, Grant: 1, Lineage: record.FingerprintOf("seed"), Number: stored.Number, AccessToken: "access"})
}

// tombstone is where a record says that its grant is.
func tombstone(t *testing.T, e End) record.Moved {
	t.Helper()
	rec := load(t, e)
	if rec.Moved == nil {
		t.Fatalf("client %s has %+v, want a tombstone", e.Client, rec)
	}
	return *rec.Moved
}

func handOver(t *testing.T, from, to End, owed *record.Record) {
	t.Helper()
	if err := Late(t.Context(), to.Store, owed, tombstone(t, from)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsOwedReachesTheRecordThatHasTheGrant(t *testing.T) {
	for name, e := range ends(t) {
		t.Run(name, func(t *testing.T) {
			from, to := e[0], e[1]
			stored, owed := asked()
			save(t, from, stored)
			dead := record.Presented{RefreshToken: "dead", Binding: record.Binding{Grant: 1}}
			save(t, to, grant("other", "dead").Refuse(300, dead, true, &record.Loss{Cause: "refused"}))
			if err := Over(t.Context(), from, to); err != nil {
				t.Fatal(err)
			}
			if got := tombstone(t, from).Offset; got != 300 {
				t.Errorf("the numbers are said to be %d higher there, want 300", got)
			}
			handOver(t, from, to, owed)
			wantLiving(t, to, "next")
			rec := load(t, to)
			if rec.Of(record.FingerprintOf("living")) != record.WasUsed || len(rec.Attempts) > 0 {
				t.Errorf("got %+v", rec)
			}
			wantTombstone(t, from, to)
			handOver(t, from, to, owed)
			if again := load(t, to); again.Revision != rec.Revision {
				t.Error("what is there already is written once more")
			}
		})
	}
}

func TestAGrantThatWasLostMeanwhileLivesByWhatWasOwed(t *testing.T) {
	e := ends(t)["rename"]
	stored, owed := asked()
	save(t, e[0], stored)
	if err := Over(t.Context(), e[0], e[1]); err != nil {
		t.Fatal(err)
	}
	rec := load(t, e[1])
	save(t, e[1], rec.Refuse(rec.Number+1, living, true, &record.Loss{Cause: "refused"}))
	handOver(t, e[0], e[1], owed)
	wantLiving(t, e[1], "next")
}

func TestALogInThatCameMeanwhileStays(t *testing.T) {
	e := ends(t)["rename"]
	stored, owed := asked()
	save(t, e[0], stored)
	if err := Over(t.Context(), e[0], e[1]); err != nil {
		t.Fatal(err)
	}
	rec := load(t, e[1])
	save(t, e[1], rec.Answered(rec.Number+1, record.Presented{RefreshToken: "new", Binding: living.Binding}, record.Token{RefreshToken: "newest"}))
	handOver(t, e[0], e[1], owed)
	rec = load(t, e[1])
	if current := rec.Current(1); current == nil || current.RefreshToken != "newest" || rec.Of(record.FingerprintOf("living")) != record.WasUsed {
		t.Errorf("got %+v", rec)
	}
}

func TestWhatIsOwedFollowsAGrantThatWasCarriedOn(t *testing.T) {
	e := ends(t)["rename"]
	a, b, c := e[0], e[1], End{Store: e[1].Store, Client: "erp3"}
	stored, owed := asked()
	save(t, a, stored)
	save(t, c, new(record.Record).Obtain(record.AccessToken{Request: 7, Grant: 7, Number: 5, AccessToken: "of another grant"}))
	for _, e := range [][2]End{{a, b}, {b, c}} {
		if err := Over(t.Context(), e[0], e[1]); err != nil {
			t.Fatal(err)
		}
	}
	handOver(t, a, c, owed)
	wantLiving(t, c, "next")
	if got := load(t, c).Current(1).Number; got != owed.Number+5 {
		t.Errorf("it has the number %d, want that of its attempt there: %d", got, owed.Number+5)
	}
	other := ends(t)["move"][1]
	c.Name = "here"
	if err := Over(t.Context(), c, End{Store: other.Store, Client: "erp3", Name: "/elsewhere"}); err != nil {
		t.Fatal(err)
	}
	if err := Late(t.Context(), a.Store, owed, tombstone(t, a)); err == nil || !strings.Contains(err.Error(), "was carried on to "+other.Store.Describe("erp3")) {
		t.Errorf("got %v, want that it is in a store that this one does not reach", err)
	}
}

// Whoever put another record into the place of the grant may have carried that one over.
func TestWhatIsOwedDisplacesNoGrantOfAnother(t *testing.T) {
	e := ends(t)["rename"]
	_, owed := asked()
	save(t, e[0], grant("theirs", "their living"))
	if err := Over(t.Context(), e[0], e[1]); err != nil {
		t.Fatal(err)
	}
	if err := Late(t.Context(), e[1].Store, owed, tombstone(t, e[0])); err == nil || !strings.Contains(err.Error(), "has another grant") {
		t.Errorf("got %v", err)
	}
	if current := load(t, e[1]).Current(1); current == nil || current.RefreshToken != "their living" {
		t.Errorf("got %+v", current)
	}
}

// A command that is interrupted at each of its steps ends all the same, whatever was handed
// over meanwhile, and a tombstone says by how much the numbers differ.
func TestWhatIsOwedComesWhileACommandIsInterrupted(t *testing.T) {
	for done := 1; done < 4; done++ {
		e := ends(t)["rename"]
		from, to := e[0], e[1]
		stored, owed := asked()
		save(t, from, stored)
		left := done
		broken := func(e End) End { e.Store = faulty{e.Store, &left}; return e }
		if err := Over(t.Context(), broken(from), broken(to)); !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		if done == 1 { // nothing is there yet
			save(t, to, new(record.Record).Obtain(record.AccessToken{Request: 7, Grant: 7, Number: 5, AccessToken: "of another grant"}))
		}
		handOver(t, from, to, owed)
		if err := Over(t.Context(), from, to); err != nil {
			t.Fatalf("after %d steps: %v", done, err)
		}
		wantLiving(t, to, "next")
		wantTombstone(t, from, to)
		if rec := load(t, to); rec.Of(record.FingerprintOf("living")) != record.WasUsed {
			t.Errorf("after %d steps: %+v", done, rec)
		}
	}
}
