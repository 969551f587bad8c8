package record

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

// keptMarks bounds the consumed tokens that a lineage remembers one by one: 1.1 KiB of each
// client that has rotated as often.
const keptMarks = 96

// Merge joins two versions of a client's record: of each token the word of the
// attempt with the higher number holds, that it was consumed holds for ever. It is
// commutative, associative and idempotent but for Revision, WriteID, Written and Moved,
// which are those of a write, and are taken from b.
func Merge(a, b *Record) *Record {
	if a.Client == "" && Equal(a, new(Record)) {
		return b // and not a copy: a process begins with nothing, and there may be very many clients
	}
	m := &Record{
		Client: cmp.Or(a.Client, b.Client), Revision: b.Revision, WriteID: b.WriteID, Written: b.Written,
		Number: max(a.Number, b.Number), Generation: max(a.Generation, b.Generation),
		Lineages:     slices.Concat(a.Lineages, b.Lineages),
		Attempts:     slices.Concat(a.Attempts, b.Attempts),
		AccessTokens: slices.Concat(a.AccessTokens, b.AccessTokens),
		Keys:         slices.Concat(a.Keys, b.Keys),
		Forgotten:    mergeMarks(a.Forgotten, b.Forgotten),
		Paused:       latestPause(a.Paused, b.Paused),
		Moved:        b.Moved,
		unknown:      mergeUnknown(a.unknown, b.unknown),
	}
	m.normalise()
	return m
}

// keptAccessTokens is how many requests have their access token kept: the present
// configuration's, and that of another one that shares the record meanwhile.
const keptAccessTokens = 2

// normalise joins what its lists, which are its own, say of the same thing. It forgets
// attempts whose outcome is recorded, and old access tokens.
func (r *Record) normalise() {
	r.Lineages = union(r.Lineages, Lineage.key, mergeLineages)
	r.Attempts = without(union(r.Attempts, Attempt.key, larger(compareAttempts)), func(a Attempt) bool {
		return slices.ContainsFunc(r.Lineages, func(l Lineage) bool { return l.answers(&a) })
	})
	r.Keys = union(r.Keys, Key.key, larger(compareKeys))
	r.AccessTokens = largest(keptAccessTokens, union(r.AccessTokens, AccessToken.key, larger(compareAccess)), AccessToken.key, compareAccess)
}

func (l Lineage) key() Fingerprint     { return l.ID }
func (t Token) key() Fingerprint       { return t.Fingerprint }
func (a Attempt) key() Fingerprint     { return a.Fingerprint }
func (t AccessToken) key() Fingerprint { return t.Request }

// union sorts a list by key, in place, and joins what has the same one. An empty list
// is nil, as it is when it was read: it is not written.
func union[T any](list []T, key func(T) Fingerprint, both func(a, b T) T) []T {
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	joined := list[:0]
	for i, next := range list {
		if last := len(joined) - 1; i > 0 && key(joined[last]) == key(next) {
			joined[last] = both(joined[last], next)
			continue
		}
		joined = append(joined, next)
	}
	if len(joined) < len(list) {
		return slices.Clone(joined) // which takes no more memory than it needs
	}
	return joined
}

// without returns a list of its own, nil if nothing is left.
func without[T any](list []T, drop func(T) bool) (left []T) {
	for _, one := range list {
		if !drop(one) {
			left = append(left, one)
		}
	}
	return left
}

// largest drops the least of a list until there are no more than n.
func largest[T any](n int, list []T, key func(T) Fingerprint, compare func(a, b T) int) []T {
	for len(list) > n {
		least := key(slices.MinFunc(list, compare))
		list = without(list, func(one T) bool { return key(one) == least })
	}
	return list
}

func larger[T any](compare func(a, b T) int) func(a, b T) T {
	return func(a, b T) T {
		if compare(a, b) < 0 {
			return b
		}
		return a
	}
}

func mergeLineages(a, b Lineage) Lineage {
	l := Lineage{ID: a.ID, Since: max(a.Since, b.Since), Revoked: max(a.Revoked, b.Revoked)}
	// As long as no answer has begun a lineage, its candidate may be for whom it is
	// wanted by now.
	bound, wanted := a, 0
	if l.Since == 0 {
		wanted = cmp.Compare(a.newest(), b.newest())
	}
	if cmp.Or(cmp.Compare(a.Since, b.Since), wanted, cmp.Compare(a.Binding, b.Binding), cmp.Compare(a.TokenEndpoint, b.TokenEndpoint)) < 0 {
		bound = b
	}
	l.Binding, l.TokenEndpoint = bound.Binding, bound.TokenEndpoint
	l.Consumed = mergeMarks(a.Consumed, b.Consumed)
	l.Tokens = slices.Concat(a.Tokens, b.Tokens)
	if l.Loss = a.Loss; l.Loss == nil || b.Loss != nil && compareLoss(*a.Loss, *b.Loss) < 0 {
		l.Loss = b.Loss
	}
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
	marks := union(slices.Concat(a, b), Mark.Token, larger(compareMarks))
	slices.SortFunc(marks, compareMarks)
	return slices.Clone(marks[max(0, len(marks)-keptMarks):])
}

