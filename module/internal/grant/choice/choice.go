// Package choice answers what may be presented, and to whom: a refresh token that no answer
// has consumed or refused, at the binding that issued it; a refused one only by an order.
//
// It knows records, and what was supplied. It must not know attempts, nor when one is due.
package choice

import (
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// Question is what the choice is made of.
type Question struct {
	Record   *record.Record
	Binding  record.Binding // that is asked for now
	Rotating bool           // an answer may replace the refresh token

	Seed   string           // the refresh token that the operator supplied, "" if none
	Fault  string           // why what was supplied can be none
	Denied *finding.Trouble // why Seed is not tried, nil if it may be

	Order  *step.Order // of an operator, nil if there is none
	Revive bool        // the order presents once more what was refused

	// Rests reports whether a candidate beside a grant that lives is not tried now.
	Rests func(token record.Fingerprint) bool
}

// Choice is what is presented.
type Choice struct {
	record.Presented

	Beside  bool // the grant in the record lives, and stays if the candidate is refused
	Resting bool // there is a candidate, and it is not tried now
	Revived bool // it was refused, and an operator wants it presented once more
}

// Choose is the one rule for that. Without a choice it says why.
func (q *Question) Choose() (c Choice, trouble finding.Trouble, ok bool) {
	c.Binding = q.Binding
	if !q.Rotating {
		trouble, ok = q.fixed(&c)
		return c, trouble, ok
	}
	current := q.Record.Current(q.Binding.Grant)
	for _, candidate := range q.candidates() {
		if c.Resting {
			break // one after the other
		}
		c.Resting = current != nil && q.Rests(record.FingerprintOf(candidate.RefreshToken))
		if !c.Resting {
			c.RefreshToken, c.Candidate, c.Imported, c.Overruled, c.Beside = candidate.RefreshToken, true, candidate.Imported, candidate.Overruled, current != nil
			return c, finding.Trouble{}, true
		}
	}
	if current != nil {
		c.RefreshToken, c.Again = current.RefreshToken, current.Again
		return c, finding.Trouble{}, true
	}
	if refused := q.Record.Refused(q.Binding.Grant); refused != nil && q.Revive {
		c.RefreshToken, c.Again, c.Revived = refused.RefreshToken, refused.Again, true
		return c, finding.Trouble{}, true
	}
	return c, q.nothing(), false
}

// nothing says why there is nothing to present.
func (q *Question) nothing() finding.Trouble {
	lost, elsewhere := q.Record.Lost(q.Binding.Grant), q.Record.Elsewhere(q.Binding.Grant)
	switch {
	case q.Denied != nil:
		return *q.Denied
	case lost != nil:
		return Lost(lost)
	case elsewhere != nil:
		return finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseRebound, Facts: &finding.Facts{Endpoint: elsewhere.TokenEndpoint, Kind: q.Binding.Unlike(elsewhere.TokenEndpoint)}}
	case q.Fault != "":
		return finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseUnresolved, Facts: &finding.Facts{Detail: q.Fault}}
	}
	none := finding.Trouble{Condition: finding.AwaitingGrant, Cause: finding.CauseNoGrant}
	if q.Record.Generation > 0 && len(q.Record.Lineages) == 0 {
		none.Case = finding.CaseKept
	}
	return none
}

// fixed is Choose for a grant whose refresh token is the configuration's, if it has one,
// and is presented each time.
func (q *Question) fixed(c *Choice) (finding.Trouble, bool) {
	c.RefreshToken = q.Seed
	switch f := record.FingerprintOf(q.Seed); q.Record.Of(f) {
	case record.WasRefused:
		if q.Record.RefusedElsewhere(f, q.Binding.Grant) {
			break
		}
		if q.Revive {
			c.Revived = true
			break
		}
		return Lost(q.Record.Lineage(q.Record.LineageOf(f))), false
	case record.WasUsed, record.WasOther:
		return finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseSeedUsed, Case: finding.CaseUsed}, false
	default: // no answer has ended it
	}
	if q.Denied != nil {
		return *q.Denied, false
	}
	return finding.Trouble{}, true
}

// candidates are the refresh tokens that were supplied and that no answer has
// judged, in the order in which they are tried: an imported one before that of the
// configuration.
func (q *Question) candidates() (list []record.Presented) {
	grant := q.Binding.Grant
	add := func(token string, imported, overruled bool) {
		f := record.FingerprintOf(token)
		if known := q.Record.Of(f); f != 0 && (known == record.Unknown || known == record.Unjudged || q.Record.RefusedElsewhere(f, grant)) {
			list = append(list, record.Presented{RefreshToken: token, Imported: imported, Overruled: overruled})
		}
	}
	if o := q.Order; o != nil && o.Import != "" {
		if add(o.Import, true, o.Again); o.Again && q.Record.Of(record.FingerprintOf(o.Import)) == record.WasRefused {
			return []record.Presented{{RefreshToken: o.Import, Imported: true, Overruled: true}}
		}
		return list
	}
	imported, seed := q.Record.Candidate(grant, true), q.Record.Candidate(grant, false)
	if imported != nil {
		add(imported.RefreshToken, true, imported.Overruled)
	}
	if q.Denied == nil && !q.Record.Displaced(record.FingerprintOf(q.Seed), grant) {
		add(q.Seed, false, false)
	}
	if seed != nil && seed.RefreshToken != q.Seed && q.Record.Current(grant) == nil {
		add(seed.RefreshToken, false, false) // that of the configuration is gone, or was refused
	}
	return list
}

// Lost is the trouble of a grant that is over, nil if nothing is known of it.
func Lost(l *record.Lineage) finding.Trouble {
	t := finding.Trouble{Condition: finding.Lost, Cause: finding.CauseRefused}
	if l != nil && l.Loss != nil {
		t.Cause, t.Facts, t.At = l.Loss.Cause, &finding.Facts{Loss: l.Loss}, when.Wall(l.Loss.At)
		if t.Cause == finding.CauseGrantEnds {
			t.Case = finding.CaseOver
		}
	}
	return t
}

// Usurped is the trouble that somebody has put another grant into the place of the record.
func Usurped(at int64) finding.Trouble {
	return finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseContested, Case: finding.CaseForeign, At: at}
}

// Taken is the trouble with a refresh token that is another client's, or that a record has
// spent which is missing.
func Taken(facts *finding.Facts) finding.Trouble {
	if facts != nil && facts.Kind == finding.KindMissing {
		return finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseMissing, Facts: facts}
	}
	return finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseSeedTaken, Facts: facts}
}
