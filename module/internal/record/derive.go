package record

import (
	"slices"
	"time"
)

// Lives reports whether the record has a grant of that binding that holds a
// refresh token.
func (r *Record) Lives(binding Fingerprint) bool { return r.Current(binding) != nil }

// Grant returns the lineage that stands for a binding: the one that the newest
// log-in began or, as long as no answer has begun one, the candidate that was
// judged last. nil if there is none.
func (r *Record) Grant(binding Fingerprint) *Lineage {
	var found *Lineage
	for i := range r.Lineages {
		l := &r.Lineages[i]
		if l.Binding != binding || l.Since == 0 && l.Loss == nil {
			continue
		}
		if found == nil || newer(l, found) {
			found = l
		}
	}
	return found
}

// token returns what is said of a refresh token that is not consumed, nil if nothing is.
func (l *Lineage) token(f Fingerprint) *Token {
	for i := range l.Tokens {
		if l.Tokens[i].Fingerprint == f {
			return &l.Tokens[i]
		}
	}
	return nil
}

// newer reports whether a lineage displaces another one.
func newer(a, b *Lineage) bool {
	if a.Since != b.Since {
		return a.Since > b.Since
	}
	if x, y := a.lossNumber(), b.lossNumber(); a.Since == 0 && x != y {
		return x > y
	}
	return a.ID > b.ID
}

func (l *Lineage) lossNumber() uint32 {
	if l.Loss == nil {
		return 0
	}
	return l.Loss.Number
}

// Ended reports whether a revocation ended the lineage: for good, whatever number an
// answer has that its holder asked for without having read of it.
func (l *Lineage) Ended() bool { return l.Revoked > 0 }

// Current returns the refresh token that a binding's grant has, nil if it is lost
// or there never was one.
func (r *Record) Current(binding Fingerprint) *Token {
	l := r.Grant(binding)
	if l == nil {
		return nil
	}
	return l.Current()
}

// Current returns the held token with the highest number, nil if there is none.
func (l *Lineage) Current() *Token {
	if l.Ended() {
		return nil
	}
	for i := len(l.Tokens) - 1; i >= 0; i-- {
		if l.Tokens[i].Said == Held {
			return &l.Tokens[i]
		}
	}
	return nil
}

// Unmoved reports whether the answer that brought the token, or left it as it was, did
// not move the end of the grant.
func (t *Token) Unmoved() bool { return !t.ExpiresAt.IsZero() && t.MovedAt.Before(t.ObtainedAt) }

// EndsSoon is from when on people are told that the grant of the token ends by itself: a
// tenth of its life before, counted from where the end was last moved, and the end itself of
// a record that does not say.
func (t *Token) EndsSoon() time.Time {
	from := t.MovedAt
	if from.IsZero() {
		from = t.ObtainedAt
	}
	if from.IsZero() {
		return t.ExpiresAt
	}
	return t.ExpiresAt.Add(-t.ExpiresAt.Sub(from) / 10)
}

// LastRefused returns the refused token of a lost lineage whose secret is kept: an
// operator may have it presented once more.
func (l *Lineage) LastRefused() *Token {
	for i := len(l.Tokens) - 1; i >= 0; i-- {
		if t := &l.Tokens[i]; t.Said == Refused && t.RefreshToken != "" {
			return t
		}
	}
	return nil
}

// Candidate returns a refresh token that was supplied and that no answer has
// judged: the imported one, or else the one of the configuration. nil if there is
// none.
func (r *Record) Candidate(binding Fingerprint, imported bool) *Token {
	var found *Token
	for i := range r.Lineages {
		l := &r.Lineages[i]
		if l.Binding != binding {
			continue
		}
		for j := range l.Tokens {
			if t := &l.Tokens[j]; t.Said == Candidate && t.RefreshToken != "" && t.Imported == imported && (found == nil || t.Number > found.Number) {
				found = t
			}
		}
	}
	return found
}

// Lost returns the lineage whose loss was noticed last, of a binding that has no
// current refresh token; nil if there is none. What was supplied by hand beside a
// grant and was refused is no loss: whoever did that was told.
func (r *Record) Lost(binding Fingerprint) *Lineage {
	found := r.Grant(binding)
	accepted := found != nil && found.Since > 0
	for i := range r.Lineages {
		l := &r.Lineages[i]
		if l.Binding != binding || l.Loss == nil || found != nil && l.Loss.Number <= found.lossNumber() {
			continue
		}
		if !accepted || !l.Loss.Imported {
			found = l
		}
	}
	return found
}

// Refused returns the refused token that an operator may have presented once more,
// that of the loss; nil if there is none.
func (r *Record) Refused(binding Fingerprint) *Token {
	if l := r.Lost(binding); l != nil {
		return l.LastRefused()
	}
	return nil
}

// Elsewhere returns a lineage of another binding that holds a refresh token, or had
// one that was refused; the newest, nil if there is none.
func (r *Record) Elsewhere(binding Fingerprint) *Lineage {
	var found *Lineage
	for i := range r.Lineages {
		l := &r.Lineages[i]
		if l.Binding == binding || r.Grant(l.Binding) != l || l.Current() == nil && l.LastRefused() == nil {
			continue
		}
		if found == nil || newer(l, found) {
			found = l
		}
	}
	return found
}

