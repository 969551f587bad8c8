package record

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// holder changes a record as a process does that shares it with others.
type holder struct {
	name   string
	record *Record
}

var (
	grant   = FingerprintOf("grant")
	request = FingerprintOf("request")
)

// secrets are the refresh tokens of a small world, some with bytes that no text has.
var secrets = []string{"a", "b", "c\xff", "base64:d", "e", "f", "g", "h", "i", "j", "k", "l"}

func presented(t *rapid.T) Presented {
	imported := rapid.Bool().Draw(t, "imported")
	return Presented{
		RefreshToken: rapid.SampledFrom(secrets).Draw(t, "presented"), Again: uint32(rapid.IntRange(0, 1).Draw(t, "again")), Imported: imported,
		Overruled: imported && rapid.Bool().Draw(t, "overruled"), Candidate: imported || rapid.Bool().Draw(t, "candidate"),
		Binding: Binding{Grant: grant + Fingerprint(rapid.IntRange(0, 1).Draw(t, "binding")), Request: request, TokenEndpoint: "https://as.example/token"},
	}
}

// step makes one change, any, whether or not an engine would make it.
func (h *holder) step(t *rapid.T) *Record {
	r, p := h.record, presented(t)
	number := r.Number + uint32(rapid.IntRange(0, 1).Draw(t, "ahead"))
	at := moment
	f := p.Fingerprint()
	loss := Loss{Cause: "refused", Detail: h.name, At: at, Imported: p.Imported}
	switch rapid.SampledFrom([]string{"journal", "supply", "settle", "answered", "answered", "answered", "refuse", "withdraw", "displace", "revoke", "obtain", "count", "rest"}).Draw(t, "change") {
	case "journal":
		return r.Journal(Attempt{Number: number + 1, ID: fmt.Sprintf("%s-%d", h.name, number+1), At: at}, p)
	case "supply":
		return r.Supply(number, p)
	case "settle":
		return r.Settle(number)
	case "answered":
		brought := Token{ObtainedAt: at, ExpiresAt: at.AddDate(0, 0, rapid.IntRange(0, 2).Draw(t, "days"))}
		if rapid.Bool().Draw(t, "rotated") {
			brought.RefreshToken = rapid.SampledFrom(secrets).Draw(t, "brought")
		}
		return r.Answered(number, p, brought)
	case "refuse":
		if rapid.Bool().Draw(t, "lost") {
			return r.Refuse(number, p, true, &loss)
		}
		return r.Refuse(number, p, false, nil)
	case "withdraw":
		return r.Withdraw(number, p)
	case "displace":
		return r.Displace(number, p.Binding, rapid.SampledFrom(secrets).Draw(t, "seed"))
	case "revoke":
		loss.Cause = "revoked"
		if l := r.LineageOf(f); l != 0 {
			return r.Revoke(number, l, loss)
		}
	case "obtain":
		return r.Obtain(AccessToken{
			Request: request + Fingerprint(rapid.IntRange(0, 3).Draw(t, "request")), Grant: grant, Lineage: r.LineageOf(f), Number: number,
			AccessToken: rapid.SampledFrom([]string{"", "access", "other"}).Draw(t, "access"), ObtainedAt: at,
		})
	case "count":
		return r.Count()
	case "rest":
		return r.Rest(Pause{Number: number, Failures: uint8(rapid.IntRange(1, 3).Draw(t, "failures")), Until: at, Cause: h.name})
	}
	return r
}

// full reports whether a change may have forgotten something for want of room.
func full(r *Record) bool {
	return len(r.Lineages) >= keptLineages || len(r.Attempts) >= keptAttempts ||
		slices.ContainsFunc(r.Lineages, func(l Lineage) bool { return len(l.Tokens) >= keptTokens })
}

// A change writes to nothing that copies share, and makes of a record only one
// that stands higher: joined with what it was, it is the same.
func TestAChangeMovesARecordUpAndSharesNothingItWritesTo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := holder{"p", new(Record)}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			before := h.record
			was := content(t, before)
			after := h.step(rt)
			if is := content(t, before); is != was {
				rt.Fatalf("a change wrote to what it was given:\n%s\n%s", was, is)
			}
			joined, other := Merge(before, after), Merge(after, before)
			if !Equal(joined, other) {
				rt.Fatalf("not commutative:\n%s\n%s", content(t, joined), content(t, other))
			}
			if !full(before) && !full(after) && !Equal(joined, after) {
				rt.Fatalf("a change moved down:\n%s\n%s\njoined\n%s", was, content(t, after), content(t, joined))
			}
			if !full(before) && !full(after) {
				monotone(rt, before, after)
			}
			if is := content(t, before); is != was {
				rt.Fatalf("joining wrote to what it was given:\n%s\n%s", was, is)
			}
			h.record = after
		}
	})
}

