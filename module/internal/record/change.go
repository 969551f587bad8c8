package record

import (
	"cmp"
	"slices"
	"time"
)

// Bounds of what a record keeps beside what lives. They hold where something is
// added, never where records are joined: joining forgets nothing but marks.
const (
	keptLineages = 8
	keptTokens   = 4 // held ones, and refused ones, of a lineage
	keptAttempts = 8
)

// Presented is what an attempt presents.
type Presented struct {
	// RefreshToken is the token.
	RefreshToken string

	// Candidate says that no answer has judged it yet, and Imported that an operator
	// supplied it by hand.
	Candidate, Imported bool

	// Binding is who it is presented to.
	Binding Binding
}

// Journal notes an attempt that is about to be made. The record takes its number,
// and a candidate, so that no crash forgets it.
func (r *Record) Journal(a Attempt, p Presented) *Record {
	c := r.copy()
	c.Number = max(c.Number, a.Number)
	a.Fingerprint, a.At = FingerprintOf(p.RefreshToken), rounded(a.At)
	if last := r.Open(a.Fingerprint); last != nil {
		a.Unanswered, a.UnansweredBy = last.At, last.ID
		if !last.Unanswered.IsZero() {
			a.Unanswered, a.UnansweredBy = last.Unanswered, last.UnansweredBy
		}
	}
	c.Attempts = join(c.Attempts, []Attempt{a}, Attempt.key, largest(compareAttempts))
	for len(c.Attempts) > keptAttempts {
		oldest := slices.MinFunc(c.Attempts, compareAttempts)
		c.Attempts = slices.DeleteFunc(c.Attempts, func(a Attempt) bool { return a.Fingerprint == oldest.Fingerprint })
	}
	if p.Candidate {
		return c.Supply(a.Number, p)
	}
	c.normalise()
	return c
}

// Supply notes a candidate.
func (r *Record) Supply(number uint32, p Presented) *Record {
	return r.supplied(number, p, p.RefreshToken)
}

// Withdraw notes that a candidate is not to be tried any more, although no answer
// judged it. It may be supplied again, by hand in any case.
func (r *Record) Withdraw(number uint32, p Presented) *Record { return r.supplied(number, p, "") }

func (r *Record) supplied(number uint32, p Presented, kept string) *Record {
	c := r.copy()
	c.Number = max(c.Number, number)
	f := FingerprintOf(p.RefreshToken)
	l := c.edit(cmp.Or(c.LineageOf(f), f))
	*l = mergeLineages(*l, Lineage{
		ID: l.ID, Binding: p.Binding.Grant, TokenEndpoint: p.Binding.TokenEndpoint,
		Tokens: []Token{{RefreshToken: kept, Fingerprint: f, Number: number, Said: Candidate, Imported: p.Imported}},
	})
	c.normalise()
	return c
}

// Settle notes that an attempt consumed nothing.
func (r *Record) Settle(number uint32) *Record {
	at := slices.IndexFunc(r.Attempts, func(a Attempt) bool { return a.Number == number && !a.Settled })
	if at < 0 {
		return r
	}
	c := r.copy()
	c.Attempts = slices.Clone(c.Attempts)
	c.Attempts[at].Settled = true
	return c
}

// Answered notes that an answer gave a refresh token, or left the one that was
// presented as it was: brought.RefreshToken is "" then. brought.ObtainedAt is the
// answer's, and brought.ExpiresAt when the grant ends as far as that is known.
func (r *Record) Answered(number uint32, p Presented, brought Token) *Record {
	c := r.copy()
	c.Number = max(c.Number, number)
	presented := FingerprintOf(p.RefreshToken)
	l := c.edit(cmp.Or(c.LineageOf(presented), presented))
	if number > l.Since && (l.Since == 0 || l.ID == presented) {
		l.Binding, l.TokenEndpoint = p.Binding.Grant, p.Binding.TokenEndpoint
		l.Since = number
	}
	former := l.Current()
	if brought.RefreshToken == "" {
		brought.RefreshToken = p.RefreshToken
	}
	brought.Fingerprint = FingerprintOf(brought.RefreshToken)
	brought.Number, brought.Said, brought.Imported = number, Held, false
	brought.ObtainedAt, brought.ExpiresAt = rounded(brought.ObtainedAt), rounded(brought.ExpiresAt)
	brought.MovedAt = brought.moved(former)
	if brought.Fingerprint != presented {
		l.consume(presented, number)
	}
	l.put(brought)
	l.bound()
	c.normalise()
	c.bound()
	return c
}

// unmoved is the least that the end of a grant moves by when it does: servers that
// repeat a fixed end round it.
const unmoved = 2 * time.Second

// moved is when the end of the grant was last moved, if the token comes after
// former.
func (t *Token) moved(former *Token) time.Time {
	switch {
	case t.ExpiresAt.IsZero():
		return time.Time{}
	case former == nil, former.ExpiresAt.IsZero(), former.MovedAt.IsZero(), t.ExpiresAt.Sub(former.ExpiresAt) >= unmoved:
		return t.ObtainedAt
	}
	return former.MovedAt
}

