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

	// Again is the token's, as the record has it.
	Again uint32

	// Candidate says that no answer has judged it yet, and Imported that an operator
	// supplied it by hand.
	Candidate, Imported bool

	// Overruled says that it was although the token may have been spent, or may be or have
	// been another client's.
	Overruled bool

	// Binding is who it is presented to.
	Binding Binding

	// Key is the one whose proof goes along, or that it was supplied with; zero if none is.
	Key Key
}

// Fingerprint is what the record knows the token by.
func (p *Presented) Fingerprint() Fingerprint { return issued(p.RefreshToken, p.Again) }

// with joins what one attempt says to the record, and forgets what there is no room
// for: that is all that a change is.
func (r *Record) with(said *Record) *Record {
	c := Merge(said, r)
	c.bound()
	return c
}

// about begins what an attempt says of the token that it presents.
func (r *Record) about(p Presented) Lineage {
	f := p.Fingerprint()
	return Lineage{ID: cmp.Or(r.LineageOf(f), f), Binding: p.Binding.Grant, TokenEndpoint: p.Binding.TokenEndpoint}
}

// Journal notes an attempt that is about to be made. The record takes its number,
// and a candidate, so that no crash forgets it.
func (r *Record) Journal(a Attempt, p Presented) *Record {
	a.Fingerprint, a.At = p.Fingerprint(), rounded(a.At)
	if last := r.Open(a.Fingerprint); last != nil {
		a.Unanswered, a.UnansweredBy = last.At, last.ID
		if !last.Unanswered.IsZero() {
			a.Unanswered, a.UnansweredBy = last.Unanswered, last.UnansweredBy
		}
	}
	c := r.with(&Record{Number: a.Number, Attempts: []Attempt{a}}).Hold(a.Number, p.Key)
	if p.Candidate {
		return c.Supply(a.Number, p)
	}
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
	l := r.about(p)
	t := Token{RefreshToken: kept, Fingerprint: p.Fingerprint(), Again: p.Again, Number: number, Said: Candidate, Imported: p.Imported}
	if kept != "" {
		t.Key, t.Overruled = p.Key.ID, p.Overruled
	}
	l.Tokens = []Token{t}
	return r.with(&Record{Number: number, Lineages: []Lineage{l}}).Hold(number, p.Key)
}

// Settle notes that an attempt consumed nothing.
func (r *Record) Settle(number uint32) *Record {
	for _, a := range r.Attempts {
		if a.Number == number {
			a.Settled = true
			return r.with(&Record{Attempts: []Attempt{a}})
		}
	}
	return r
}

// Answered notes that an answer gave a refresh token, or left the one that was
// presented as it was: brought.RefreshToken is "" then. brought.ObtainedAt is the
// answer's, and brought.ExpiresAt when the grant ends as far as that is known.
func (r *Record) Answered(number uint32, p Presented, brought Token) *Record {
	presented, l := p.Fingerprint(), r.about(p)
	known := r.Lineage(l.ID)
	if known == nil {
		known = new(Lineage)
	}
	if known.Since == 0 || l.ID == presented {
		l.Since = number
	}
	r.identify(&brought, p)
	brought.Number, brought.Said, brought.Imported, brought.Key = number, Held, false, p.Key.ID
	brought.ObtainedAt, brought.ExpiresAt = rounded(brought.ObtainedAt), rounded(brought.ExpiresAt)
	brought.MovedAt = brought.moved(known.Current())
	if brought.Fingerprint != presented {
		l.Consumed = []Mark{MarkOf(presented, number)}
	}
	l.Tokens = []Token{brought}
	return r.with(&Record{Number: number, Lineages: []Lineage{l}})
}

// identify says which token an answer gave: the one that was presented if it names none, and
// one that was consumed before as one that is given again. Whoever asked knew that it was
// consumed, so that the server gave it after that: what it gives is valid from then on.
func (r *Record) identify(brought *Token, p Presented) {
	if brought.RefreshToken == "" || brought.RefreshToken == p.RefreshToken {
		brought.RefreshToken, brought.Fingerprint, brought.Again = p.RefreshToken, p.Fingerprint(), p.Again
		return
	}
	for brought.Again = 0; ; brought.Again++ {
		brought.Fingerprint = issued(brought.RefreshToken, brought.Again)
		if r.Of(brought.Fingerprint) != WasUsed {
			return
		}
	}
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
	l, t := r.about(p), Token{Fingerprint: p.Fingerprint(), Again: p.Again, Number: number, Said: Refused}
	if keep {
		t.RefreshToken = p.RefreshToken
	}
	l.Tokens = []Token{t}
	if loss != nil {
		l.Loss = loss.by(number)
	}
	return r.with(&Record{Number: number, Lineages: []Lineage{l}})
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
	l := Lineage{ID: lineage, Revoked: number, Loss: loss.by(number)}
	if known := r.Lineage(lineage); known != nil {
		l.Binding, l.TokenEndpoint = known.Binding, known.TokenEndpoint
		for _, t := range known.Tokens {
			l.Consumed = append(l.Consumed, MarkOf(t.Fingerprint, number))
		}
	}
	return r.with(&Record{Number: number, Lineages: []Lineage{l}})
}

// by returns the loss that an attempt showed, as a record keeps it.
func (l Loss) by(number uint32) *Loss {
	l.Number, l.At, l.Unanswered, l.EndedAt = number, rounded(l.At), rounded(l.Unanswered), rounded(l.EndedAt)
	return &l
}

// Obtain notes the access token of an answer. An empty one says that the former one
// has ended.
func (r *Record) Obtain(t AccessToken) *Record {
	t.ObtainedAt, t.ExpiresAt = rounded(t.ObtainedAt), rounded(t.ExpiresAt)
	if len(t.Response) == 0 {
		t.Response = nil
	}
	return r.with(&Record{Number: t.Number, AccessTokens: []AccessToken{t}})
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

// bound forgets the oldest attempts, spares and refused tokens, and the oldest of the
// lineages that hold nothing.
func (r *Record) bound() {
	r.Attempts = largest(keptAttempts, r.Attempts, Attempt.key, compareAttempts)
	for i := range r.Lineages {
		r.Lineages[i].bound()
	}
	defer r.boundKeys()
	for len(r.Lineages) > keptLineages {
		idle := without(r.Lineages, func(l Lineage) bool {
			return r.Grant(l.Binding) != nil && r.Grant(l.Binding).ID == l.ID ||
				slices.ContainsFunc(l.Tokens, func(t Token) bool { return t.Said == Candidate && t.RefreshToken != "" })
		})
		if len(idle) == 0 {
			return
		}
		oldest := slices.MinFunc(idle, func(a, b Lineage) int { return cmp.Compare(a.age(), b.age()) })
		r.Forgotten = mergeMarks(r.Forgotten, []Mark{MarkOf(oldest.ID, oldest.age())})
		r.Lineages = without(r.Lineages, func(l Lineage) bool { return l.ID == oldest.ID })
	}
}

func (l *Lineage) bound() {
	if len(l.Tokens) <= keptTokens {
		return
	}
	newer := make(map[Said]int)
	for _, t := range l.Tokens {
		newer[t.Said]++
	}
	l.Tokens = without(l.Tokens, func(t Token) bool {
		newer[t.Said]--
		return t.Said != Candidate && newer[t.Said] >= keptTokens
	})
}

func (l *Lineage) age() uint32 { return max(l.Since, l.newest(), l.Revoked) }
