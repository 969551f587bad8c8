package grant

import (
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/choice"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// claim makes a candidate the client's own before it is sent: by a new name, or in
// another store, a configuration may name what is another record's. It is journaled
// by then, so that of two clients with one candidate the later one to claim it sees
// the attempt of the other. Where nothing rotates and nothing is journaled, it only
// finds out whose the configuration's refresh token is.
func (m *machine) claim() {
	p := m.plan
	if p.RefreshToken == "" || p.settings.Rotating && !p.Candidate {
		m.hold()
		return
	}
	m.await(Claiming, step.Claim{
		RefreshToken: p.RefreshToken, Rotating: p.settings.Rotating, Imported: p.Imported, Again: p.Overruled,
	})
}

// claimed goes on once that is known.
func (m *machine) claimed(e step.Claimed) {
	rotating := m.plan.settings.Rotating
	switch {
	case m.settings == nil:
		m.notSent()
	case e.Fault == step.Taken:
		m.deny(e.Facts)
	case e.Fault != step.None && rotating:
		if m.plan.Beside {
			m.restCandidate(when.RetryMin, when.RetryMax, 0)
		}
		m.fail(finding.StoreTrouble(e.Facts), 0)
		m.notSent()
	default: // where nothing rotates, the store is only a cache
		m.hold()
	}
}

// deny gives up a candidate that is another client's, and was not sent. What is
// journaled of it is taken back: an attempt before that was not sent either.
func (m *machine) deny(facts *finding.Facts) {
	p := m.plan
	f := p.Fingerprint()
	t := choice.Taken(facts)
	t.At = m.now.Wall
	if p.Beside {
		t.Case = finding.CaseBeside
	}
	if o := p.order; o != nil && o.Import != "" {
		p.refused = t
	} else if p.Beside || p.Imported { // no state tells of it
		m.tell(finding.SeedRefused, t)
	}
	if p.refused.Condition == finding.Well {
		m.orderBack(m.now.Mono) // it goes on without the candidate
	}
	if f == record.FingerprintOf(p.seed) {
		m.seldom().denied = denial{f, facts}
	}
	m.again = true
	if p.number == 0 { // nothing is journaled
		if p.settings.Rotating && f != record.FingerprintOf(p.seed) && m.record.Of(f) == record.Unjudged {
			m.withdraw(m.record.Number) // nothing else ends its being a candidate
			p.write = note
			m.save()
			return
		}
		m.finish()
		return
	}
	if p.settings.Rotating {
		m.withdraw(p.number)
	}
	m.notSent()
}

// withdraw takes back what the record says of a candidate. Nothing displaces it: it may be
// supplied again.
func (m *machine) withdraw(number uint32) {
	given := m.plan.Presented
	given.Imported = true
	m.record = m.record.Withdraw(number, given)
}

// recheck takes over whether the configuration's refresh token still is another
// client's, as far as that could be found out.
func (m *machine) recheck(taken *finding.Facts, unknown bool) {
	if unknown || m.rarely().denied.token == 0 {
		return
	}
	if taken == nil {
		m.seldom().denied = denial{}
		return
	}
	m.seldom().denied.facts = taken
}

// denied returns why a refresh token of the configuration is not tried, nil if it
// may be. What began a grant of this very record, by now, is no other's.
func (m *machine) denied(seed string) *finding.Trouble {
	d := m.rarely().denied
	if seed == "" || d.token != record.FingerprintOf(seed) || m.began(d.token) {
		return nil
	}
	t := choice.Taken(d.facts)
	return &t
}

// began reports whether a refresh token began a grant of this very record.
func (s *State) began(token record.Fingerprint) bool {
	l := s.record.Lineage(s.record.LineageOf(token))
	return l != nil && l.Since > 0
}

// Beside returns trouble about a refresh token of the configuration that is not tried, and
// that nothing depends on: a grant lives beside it. ok is false if there is none.
func (s *State) Beside() (t finding.Trouble, ok bool) {
	d := s.rarely().denied
	if d.token == 0 || s.settings == nil || s.began(d.token) || !s.record.Lives(s.binding.Grant) || s.record.Displaced(d.token, s.binding.Grant) {
		return finding.Trouble{}, false
	}
	t = choice.Taken(d.facts)
	t.Condition, t.Case = finding.Well, finding.CaseBeside
	return t, true
}

// carriedOff reports whether the grant was carried over to another record. Then nothing of
// it is presented here, and none of what is in memory is written, but for what is owed: that
// goes where the grant is.
func (m *machine) carriedOff(stored *record.Record) bool {
	to := stored.Moved
	if to == nil || m.settings != nil && !m.settings.Rotating {
		return false
	}
	m.tag, m.loaded, m.aside = stored.Revision, true, step.None
	if !m.unsaved {
		if len(m.record.Attempts) > 0 {
			m.seldom().left = m.record.Attempts
		}
		m.record = new(record.Record)
	}
	facts := &finding.Facts{Owner: to.Client, Place: to.Place, From: to.Store}
	if to.Store != "" {
		facts.Kind = "store"
	}
	m.blocked(finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseMoved, Facts: facts})
	return true
}