// Holders change a record from a common past, and some have read each other's.
func TestWhatHoldersMadeOfARecordJoinsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		holders := []*holder{{name: "p"}, {name: "q"}, {name: "r"}}
		past := holder{"o", new(Record)}
		for range rapid.IntRange(0, 10).Draw(rt, "past") {
			past.record = past.step(rt)
		}
		for _, h := range holders {
			h.record = past.record
		}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			h := rapid.SampledFrom(holders).Draw(rt, "holder")
			if rapid.IntRange(0, 5).Draw(rt, "reads") == 0 {
				other := rapid.SampledFrom(holders).Draw(rt, "other")
				h.record = Merge(h.record, other.record)
				continue
			}
			h.record = h.step(rt)
		}
		a, b, c := holders[0].record, holders[1].record, holders[2].record
		agree(t, rt, a, b, c)
		for _, r := range []*Record{a, b, c} {
			monotone(rt, r, Merge(Merge(a, b), c))
		}
	})
}

func agree(t *testing.T, rt *rapid.T, a, b, c *Record) {
	t.Helper()
	want := Merge(Merge(a, b), c)
	for i, r := range []*Record{
		Merge(a, Merge(b, c)), Merge(Merge(a, c), b), Merge(Merge(c, b), a), Merge(c, Merge(b, a)), Merge(b, Merge(c, a)), Merge(want, want), Merge(want, b),
	} {
		if !Equal(r, want) {
			rt.Fatalf("order %d matters:\n%s\n%s\n%s\nmake\n%s\n%s", i, content(t, a), content(t, b), content(t, c), content(t, want), content(t, r))
		}
	}
}

// Three holders of a grant that has rotated beyond what a record remembers: each
// knows another part of its past.
func TestFullListsOfMarksJoinInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		part := func() *Record {
			l := Lineage{ID: 7, Since: 1}
			from := rapid.IntRange(0, 100).Draw(rt, "from")
			step := rapid.IntRange(1, 2).Draw(rt, "step")
			n := rapid.IntRange(0, keptMarks+20).Draw(rt, "marks")
			for i := range n {
				at := from + i*step
				l.Consumed = mergeMarks(l.Consumed, []Mark{MarkOf(FingerprintOf(fmt.Sprint("token", at)), uint32(at+1))})
			}
			for range rapid.IntRange(0, 4).Draw(rt, "tokens") {
				at := rapid.IntRange(0, 400).Draw(rt, "token")
				secret := fmt.Sprint("token", at)
				// Whatever is said of a token is said before its consumption.
				l.Tokens = append(l.Tokens, Token{RefreshToken: secret, Fingerprint: FingerprintOf(secret), Number: uint32(at), Said: Held})
				l.normalise()
			}
			return &Record{Lineages: []Lineage{l}, Forgotten: l.Consumed}
		}
		a, b, c := part(), part(), part()
		agree(t, rt, a, b, c)
		m := Merge(Merge(a, b), c)
		if n := len(m.Lineages[0].Consumed); n > keptMarks {
			rt.Fatalf("%d marks", n)
		}
		for _, r := range []*Record{a, b, c} {
			monotone(rt, r, m)
		}
	})
}

func TestATokenOlderThanAllThatIsRememberedCountsAsConsumed(t *testing.T) {
	r := rotated(keptMarks + 2)
	stale := &Record{Lineages: []Lineage{{ID: FingerprintOf("token 0"), Since: 1, Tokens: []Token{
		{RefreshToken: "token 1", Fingerprint: FingerprintOf("token 1"), Number: 1, Said: Held},
	}}}}
	m := Merge(stale, r)
	if got := m.Of(FingerprintOf("token 1")); got == Living || got == Unjudged {
		t.Errorf("a forgotten token is %v", got)
	}
	if got := m.Current(grant); got == nil || got.RefreshToken != fmt.Sprint("token ", keptMarks+2) {
		t.Errorf("current is %+v", got)
	}
}

// rotated is a record after that many answers, each of which brought a refresh token.
func rotated(times int) *Record {
	r := new(Record)
	for i := range times {
		p := Presented{RefreshToken: fmt.Sprint("token ", i), Binding: Binding{Grant: grant, Request: request}}
		r = r.Journal(Attempt{Number: uint32(i + 1), ID: fmt.Sprint("p-", i)}, p)
		r = r.Answered(uint32(i+1), p, Token{RefreshToken: fmt.Sprint("token ", i+1), ObtainedAt: moment}).Count()
	}
	return r
}

func TestARecordKeepsOnlyTheTwoNewestAccessTokens(t *testing.T) {
	r := new(Record)
	for i := range uint32(5) {
		r = r.Obtain(AccessToken{Request: Fingerprint(9 - i), Number: i + 1, AccessToken: "a"})
	}
	if len(r.AccessTokens) != 2 || r.Access(5) == nil || r.Access(6) == nil {
		t.Errorf("got %+v", r.AccessTokens)
	}
}

