package record

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// keptMarks bounds the consumed tokens that a lineage remembers one by one.
const keptMarks = 128

// Merge joins two versions of a client's record: of each token the word of the
// attempt with the higher number holds, that it was consumed holds for ever. It is
// commutative, associative and idempotent but for Revision, WriteID and Moved, which
// are those of a write, and are taken from b.
func Merge(a, b *Record) *Record {
	m := &Record{
		Client: cmp.Or(a.Client, b.Client), Revision: b.Revision, WriteID: b.WriteID,
		Number: max(a.Number, b.Number), Generation: max(a.Generation, b.Generation),
		Lineages:     join(a.Lineages, b.Lineages, Lineage.key, mergeLineages),
		Attempts:     join(a.Attempts, b.Attempts, Attempt.key, largest(compareAttempts)),
		AccessTokens: join(a.AccessTokens, b.AccessTokens, AccessToken.key, largest(compareAccess)),
		Forgotten:    mergeMarks(a.Forgotten, b.Forgotten),
		Moved:        b.Moved,
		unknown:      mergeUnknown(a, b),
	}
	m.normalise()
	return m
}

// join is the union of two lists, by key. both joins what has the same one.
func join[T any](a, b []T, key func(T) Fingerprint, both func(a, b T) T) []T {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	n := 0
	for _, next := range all[1:] {
		if key(all[n]) == key(next) {
			all[n] = both(all[n], next)
			continue
		}
		n++
		all[n] = next
	}
	return all[: n+1 : n+1]
}

func (l Lineage) key() Fingerprint     { return l.ID }
func (a Attempt) key() Fingerprint     { return a.Fingerprint }
func (t AccessToken) key() Fingerprint { return t.Request }

func mergeLineages(a, b Lineage) Lineage {
	l := Lineage{ID: a.ID, Since: max(a.Since, b.Since), Revoked: max(a.Revoked, b.Revoked)}
	// As long as no answer has begun a lineage, its candidate may be for whom it is
	// wanted by now.
	bound := larger(a, b, func(a, b Lineage) int {
		wanted := 0
		if l.Since == 0 {
			wanted = cmp.Compare(a.newest(), b.newest())
		}
		return cmp.Or(cmp.Compare(a.Since, b.Since), wanted, cmp.Compare(a.Binding, b.Binding), cmp.Compare(a.TokenEndpoint, b.TokenEndpoint))
	})
	l.Binding, l.TokenEndpoint = bound.Binding, bound.TokenEndpoint
	l.Consumed = mergeMarks(a.Consumed, b.Consumed)
	l.Tokens = slices.Concat(a.Tokens, b.Tokens)
	l.Loss = largerPointer(a.Loss, b.Loss, compareLoss)
	l.normalise()
	return l
}

// newest is the highest number that an attempt gave a token of the lineage.
func (l *Lineage) newest() (n uint32) {
	for i := range l.Tokens {
		n = max(n, l.Tokens[i].Number)
	}
	if last := len(l.Consumed) - 1; last >= 0 {
		n = max(n, l.Consumed[last].Number)
	}
	return n
}

// mergeMarks joins two lists by number, of each token the mark with the higher one.
func mergeMarks(a, b []Mark) []Mark {
	if len(b) == 0 || slices.Equal(a, b) {
		return a
	}
	marks := join(a, b, Mark.Token, largest(compareMarks))
	slices.SortFunc(marks, compareMarks)
	return slices.Clone(marks[max(0, len(marks)-keptMarks):])
}

// normalise leaves of each token the last word, and none of those that were
// consumed.
func (l *Lineage) normalise() {
	for _, t := range l.Tokens {
		if l.consumed(t.Fingerprint) { // as of the last word of it, so that no order of joins matters
			l.Consumed = mergeMarks(l.Consumed, []Mark{MarkOf(t.Fingerprint, t.Number)})
		}
	}
	horizon := l.horizon()
	l.Tokens = slices.DeleteFunc(l.Tokens, func(t Token) bool { return t.Number < horizon || l.consumed(t.Fingerprint) })
	slices.SortFunc(l.Tokens, func(a, b Token) int {
		return cmp.Or(cmp.Compare(a.Fingerprint, b.Fingerprint), -compareTokens(a, b))
	})
	l.Tokens = slices.CompactFunc(l.Tokens, func(a, b Token) bool { return a.Fingerprint == b.Fingerprint })
	slices.SortFunc(l.Tokens, compareTokens)
}

// normalise forgets attempts whose outcome is recorded, and old access tokens.
func (r *Record) normalise() {
	r.Attempts = slices.DeleteFunc(slices.Clone(r.Attempts), func(a Attempt) bool {
		return slices.ContainsFunc(r.Lineages, func(l Lineage) bool { return l.answers(&a) })
	})
	if len(r.AccessTokens) > keptAccessTokens {
		newest := slices.Clone(r.AccessTokens)
		slices.SortFunc(newest, compareAccess)
		r.AccessTokens = join(nil, newest[len(newest)-keptAccessTokens:], AccessToken.key, largest(compareAccess))
	}
}

// keptAccessTokens is how many requests have their access token kept: the present
// configuration's, and that of another one that shares the record meanwhile.
const keptAccessTokens = 2

// answers reports whether the lineage tells the outcome of an attempt: by a word
// that is newer, or is the attempt's own and no candidate's.
func (l *Lineage) answers(a *Attempt) bool {
	if l.consumed(a.Fingerprint) {
		return true
	}
	return slices.ContainsFunc(l.Tokens, func(t Token) bool {
		return t.Fingerprint == a.Fingerprint &&
			(t.Number > a.Number || t.Number == a.Number && (t.Said != Candidate || t.RefreshToken == ""))
	})
}

