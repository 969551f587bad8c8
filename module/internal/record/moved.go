package record

import (
	"cmp"
	"slices"
)

// Moved says that a client's grant was carried over to another record. What is left
// here is a tombstone: nothing in it is presented, and nobody writes over it from
// memory.
type Moved struct {
	// Client is the name that the grant has now.
	Client string `json:"client"`

	// Store is where its record is, in the words of the command that moves it back;
	// "" if that is this store.
	Store string `json:"store,omitempty"`

	// Place is its record, for people.
	Place string `json:"place"`

	// Offset is by how much the attempts of this record are numbered higher there. What
	// this record is still owed is joined with that one by the same.
	Offset uint32 `json:"offset,omitempty"`
}

// MoveTo returns the record as a tombstone that still has its content: until that is
// in the other place, it is nowhere else.
func (r *Record) MoveTo(to Moved) *Record {
	c := r.copy()
	c.Moved = &to
	return c
}

// Stripped returns a tombstone without what was carried over. What was a refresh
// token here counts as refused, whatever names it; if the grant is carried back, its
// word is the later one.
func (r *Record) Stripped() *Record {
	c := r.copy()
	c.AccessTokens, c.Attempts, c.Paused, c.Keys = nil, nil, nil, nil
	c.Lineages = slices.Clone(c.Lineages)
	for i := range c.Lineages {
		l := &c.Lineages[i]
		l.Tokens = slices.Clone(l.Tokens)
		for j := range l.Tokens {
			t := &l.Tokens[j]
			*t = Token{Fingerprint: t.Fingerprint, Again: t.Again, Number: t.Number, Said: Refused}
		}
		l.Loss = nil
	}
	return c
}

// Pending reports whether a tombstone still has what was to be carried over.
func (r *Record) Pending() bool {
	if r.Moved == nil {
		return false
	}
	return len(r.AccessTokens)+len(r.Keys) > 0 || slices.ContainsFunc(r.Lineages, func(l Lineage) bool {
		return slices.ContainsFunc(l.Tokens, func(t Token) bool { return t.RefreshToken != "" })
	})
}

// Carried returns the record of a client that takes over what another one has, which
// counts as newer than what it had itself. It is the same record if it has that
// already.
func (r *Record) Carried(from *Record) *Record {
	if r.Moved == nil && r.hasAll(from) {
		return r
	}
	c := r.Late(from, r.Number)
	c.Moved = nil
	return c
}

// Late returns the record of a client that has taken a grant over, joined with what was
// still owed to where the grant was before. Their numbers differ by [Moved.Offset].
func (r *Record) Late(from *Record, offset uint32) *Record {
	c := Merge(r, from.later(offset))
	c.Client, c.Revision, c.WriteID, c.Moved = r.Client, r.Revision, "", r.Moved
	return c
}

// hasAll reports whether each refresh token of another record is known, each grant as
// one, and each attempt of which nobody knows what became.
func (r *Record) hasAll(from *Record) bool {
	for i := range from.Lineages {
		l := &from.Lineages[i]
		if known := r.Lineage(l.ID); l.Since > 0 && (known == nil || known.Since == 0) {
			return false
		}
		for _, t := range l.Tokens {
			if r.Of(t.Fingerprint) == Unknown {
				return false
			}
		}
	}
	for i := range from.Attempts {
		if a := &from.Attempts[i]; a.Open() && r.Of(a.Fingerprint) <= Unjudged && !r.repeats(a) {
			return false
		}
	}
	return len(from.Lineages) > 0 || len(r.AccessTokens) > 0
}

// repeats reports whether the record knows of an attempt, or of one after it with the
// same refresh token.
func (r *Record) repeats(a *Attempt) bool {
	return slices.ContainsFunc(r.Attempts, func(own Attempt) bool {
		return own.ID == a.ID || own.UnansweredBy == cmp.Or(a.UnansweredBy, a.ID)
	})
}

// later returns the record with all its attempts numbered by so much higher.
func (r *Record) later(by uint32) *Record {
	c := r.copy()
	up := func(n *uint32) {
		if *n > 0 {
			*n += by
		}
	}
	marks := func(list []Mark) []Mark {
		list = slices.Clone(list)
		for i := range list {
			up(&list[i].Number)
		}
		return list
	}
	up(&c.Number)
	c.Lineages, c.Attempts, c.AccessTokens = slices.Clone(c.Lineages), slices.Clone(c.Attempts), slices.Clone(c.AccessTokens)
	c.Keys = slices.Clone(c.Keys)
	for i := range c.Keys {
		up(&c.Keys[i].Number)
	}
	for i := range c.Lineages {
		l := &c.Lineages[i]
		up(&l.Since)
		up(&l.Revoked)
		l.Tokens, l.Consumed = slices.Clone(l.Tokens), marks(l.Consumed)
		for j := range l.Tokens {
			up(&l.Tokens[j].Number)
		}
		if l.Loss != nil {
			loss := *l.Loss
			up(&loss.Number)
			l.Loss = &loss
		}
	}
	for i := range c.Attempts {
		up(&c.Attempts[i].Number)
	}
	for i := range c.AccessTokens {
		up(&c.AccessTokens[i].Number)
	}
	if c.Paused != nil {
		pause := *c.Paused
		up(&pause.Number)
		c.Paused = &pause
	}
	c.Forgotten = marks(c.Forgotten)
	return c
}

// Granted reports whether the record has, or had, a grant, or may have obtained one: not
// only refresh tokens that were supplied.
func (r *Record) Granted() bool {
	return len(r.AccessTokens) > 0 || slices.ContainsFunc(r.Attempts, func(a Attempt) bool { return a.Open() }) ||
		slices.ContainsFunc(r.Lineages, func(l Lineage) bool { return l.Since > 0 })
}

// Holding returns a lineage that holds a refresh token and that does not stand for its
// binding in another record; nil if there is none. That a candidate was supplied
// there, or was refused, is no grant.
func (r *Record) Holding(other *Record) *Lineage {
	for i := range r.Lineages {
		l := &r.Lineages[i]
		if r.Grant(l.Binding) != l || l.Current() == nil {
			continue
		}
		if theirs := other.Grant(l.Binding); theirs == nil || theirs.ID != l.ID || theirs.Since == 0 {
			return l
		}
	}
	return nil
}

// OpenBeside returns an attempt whose outcome nobody knows, with a refresh token that
// another record does not list as consumed; nil if there is none.
func (r *Record) OpenBeside(other *Record) *Attempt {
	for i := range r.Attempts {
		if a := &r.Attempts[i]; a.Open() && other.Of(a.Fingerprint) != WasUsed {
			return a
		}
	}
	return nil
}
