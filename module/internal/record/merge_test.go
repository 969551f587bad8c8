package record

import (
	"fmt"
	"testing"
)

// algebra checks that Merge is a join on some records and all that joining them
// makes: commutative, associative, idempotent, and that nothing comes back by it.
// Each pair is joined once; the rest are look-ups.
func algebra(t *testing.T, some []*Record) {
	t.Helper()
	var all []*Record
	index := make(map[string]int)
	intern := func(r *Record) int {
		key := content(t, r)
		at, ok := index[key]
		if !ok {
			at = len(all)
			index[key] = at
			all = append(all, r)
		}
		return at
	}
	for _, r := range some {
		intern(Merge(r, r))
	}
	table := make(map[[2]int]int)
	for i := 0; i < len(all); i++ {
		for j := 0; j <= i; j++ {
			joined, other := Merge(all[i], all[j]), Merge(all[j], all[i])
			if !Equal(joined, other) {
				t.Fatalf("not commutative:\n%s\n%s\nmake\n%s\n%s", content(t, all[i]), content(t, all[j]), content(t, joined), content(t, other))
			}
			ab := intern(joined)
			table[[2]int{i, j}], table[[2]int{j, i}] = ab, ab
			monotone(t, all[i], all[ab])
			monotone(t, all[j], all[ab])
		}
		if table[[2]int{i, i}] != i {
			t.Fatalf("not idempotent:\n%s\nmakes\n%s", content(t, all[i]), content(t, all[table[[2]int{i, i}]]))
		}
	}
	flat := make([][]int, len(all))
	for i := range all {
		flat[i] = make([]int, len(all))
		for j := range all {
			flat[i][j] = table[[2]int{i, j}]
		}
	}
	for i := range all {
		for j := range all {
			for k := range all {
				if l, r := flat[flat[i][j]][k], flat[i][flat[j][k]]; l != r {
					t.Fatalf("not associative:\n%s\n%s\n%s\nmake\n%s\n%s", content(t, all[i]), content(t, all[j]), content(t, all[k]),
						content(t, all[l]), content(t, all[r]))
				}
			}
		}
	}
	t.Logf("%d records, closed under Merge", len(all))
}