// Verdict is what a record knows of a refresh token.
type Verdict uint8

// What a record may know. Only a token that is Unjudged or Living may be presented.
const (
	Unknown    Verdict = iota // nothing
	Unjudged                  // it is a candidate
	Living                    // the current token of its lineage, or a spare
	WasRefused                // the server refused it
	WasOther                  // it is of a lineage that ended, or that a newer one displaced
	WasUsed                   // an answer consumed it
)

// Of returns what the record knows of a refresh token.
func (r *Record) Of(f Fingerprint) Verdict {
	known := Unknown
	if marked(r.Forgotten, f) {
		known = WasUsed
	}
	for i := range r.Lineages {
		known = max(known, r.of(&r.Lineages[i], f))
	}
	return known
}

func (r *Record) of(l *Lineage, f Fingerprint) Verdict {
	switch t := l.token(f); {
	case l.consumed(f), t == nil && l.ID == f: // and forgotten
		return WasUsed
	case t == nil:
		return Unknown
	case t.Said == Refused:
		return WasRefused
	case t.Said == Candidate:
		return Unjudged
	case l.Ended() || r.Grant(l.Binding) != l:
		return WasOther
	}
	return Living
}

// RefusedElsewhere reports whether all that is known of a refresh token is that
// somebody else than the binding's server refused it: who never issued it.
func (r *Record) RefusedElsewhere(f, binding Fingerprint) bool {
	l := r.Lineage(f)
	return l != nil && l.Since == 0 && l.Binding != binding && r.Of(f) == WasRefused
}

// Displaced reports whether a seed is not to be tried with a binding, because a
// refresh token was accepted there that was supplied by hand later.
func (r *Record) Displaced(f, binding Fingerprint) bool {
	l := r.Lineage(r.LineageOf(f))
	if l == nil || l.Binding != binding {
		return false
	}
	t := l.token(f)
	return t != nil && t.Said == Candidate && t.RefreshToken == "" && !t.Imported
}

func (l *Lineage) consumed(f Fingerprint) bool { return marked(l.Consumed, f) }

func marked(marks []Mark, f Fingerprint) bool {
	mark := MarkOf(f, 0)
	return slices.ContainsFunc(marks, func(m Mark) bool { return m.Fingerprint == mark.Fingerprint })
}

// horizon is the number below which a token counts as consumed: what is known of
// older ones was forgotten.
func (l *Lineage) horizon() uint32 {
	if len(l.Consumed) < keptMarks {
		return 0
	}
	return l.Consumed[0].Number
}

// Open returns the attempt with a refresh token whose outcome nobody knows, nil if
// there is none.
func (r *Record) Open(f Fingerprint) *Attempt {
	for i := range r.Attempts {
		if a := &r.Attempts[i]; a.Fingerprint == f && a.Open() {
			return a
		}
	}
	return nil
}

// Journals reports whether the record was written for a request that was about to be
// sent, and whose outcome it does not have.
func (r *Record) Journals() bool {
	return slices.ContainsFunc(r.Attempts, func(a Attempt) bool { return a.Number == r.Number && !a.Settled })
}

// Made reports whether the record knows of an attempt by its ID.
func (r *Record) Made(id string) bool {
	return slices.ContainsFunc(r.Attempts, func(a Attempt) bool { return a.ID == id })
}

// Open reports whether the outcome of the attempt, or of one before it with the
// same refresh token, is unknown.
func (a *Attempt) Open() bool { return !a.Settled || !a.Unanswered.IsZero() }

// Access returns the newest access token of a request binding, nil if there is
// none that a living grant could have. A grant without a refresh token of its own
// is that of lineage 0.
func (r *Record) Access(request Fingerprint) *AccessToken {
	for i := range r.AccessTokens {
		t := &r.AccessTokens[i]
		if t.Request != request {
			continue
		}
		if l := r.Lineage(t.Lineage); t.AccessToken == "" || t.Lineage != 0 && (l == nil || l.Ended() || r.Grant(l.Binding) != l) {
			return nil
		}
		return t
	}
	return nil
}

// Newest returns the access token of the newest attempt, whatever it was asked for
// with; nil if there is none that a living grant could have.
func (r *Record) Newest() (found *AccessToken) {
	for i := range r.AccessTokens {
		if t := r.Access(r.AccessTokens[i].Request); t != nil && (found == nil || t.Number > found.Number) {
			found = t
		}
	}
	return found
}

// Lineage returns the lineage of that ID, nil if there is none.
func (r *Record) Lineage(id Fingerprint) *Lineage {
	for i := range r.Lineages {
		if r.Lineages[i].ID == id && id != 0 {
			return &r.Lineages[i]
		}
	}
	return nil
}

// LineageOf returns the lineage that a refresh token belongs to, by what the record
// still knows of it; 0 if it is of none.
func (r *Record) LineageOf(f Fingerprint) Fingerprint {
	for i := range r.Lineages {
		l := &r.Lineages[i]
		if l.ID == f || l.consumed(f) || l.token(f) != nil {
			return l.ID
		}
	}
	return 0
}

// Knows reports whether the record knows of a lineage.
func (r *Record) Knows(lineage Fingerprint) bool { return r.Lineage(lineage) != nil }
