package grant

import "lamplighter/module/internal/record"

// planRevocation obeys the order to end the grant, under the lease: nobody may be
// exchanging the refresh token meanwhile.
func (m *machine) planRevocation() {
	p := m.plan
	current := m.record.Current(m.binding.Grant)
	switch {
	case !p.settings.Rotating:
		p.refused = Trouble{Condition: Misconfiguration, Cause: CauseNotRotating, Case: "revoke"}
	case !m.revokes:
		p.refused = Trouble{Condition: Misconfiguration, Cause: CauseNoRevocation, Case: "no endpoint"}
	case current == nil:
		p.refused = m.nothingToRevoke()
	case m.phase == Looking && !m.leased:
		m.await(Leasing, Lease{})
		return
	default:
		p.RefreshToken, p.Binding = current.RefreshToken, m.binding
		m.await(Revoking, Revoke{current.RefreshToken})
		return
	}
	m.again = true // this look decided nothing
	m.finish()
}

// nothingToRevoke says why there is no grant to end.
func (m *machine) nothingToRevoke() Trouble {
	if l := m.record.Lost(m.binding.Grant); l != nil {
		return lostTrouble(l)
	}
	if l := m.record.Elsewhere(m.binding.Grant); l != nil {
		return Trouble{Condition: Misconfiguration, Cause: CauseRebound, Facts: &Facts{Endpoint: l.TokenEndpoint}}
	}
	return Trouble{Condition: AwaitingGrant, Cause: CauseNoGrant}
}

// revoked writes that the grant is over. If the server did not end it, nothing
// changes.
func (m *machine) revokedAt(e Revoked) {
	p := m.plan
	if !e.OK {
		p.refused = Trouble{Condition: Backoff, Cause: CauseNoRevocation, Facts: e.Facts}
		m.again = true
		m.finish()
		return
	}
	p.number = m.record.Number + 1
	lineage := m.record.LineageOf(record.FingerprintOf(p.RefreshToken))
	m.record = m.record.Revoke(p.number, lineage, record.Loss{Cause: CauseRevoked, At: m.now.Time()})
	m.live = nil
	m.unsaved, p.revoked, p.write = true, true, keep
	m.save()
}

// ended says that the grant is over.
func (m *machine) ended() {
	m.live = nil
	m.schedule.atOnce()
	if m.settings != nil {
		m.blocked(lostTrouble(m.record.Grant(m.binding.Grant)))
	}
}
