package record

// Frees reports whether another client may present, to that binding's server, a
// refresh token that the record's client has claimed: nothing became of it yet, or
// its last answer left it as it was. It may not as long as nobody knows the outcome
// of an attempt, nor may a token that an answer brought.
func (r *Record) Frees(f, binding Fingerprint) bool {
	if r.Open(f) != nil {
		return false
	}
	switch r.Of(f) {
	case Unknown, Unjudged:
		return true
	case Living:
		return r.Knows(f)
	default:
		return r.RefusedElsewhere(f, binding)
	}
}

// Used returns the fingerprints of all refresh tokens that the record knows of and
// that a configuration may still name: those that began a grant, and those that an
// answer consumed.
func (r *Record) Used() (all []Fingerprint) {
	for _, m := range r.Forgotten {
		all = append(all, m.Token())
	}
	for i := range r.Lineages {
		l := &r.Lineages[i]
		if l.begun() {
			all = append(all, l.ID)
		}
		for _, m := range l.Consumed {
			all = append(all, m.Token())
		}
	}
	return all
}

// Candidates returns the fingerprints of the other ones: of those that no answer of their
// server accepted. Another record's word on one of these weighs more.
func (r *Record) Candidates() (all []Fingerprint) {
	for i := range r.Lineages {
		if l := &r.Lineages[i]; !l.begun() {
			all = append(all, l.ID)
		}
	}
	return all
}

// begun reports whether an answer accepted a refresh token of the lineage.
func (l *Lineage) begun() bool { return l.Since > 0 || len(l.Consumed) > 0 }