func TestAnAttemptOfATokenThatWasSuppliedAgainIsClosedInAnyOrder(t *testing.T) {
	p := Presented{RefreshToken: "a", Candidate: true, Imported: true, Binding: Binding{Grant: grant}}
	tried := new(Record).Journal(Attempt{Number: 1, ID: "p-1"}, p)
	withdrawn := tried.Withdraw(2, p)
	again := withdrawn.Supply(3, p)
	if a, b := Merge(tried, Merge(withdrawn, again)), Merge(tried, again); !Equal(a, b) || a.Open(FingerprintOf("a")) != nil {
		t.Errorf("got\n%s\n%s", content(t, a), content(t, b))
	}
	if got := again.Candidate(grant, true); got == nil || got.RefreshToken != "a" {
		t.Errorf("got candidate %+v", got)
	}
	if got := withdrawn.Candidate(grant, true); got != nil {
		t.Errorf("a withdrawn candidate is still one: %+v", got)
	}
}

func TestWithdrawnCandidatesDoNotPileUp(t *testing.T) {
	r := rotated(1)
	for i := range uint32(30) {
		p := Presented{RefreshToken: fmt.Sprint("import ", i), Candidate: true, Imported: true, Binding: Binding{Grant: grant}}
		r = r.Supply(r.Number+1, p).Withdraw(r.Number+2, p)
		r = r.Answered(r.Number+3, Presented{RefreshToken: r.Current(grant).RefreshToken, Binding: p.Binding}, Token{})
	}
	if n := len(r.Lineages); n > keptLineages {
		t.Errorf("%d lineages", n)
	}
	if r.Current(grant) == nil {
		t.Error("the grant is forgotten")
	}
}

func TestWhatIsSuppliedByHandDisplacesWhatWasSuppliedBefore(t *testing.T) {
	seed := Presented{RefreshToken: "a", Candidate: true, Binding: Binding{Grant: grant}}
	pending := Presented{RefreshToken: "b", Candidate: true, Imported: true, Binding: Binding{Grant: grant}}
	elsewhere := Presented{RefreshToken: "c", Candidate: true, Binding: Binding{Grant: grant + 1}}
	accepted := Presented{RefreshToken: "d", Candidate: true, Imported: true, Binding: Binding{Grant: grant}}
	r := new(Record).Supply(1, seed).Supply(2, pending).Supply(3, elsewhere)
	r = r.Answered(4, accepted, Token{RefreshToken: "e"}).Displace(4, accepted.Binding, "f")
	if r.Candidate(grant, true) != nil || r.Candidate(grant, false) != nil || r.Candidate(grant+1, false) == nil {
		t.Errorf("got %+v", r.Lineages)
	}
	for token, want := range map[string]bool{"a": true, "b": false, "c": false, "d": false, "e": false, "f": true, "g": false} {
		if got := r.Displaced(FingerprintOf(token), grant); got != want {
			t.Errorf("%s displaced: %v, want %v", token, got, want)
		}
	}
	seed.Imported = true
	if r = r.Supply(5, seed); r.Candidate(grant, true) == nil {
		t.Error("a displaced seed cannot be supplied by hand")
	}
}

func TestOnlyANewerSeedIsPresentedOnceMoreInsteadOfTheGrantsRefusedToken(t *testing.T) {
	r := rotated(1)
	lost := Presented{RefreshToken: r.Current(grant).RefreshToken, Binding: Binding{Grant: grant}}
	r = r.Refuse(r.Number+1, lost, true, &Loss{Cause: "refused"})
	for _, imported := range []bool{true, false} {
		other := Presented{RefreshToken: fmt.Sprint("supplied ", imported), Candidate: true, Imported: imported, Binding: lost.Binding}
		r = r.Refuse(r.Number+1, other, true, &Loss{Cause: "refused", Imported: imported})
		want := other.RefreshToken
		if imported {
			want = lost.RefreshToken
		}
		if got := r.Refused(grant); got == nil || got.RefreshToken != want {
			t.Errorf("imported %v: got %+v, want %s", imported, got, want)
		}
	}
}

// A holder that has not read of the revocation numbers its attempt as it likes.
func TestALateAnswerRevivesNoRevokedLineage(t *testing.T) {
	first := Presented{RefreshToken: "a", Candidate: true, Binding: Binding{Grant: grant}}
	common := new(Record).Supply(1, first)
	late := common.Answered(4, first, Token{RefreshToken: "c"})
	revoked := common.Answered(2, first, Token{RefreshToken: "b"}).Revoke(3, FingerprintOf("a"), Loss{Cause: "revoked"})
	for _, r := range []*Record{Merge(revoked, late), Merge(late, revoked), revoked.Answered(4, first, Token{RefreshToken: "c"})} {
		if got := r.Current(grant); got != nil {
			t.Errorf("%s lives", got.RefreshToken)
		}
	}
}
