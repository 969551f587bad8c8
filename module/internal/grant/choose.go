package grant

import "lamplighter/module/internal/record"

// choose is the one rule for what may be presented, and to whom: a refresh token
// that no answer has consumed or refused, at the binding that issued it; a refused
// one only by an order. Without one it says why.
func (m *machine) choose() (trouble Trouble, ok bool) {
	p := m.plan
	p.Presented = record.Presented{Binding: m.binding}
	p.beside, p.resting, p.revived = false, false, false
	if !p.settings.Rotating {
		return m.chooseFixed()
	}
	current := m.record.Current(m.binding.Grant)
	for _, c := range m.candidates() {
		if p.resting {
			break // one after the other
		}
		p.resting = current != nil && m.rests(record.FingerprintOf(c.RefreshToken))
		if !p.resting {
			p.RefreshToken, p.Candidate, p.Imported, p.beside = c.RefreshToken, true, c.Imported, current != nil
			return Trouble{}, true
		}
	}
	if current != nil {
		p.RefreshToken = current.RefreshToken
		return Trouble{}, true
	}
	denied := m.denied(p.seed)
	lost, refused := m.record.Lost(m.binding.Grant), m.record.Refused(m.binding.Grant)
	switch elsewhere := m.record.Elsewhere(m.binding.Grant); {
	case refused != nil && p.order != nil && p.order.revive:
		p.RefreshToken, p.revived = refused.RefreshToken, true
		return Trouble{}, true
	case denied != nil:
		return *denied, false
	case lost != nil:
		return lostTrouble(lost), false
	case elsewhere != nil:
		return Trouble{Condition: Misconfiguration, Cause: CauseRebound, Facts: &Facts{Endpoint: elsewhere.TokenEndpoint}}, false
	}
	if p.fault != "" {
		return Trouble{Condition: Misconfiguration, Cause: CauseUnresolved, Facts: &Facts{Detail: p.fault}}, false
	}
	return Trouble{Condition: AwaitingGrant, Cause: CauseNoGrant}, false
}

// chooseFixed is choose for a grant whose refresh token is the configuration's, if
// it has one, and is presented each time.
func (m *machine) chooseFixed() (Trouble, bool) {
	p := m.plan
	p.RefreshToken = p.seed
	switch f := record.FingerprintOf(p.seed); m.record.Of(f) {
	case record.WasRefused:
		if m.record.RefusedElsewhere(f, m.binding.Grant) {
			break
		}
		if p.order != nil && p.order.revive {
			p.revived = true
			break
		}
		return lostTrouble(m.record.Lineage(m.record.LineageOf(f))), false
	case record.WasUsed, record.WasOther:
		return Trouble{Condition: Misconfiguration, Cause: CauseSeedUsed, Case: caseUsed}, false
	default: // no answer has ended it
	}
	if denied := m.denied(p.seed); denied != nil {
		return *denied, false
	}
	return Trouble{}, true
}

// candidates are the refresh tokens that were supplied and that no answer has
// judged, in the order in which they are tried: an imported one before that of the
// configuration.
func (m *machine) candidates() (list []record.Presented) {
	add := func(token string, imported bool) {
		f := record.FingerprintOf(token)
		if known := m.record.Of(f); f != 0 && (known == record.Unknown || known == record.Unjudged || m.record.RefusedElsewhere(f, m.binding.Grant)) {
			list = append(list, record.Presented{RefreshToken: token, Imported: imported})
		}
	}
	if o := m.plan.order; o != nil && o.Import != "" {
		if add(o.Import, true); o.Again && m.record.Of(record.FingerprintOf(o.Import)) == record.WasRefused {
			return []record.Presented{{RefreshToken: o.Import, Imported: true}}
		}
		return list
	}
	imported, seed := m.record.Candidate(m.binding.Grant, true), m.record.Candidate(m.binding.Grant, false)
	if imported != nil {
		add(imported.RefreshToken, true)
	}
	if m.denied(m.plan.seed) == nil && !m.record.Displaced(record.FingerprintOf(m.plan.seed), m.binding.Grant) {
		add(m.plan.seed, false)
	}
	if seed != nil && seed.RefreshToken != m.plan.seed && m.record.Current(m.binding.Grant) == nil {
		add(seed.RefreshToken, false) // that of the configuration is gone, or was refused
	}
	return list
}

// rests reports whether a candidate beside a grant that lives is not tried now,
// because it was a moment ago, or because an operator wants a token and not an
// attempt.
func (m *machine) rests(token record.Fingerprint) bool {
	trial, o := m.rarely().trial, m.plan.order
	if trial.token != token || trial.failures == 0 || o != nil && o.Import != "" {
		return false
	}
	return o != nil || m.now.Mono < trial.notBefore
}

func lostTrouble(l *record.Lineage) Trouble {
	t := Trouble{Condition: Lost, Cause: CauseRefused}
	if l != nil && l.Loss != nil {
		t.Cause, t.Facts, t.At = l.Loss.Cause, &Facts{Loss: l.Loss}, wallOf(l.Loss.At)
		if t.Cause == CauseGrantEnds {
			t.Case = caseOver
		}
	}
	return t
}