// Refuse notes that the server refused a token. keep says that its secret is kept:
// an operator may have it presented once more. loss says how the grant ended by
// that, nil if it did not.
func (r *Record) Refuse(number uint32, p Presented, keep bool, loss *Loss) *Record {
	c := r.copy()
	c.Number = max(c.Number, number)
	f := FingerprintOf(p.RefreshToken)
	l := c.edit(cmp.Or(c.LineageOf(f), f))
	if l.Binding == 0 || l.Since == 0 && number > l.newest() {
		l.Binding, l.TokenEndpoint = p.Binding.Grant, p.Binding.TokenEndpoint
	}
	t := Token{Fingerprint: f, Number: number, Said: Refused}
	if keep {
		t.RefreshToken = p.RefreshToken
	}
	l.put(t)
	if loss != nil {
		own := *loss
		own.Number, own.At, own.Unanswered, own.EndedAt = number, rounded(own.At), rounded(own.Unanswered), rounded(own.EndedAt)
		l.Loss = largerPointer(l.Loss, &own, compareLoss)
	}
	l.bound()
	c.normalise()
	c.bound()
	return c
}

// Displace notes that a refresh token was accepted which was supplied by hand: what
// was supplied before, the configuration's seed among it, is not to be tried any more.
func (r *Record) Displace(number uint32, to Binding, seed string) *Record {
	c := r
	for i := range r.Lineages {
		for _, t := range r.Lineages[i].Tokens {
			if r.Lineages[i].Binding == to.Grant && t.Said == Candidate && t.RefreshToken != "" {
				c = c.Withdraw(number, Presented{RefreshToken: t.RefreshToken, Imported: t.Imported, Binding: to})
			}
		}
	}
	if f := FingerprintOf(seed); f != 0 && (c.Of(f) <= Unjudged || c.RefusedElsewhere(f, to.Grant)) {
		c = c.Withdraw(number, Presented{RefreshToken: seed, Binding: to})
	}
	return c
}

// Revoke notes that a grant was ended: what it had is never presented again,
// whatever is joined into the record later.
func (r *Record) Revoke(number uint32, lineage Fingerprint, loss Loss) *Record {
	c := r.copy()
	c.Number = max(c.Number, number)
	l := c.edit(lineage)
	l.Revoked = max(l.Revoked, number)
	for _, t := range l.Tokens {
		l.consume(t.Fingerprint, number)
	}
	loss.Number, loss.At, loss.Unanswered = number, rounded(loss.At), rounded(loss.Unanswered)
	l.Loss = largerPointer(l.Loss, &loss, compareLoss)
	c.normalise()
	return c
}

// Obtain notes the access token of an answer, and counts it unless it is the one
// that the record has. An empty one says that the former one has ended.
func (r *Record) Obtain(t AccessToken) *Record {
	c := r.copy()
	t.ObtainedAt, t.ExpiresAt = rounded(t.ObtainedAt), rounded(t.ExpiresAt)
	c.Number = max(c.Number, t.Number)
	c.AccessTokens = join(c.AccessTokens, []AccessToken{t}, AccessToken.key, largest(compareAccess))
	c.normalise()
	return c
}

// Count counts an answer that was kept.
func (r *Record) Count() *Record {
	c := r.copy()
	c.Generation++
	return c
}

// copy returns a record whose lists may be replaced, and not written to.
func (r *Record) copy() *Record {
	c := *r
	return &c
}

// edit returns the lineage of that ID in a list of the record's own, added if it is
// new. Its lists may be replaced, and not written to.
func (r *Record) edit(id Fingerprint) *Lineage {
	r.Lineages = slices.Clone(r.Lineages)
	at, found := slices.BinarySearchFunc(r.Lineages, id, func(l Lineage, id Fingerprint) int { return cmp.Compare(l.ID, id) })
	if !found {
		r.Lineages = slices.Insert(r.Lineages, at, Lineage{ID: id})
	}
	return &r.Lineages[at]
}

// put notes what an attempt says of a token.
func (l *Lineage) put(t Token) {
	l.Tokens = append(slices.Clone(l.Tokens), t)
	l.normalise()
}

func (l *Lineage) consume(f Fingerprint, number uint32) {
	l.Consumed = mergeMarks(l.Consumed, []Mark{MarkOf(f, number)})
	l.Tokens = slices.Clone(l.Tokens)
	l.normalise()
}

// bound forgets the oldest spares, and the oldest refused tokens.
func (l *Lineage) bound() {
	for _, said := range []Said{Held, Refused} {
		n := 0
		for i := len(l.Tokens) - 1; i >= 0; i-- {
			if l.Tokens[i].Said != said {
				continue
			}
			if n++; n > keptTokens {
				l.Tokens = slices.Delete(slices.Clone(l.Tokens), i, i+1)
			}
		}
	}
}

// bound forgets the oldest of the lineages that hold nothing.
func (r *Record) bound() {
	for len(r.Lineages) > keptLineages {
		oldest := -1
		for i := range r.Lineages {
			l := &r.Lineages[i]
			if r.Grant(l.Binding) == l || slices.ContainsFunc(l.Tokens, func(t Token) bool { return t.Said == Candidate && t.RefreshToken != "" }) {
				continue
			}
			if oldest < 0 || l.age() < r.Lineages[oldest].age() {
				oldest = i
			}
		}
		if oldest < 0 {
			return
		}
		l := &r.Lineages[oldest]
		r.Forgotten = mergeMarks(r.Forgotten, []Mark{MarkOf(l.ID, l.age())})
		r.Lineages = slices.Delete(slices.Clone(r.Lineages), oldest, oldest+1)
	}
}

func (l *Lineage) age() uint32 { return max(l.Since, l.newest(), l.Revoked) }