// content is what a record says, whoever wrote it.
func content(t testing.TB, r *Record) string {
	t.Helper()
	c := *r
	c.Revision, c.WriteID = 1, ""
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// failer is what a testing.T and a rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// monotone checks that a record has at least what another one had before: nothing
// that was consumed comes back, nothing that was revoked lives, no word is older.
func monotone(t failer, before, after *Record) {
	t.Helper()
	if after.Number < before.Number || after.Generation < before.Generation {
		t.Fatalf("a counter fell: %+v\n%+v", before, after)
	}
	for i := range before.Lineages {
		b := &before.Lineages[i]
		a := after.Lineage(b.ID)
		if a == nil {
			t.Fatalf("lineage %v is gone", b.ID)
		}
		if a.Since < b.Since || a.Revoked < b.Revoked || a.horizon() < b.horizon() || a.lossNumber() < b.lossNumber() {
			t.Fatalf("lineage %v fell: %+v\n%+v", b.ID, b, a)
		}
		if b.Ended() && a.Since == b.Since && a.Current() != nil {
			t.Fatalf("what was revoked lives: %+v\n%+v", b, a)
		}
		for _, m := range b.Consumed {
			if a.token(m.Token()) != nil || !a.consumed(m.Token()) && m.Number > a.horizon() {
				t.Fatalf("what was consumed came back: %v\n%+v", m, a)
			}
		}
		for _, was := range b.Tokens {
			is := a.token(was.Fingerprint)
			if is == nil && !a.consumed(was.Fingerprint) && was.Number >= a.horizon() || is != nil && compareTokens(was, *is) > 0 {
				t.Fatalf("a word of %v is forgotten: %+v\n%+v", was.Fingerprint, b, a)
			}
		}
	}
}

// words of a token of a small record: nothing, or what an attempt with number 1 or 2
// said of it.
func someWords(secret string) (words [][]Token) {
	words = append(words, nil)
	for n := range uint32(2) {
		t := Token{RefreshToken: secret, Fingerprint: FingerprintOf(secret), Number: n + 1}
		for _, said := range []Said{Candidate, Held, Refused} {
			t.Said = said
			words = append(words, []Token{t})
		}
		t.RefreshToken, t.Said, t.Imported = "", Candidate, true
		words = append(words, []Token{t})
	}
	return words
}

func someMarks(secret string) [][]Mark {
	f := FingerprintOf(secret)
	return [][]Mark{nil, {MarkOf(f, 1)}, {MarkOf(f, 2)}}
}

func TestJoiningWordsMarksAndAttemptsIsAnAlgebra(t *testing.T) {
	x := FingerprintOf("x")
	attempts := [][]Attempt{
		nil,
		{{Number: 1, ID: "p-1", Fingerprint: x}},
		{{Number: 1, ID: "p-1", Fingerprint: x, Settled: true}},
		{{Number: 2, ID: "p-2", Fingerprint: x, UnansweredBy: "p-1"}},
		{{Number: 2, ID: "q-2", Fingerprint: x}},
	}
	var some []*Record
	for _, word := range someWords("x") {
		for _, marks := range someMarks("x") {
			for _, a := range attempts {
				some = append(some, &Record{Lineages: []Lineage{{ID: x, Since: 1, Tokens: word, Consumed: marks}}, Attempts: a})
			}
		}
	}
	algebra(t, some)
}

func TestJoiningLineagesIsAnAlgebra(t *testing.T) {
	var some []*Record
	for since := range uint32(3) {
		for revoked := range uint32(3) {
			for _, binding := range []Fingerprint{1, 2} {
				for _, word := range someWords("y")[:7] {
					for _, marks := range someMarks("y")[:2] {
						some = append(some, &Record{Lineages: []Lineage{{
							ID: 7, Since: since, Revoked: revoked, Binding: binding, TokenEndpoint: fmt.Sprint(binding), Tokens: word, Consumed: marks,
						}}})
					}
				}
			}
		}
	}
	algebra(t, some)
}

func TestJoiningTwoTokensOfALineageIsAnAlgebra(t *testing.T) {
	var some []*Record
	for since := range uint32(2) {
		for _, x := range someWords("x")[:7] {
			for _, y := range someWords("y")[:7] {
				for _, marks := range someMarks("x")[:2] {
					tokens := append(append([]Token(nil), x...), y...)
					some = append(some, &Record{Lineages: []Lineage{{ID: 7, Since: since, Binding: Fingerprint(len(x)), Tokens: tokens, Consumed: marks}}})
				}
			}
		}
	}
	algebra(t, some)
}

func TestJoiningLossesIsAnAlgebra(t *testing.T) {
	var some []*Record
	for _, number := range []uint32{1, 2} {
		for _, cause := range []string{"refused", "revoked"} {
			for _, l := range []Loss{{}, {Detail: "d"}, {Sentence: "s"}, {Imported: true}, {UnansweredBy: "p-1"}, {At: moment}, {Unanswered: moment}, {EndedAt: moment}} {
				l.Number, l.Cause = number, cause
				some = append(some, &Record{Lineages: []Lineage{{ID: 7, Loss: &l}}}, &Record{Lineages: []Lineage{{ID: 7}}})
			}
		}
	}
	algebra(t, some)
}

func TestJoiningAccessTokensIsAnAlgebra(t *testing.T) {
	var some []*Record
	each := func(request Fingerprint) [][]AccessToken {
		return [][]AccessToken{
			nil, {{Request: request, Number: 1, AccessToken: "a"}}, {{Request: request, Number: 1, AccessToken: "b"}}, {{Request: request, Number: 2}},
		}
	}
	for _, a := range each(1) {
		for _, b := range each(2) {
			for _, c := range each(3) {
				some = append(some, &Record{AccessTokens: append(append(append([]AccessToken(nil), a...), b...), c...)})
			}
		}
	}
	// Two holders' answers with one number that differ in one member.
	for _, a := range []AccessToken{
		{},
		{Lineage: 7},
		{Grant: 7},
		{IDToken: "i"},
		{TokenType: "t"},
		{Scope: "s"},
		{Unusable: "u"},
		{ObtainedAt: moment},
		{ExpiresAt: moment},
		{Response: map[string]string{"a": "1"}},
		{Response: map[string]string{"a": "2"}},
		{Response: map[string]string{"a": "", "b": "1"}},
		{Response: map[string]string{"c": ""}},
	} {
		a.Request, a.Number, a.AccessToken = 1, 1, "a"
		some = append(some, &Record{AccessTokens: []AccessToken{a}})
	}
	algebra(t, some)
}

func TestJoiningWhatARecordHasBesideIsAnAlgebra(t *testing.T) {
	var some []*Record
	for number := range uint32(2) {
		for _, lineages := range [][]Lineage{nil, {{ID: 1}}, {{ID: 2, Since: 2}}} {
			for _, forgotten := range [][]Mark{nil, {MarkOf(1, 1)}, {MarkOf(1, 2)}} {
				for _, unknown := range []map[string]jsonValue{nil, {"a": jsonValue("1")}, {"a": jsonValue("2")}, {"b": jsonValue("1")}} {
					some = append(some, &Record{
						Number: number, Generation: uint64(2 - number), Lineages: lineages, Forgotten: forgotten, unknown: unknown,
					})
				}
			}
		}
	}
	algebra(t, some)
}

func TestMergeTakesRevisionAndWriteIDOfTheSecond(t *testing.T) {
	a, b := &Record{Client: "erp", Revision: 9, WriteID: "a"}, &Record{Revision: 3, WriteID: "b"}
	if m := Merge(a, b); m.Revision != 3 || m.WriteID != "b" || m.Client != "erp" {
		t.Errorf("got %+v", m)
	}
}