// normalise leaves of each token, in a list that is its own, the last word, and none
// of those that were consumed.
func (l *Lineage) normalise() {
	for _, t := range l.Tokens {
		if l.consumed(t.Fingerprint) { // as of the last word of it, so that no order of joins matters
			l.Consumed = mergeMarks(l.Consumed, []Mark{MarkOf(t.Fingerprint, t.Number)})
		}
	}
	horizon := l.horizon()
	l.Tokens = without(union(l.Tokens, Token.key, larger(compareTokens)), func(t Token) bool {
		return t.Number < horizon || l.consumed(t.Fingerprint)
	})
	slices.SortFunc(l.Tokens, compareTokens)
}

// answers reports whether the lineage tells the outcome of an attempt: by a word
// that is newer, or is the attempt's own and no candidate's.
func (l *Lineage) answers(a *Attempt) bool {
	t := l.token(a.Fingerprint)
	return l.consumed(a.Fingerprint) ||
		t != nil && (t.Number > a.Number || t.Number == a.Number && (t.Said != Candidate || t.RefreshToken == ""))
}

// words orders what an attempt may say, for the case that two have one number.
var words = map[Said]int{Candidate: 1, Held: 2, Refused: 3}

// compareTokens: of two words with one number, that of a candidate which was withdrawn,
// or of a refused token whose secret is not kept, is the later one.
func compareTokens(a, b Token) int {
	bare := compareBools(a.RefreshToken == "", b.RefreshToken == "")
	return compare(a, b, cmp.Compare(a.Number, b.Number), cmp.Compare(words[a.Said], words[b.Said]), bare, cmp.Compare(a.Fingerprint, b.Fingerprint))
}

// compareAttempts: of two with one ID the one that is settled is the later one.
func compareAttempts(a, b Attempt) int {
	return compare(a, b, cmp.Compare(a.Number, b.Number), cmp.Compare(a.ID, b.ID), compareBools(a.Settled, b.Settled))
}

func compareAccess(a, b AccessToken) int {
	return compare(a, b, cmp.Compare(a.Number, b.Number), a.ObtainedAt.Compare(b.ObtainedAt))
}

func compareLoss(a, b Loss) int { return compare(a, b, cmp.Compare(a.Number, b.Number)) }

func compareMarks(a, b Mark) int {
	return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Token(), b.Token()))
}

// compare orders two things by what counts, and then in any way that is the same for
// everybody who joins them.
func compare[T any](a, b T, counts ...int) int {
	if c := cmp.Or(counts...); c != 0 || reflect.DeepEqual(a, b) {
		return c
	}
	return cmp.Compare(fmt.Sprintf("%#v", a), fmt.Sprintf("%#v", b))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func mergeUnknown(a, b map[string]jsonValue) map[string]jsonValue {
	if len(a) == 0 {
		return b
	}
	all := maps.Clone(a)
	for name, value := range b {
		if string(value) > string(all[name]) {
			all[name] = value
		}
	}
	return all
}

// Equal reports whether two records say the same, whoever wrote them.
func Equal(a, b *Record) bool {
	x, y := *a, *b
	x.Client, x.Revision, x.WriteID, x.Written, x.Moved = y.Client, y.Revision, y.WriteID, y.Written, y.Moved
	return reflect.DeepEqual(x, y)
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
			if t := &l.Tokens[j]; t.Said == Held && ours.Key(t.Key) != nil && stored.Key(t.Key) == nil {
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

// Foreign reports whether a record was put there by somebody who does not share the past of
// ours: it does not know of the grant of a binding that lives in ours, but of another one.
func Foreign(ours, stored *Record, binding Fingerprint) bool {
	here, there := ours.Grant(binding), stored.Grant(binding)
	return here != nil && here.Current() != nil && there != nil && there.Current() != nil && !stored.Knows(here.ID) && !ours.Knows(there.ID)
}