func larger[T any](a, b T, compare func(a, b T) int) T {
	if compare(a, b) < 0 {
		return b
	}
	return a
}

func largest[T any](compare func(a, b T) int) func(a, b T) T {
	return func(a, b T) T { return larger(a, b, compare) }
}

func largerPointer[T any](a, b *T, compare func(a, b T) int) *T {
	if a == nil || b != nil && compare(*a, *b) < 0 {
		return b
	}
	return a
}

func compareMarks(a, b Mark) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Token(), b.Token()))
}

// words orders what an attempt may say, for the case that two have one number.
var words = map[Said]int{Candidate: 1, Held: 2, Refused: 3}

func compareTokens(a, b Token) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(words[a.Said], words[b.Said]),
		cmp.Compare(b.kept(), a.kept()), cmp.Compare(a.Fingerprint, b.Fingerprint), compareBools(a.Imported, b.Imported),
		a.ExpiresAt.Compare(b.ExpiresAt), a.ObtainedAt.Compare(b.ObtainedAt), a.MovedAt.Compare(b.MovedAt))
}

// kept is 1 if the secret is there: a candidate that was withdrawn, or the refused
// one that nobody will present again, has none.
func (t *Token) kept() int {
	if t.RefreshToken == "" {
		return 0
	}
	return 1
}

func compareBools(a, b bool) int {
	if a == b {
		return 0
	}
	if b {
		return -1
	}
	return 1
}

// compareAttempts orders attempts with one refresh token: of two with one ID the
// one that is settled is the later one.
func compareAttempts(a, b Attempt) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID), compareBools(a.Settled, b.Settled), a.At.Compare(b.At),
		b.Unanswered.Compare(a.Unanswered), cmp.Compare(a.UnansweredBy, b.UnansweredBy), cmp.Compare(a.Fingerprint, b.Fingerprint))
}

func compareAccess(a, b AccessToken) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), a.ObtainedAt.Compare(b.ObtainedAt), cmp.Compare(a.AccessToken, b.AccessToken),
		a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.Request, b.Request), cmp.Compare(a.Grant, b.Grant), cmp.Compare(a.Lineage, b.Lineage),
		cmp.Compare(a.IDToken, b.IDToken), cmp.Compare(a.TokenType, b.TokenType), cmp.Compare(a.Scope, b.Scope),
		cmp.Compare(a.Unusable, b.Unusable), compareMaps(a.Response, b.Response))
}

func compareMaps(a, b map[string]string) int {
	if maps.Equal(a, b) {
		return 0
	}
	return cmp.Compare(fmt.Sprintf("%q", a), fmt.Sprintf("%q", b))
}

func compareLoss(a, b Loss) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Cause, b.Cause), a.At.Compare(b.At),
		cmp.Compare(a.Detail, b.Detail), cmp.Compare(a.Sentence, b.Sentence), a.Unanswered.Compare(b.Unanswered), cmp.Compare(a.UnansweredBy, b.UnansweredBy),
		compareBools(a.Imported, b.Imported), a.EndedAt.Compare(b.EndedAt))
}

func mergeUnknown(a, b *Record) map[string]jsonValue {
	if len(b.unknown) == 0 {
		return a.unknown
	}
	all := maps.Clone(b.unknown)
	for name, value := range a.unknown {
		if string(value) > string(all[name]) {
			if all == nil {
				all = make(map[string]jsonValue)
			}
			all[name] = value
		}
	}
	return all
}

// Equal reports whether two records say the same, whoever wrote them.
func Equal(a, b *Record) bool {
	if a == b {
		return true
	}
	return a.Number == b.Number && a.Generation == b.Generation && slices.Equal(a.Forgotten, b.Forgotten) &&
		slices.EqualFunc(a.Lineages, b.Lineages, equalLineages) &&
		slices.EqualFunc(a.Attempts, b.Attempts, same(compareAttempts)) &&
		slices.EqualFunc(a.AccessTokens, b.AccessTokens, same(compareAccess)) &&
		maps.EqualFunc(a.unknown, b.unknown, func(a, b jsonValue) bool { return string(a) == string(b) })
}

func equalLineages(a, b Lineage) bool {
	return a.ID == b.ID && a.Binding == b.Binding && a.TokenEndpoint == b.TokenEndpoint && a.Since == b.Since && a.Revoked == b.Revoked &&
		slices.EqualFunc(a.Tokens, b.Tokens, same(compareTokens)) && slices.Equal(a.Consumed, b.Consumed) &&
		(a.Loss == nil) == (b.Loss == nil) && (a.Loss == nil || compareLoss(*a.Loss, *b.Loss) == 0)
}

func same[T any](compare func(a, b T) int) func(a, b T) bool {
	return func(a, b T) bool { return compare(a, b) == 0 }
}

// Holds reports whether a record has what another one has of living grants: each
// held token, and each end of one. What is missing is not to be lost.
func Holds(stored, ours *Record) bool {
	for i := range ours.Lineages {
		l := &ours.Lineages[i]
		theirs := stored.Lineage(l.ID)
		for j := range l.Tokens {
			if t := &l.Tokens[j]; t.Said == Held && ours.Of(t.Fingerprint) == Living && stored.Of(t.Fingerprint) == Unknown {
				return false
			}
		}
		if theirs != nil && theirs.Revoked < l.Revoked {
			return false
		}
	}
	return true
}

// rounded is a time as a record keeps it, and can write it.
func rounded(t time.Time) time.Time { return storable(t).Round(0) }
