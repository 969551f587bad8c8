package record

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// answered is a record after an answer to the request that presents the current token.
func answered(r *Record, brought string) *Record {
	c := r.Current(grant)
	p := Presented{RefreshToken: c.RefreshToken, Again: c.Again, Binding: Binding{Grant: grant}}
	return r.Answered(r.Number+1, p, Token{RefreshToken: brought})
}

func began(first, brought string) *Record {
	return new(Record).Answered(1, Presented{RefreshToken: first, Binding: Binding{Grant: grant}}, Token{RefreshToken: brought})
}

// Some servers give a refresh token back that they took before. What an answer gives is valid
// from then on, as often as it does that, and what it took is not.
func TestATokenThatIsGivenAgainLives(t *testing.T) {
	r := began("a", "b")
	for n := range 3 * keptMarks {
		want := []string{"a", "b"}[n%2]
		r = answered(r, want)
		if c := decoded(t, encoded(t, revised(r))).Current(grant); c == nil || c.RefreshToken != want {
			t.Fatalf("after %d answers the current token is %+v, want %s", n+2, c, want)
		}
		if spares := len(r.Lineages[0].Tokens) - 1; spares != 0 {
			t.Fatalf("%d tokens beside it live: %+v", spares, r.Lineages[0].Tokens)
		}
	}
}

func revised(r *Record) *Record {
	c := r.copy()
	c.Revision = 1
	return c
}

// An older version of the record does not take back what was given again, nor does one that
// knows of less than that bring back what was taken since: a backup, or a late answer.
func TestWhatWasKnownBeforeATokenWasGivenAgainChangesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		secrets := []string{"a", "b", "c"}
		past := []*Record{began("a", "b")}
		for range rapid.IntRange(1, 12).Draw(rt, "answers") {
			r := past[len(past)-1]
			brought := rapid.SampledFrom(secrets).Draw(rt, "brought")
			past = append(past, answered(r, brought))
		}
		last := past[len(past)-1]
		for i, older := range past {
			joined := Merge(last, older)
			if !Equal(joined, last) || !Equal(Merge(older, last), last) {
				rt.Fatalf("joined with its version %d, the record changes:\n%s\n%s\n%s", i, content(t, last), content(t, older), content(t, joined))
			}
			if got, want := joined.Current(grant), last.Current(grant); got == nil || got.RefreshToken != want.RefreshToken {
				rt.Fatalf("version %d brings %+v back instead of %+v", i, got, want)
			}
		}
	})
}

// An answer that gives what its holder did not know to be taken gives nothing again: it was
// given before, and late is late.
func TestALateAnswerGivesNothingAgain(t *testing.T) {
	begun := began("a", "b")
	journaled := begun.Journal(Attempt{Number: 2, ID: "p-2"}, Presented{RefreshToken: "b", Binding: Binding{Grant: grant}})
	other := answered(answered(journaled, "c"), "d") // another holder was answered first, and went on
	late := answered(journaled, "c")
	for _, m := range []*Record{Merge(other, late), Merge(late, other)} {
		if c := m.Current(grant); c == nil || c.RefreshToken != "d" || m.Of(FingerprintOf("c")) != WasUsed {
			t.Errorf("got %s", content(t, m))
		}
	}
}

// What is carried over is numbered otherwise, and a token is not given again by that.
func TestNumbersDoNotSayWhatWasGivenAgain(t *testing.T) {
	r := began("a", "b")
	owed := answered(r, "c")
	carried := (&Record{Client: "erp2", Number: 50}).Carried(r)
	for _, offset := range []uint32{0, 50} {
		if c := carried.Late(owed, offset).Current(grant); c == nil || c.RefreshToken != "c" {
			t.Errorf("offset %d: the current token is %+v", offset, c)
		}
	}
}

// Each time it is given, a token is another one for whoever looks at the fingerprints.
func TestATokenThatIsGivenAgainIsTakenAndRefusedAgain(t *testing.T) {
	r := answered(began("a", "b"), "a")
	p := Presented{RefreshToken: "a", Again: r.Current(grant).Again, Binding: Binding{Grant: grant}}
	if r.Of(FingerprintOf("a")) != WasUsed || r.Of(p.Fingerprint()) != Living || r.LineageOf(p.Fingerprint()) != FingerprintOf("a") {
		t.Errorf("the record knows %v and %v", r.Of(FingerprintOf("a")), r.Of(p.Fingerprint()))
	}
	journaled := r.Journal(Attempt{Number: 3, ID: "p-3"}, p)
	if journaled.Open(p.Fingerprint()) == nil || len(journaled.Answered(3, p, Token{RefreshToken: "e"}).Attempts) > 0 {
		t.Errorf("its attempt is not known: %s", content(t, journaled))
	}
	if l := journaled.Refuse(3, p, true, &Loss{Cause: "refused"}).Lineages[0]; l.Current() != nil || l.LastRefused() == nil {
		t.Errorf("got %+v", l)
	}
	if left := answered(r, "a").Current(grant); left == nil || fmt.Sprint(left.RefreshToken, left.Again) != "a1" {
		t.Errorf("an answer that leaves it as it was makes it %+v", left)
	}
}
