package grant

import (
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/choice"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
)

// planRevocation obeys the order to end the grant, under the lease: nobody may be
// exchanging the refresh token meanwhile. One that a lost answer may have consumed is refreshed
// first: a server that does not know it any more would say all the same that it is revoked.
func (m *machine) planRevocation() {
	p := m.plan
	current := m.record.Current(m.binding.Grant)
	switch {
	case !p.settings.Rotating:
		p.refused = finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseNotRotating, Case: "revoke"}
	case !m.revokes:
		p.refused = finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseNoRevocation, Case: "no endpoint"}
	case current == nil:
		p.refused = m.nothingToRevoke()
	case m.record.Open(current.Fingerprint) != nil:
		m.proceed()
		return
	case m.phase == Looking && !m.leased:
		m.await(Leasing, step.Lease{})
		return
	default:
		p.RefreshToken, p.Again, p.Binding = current.RefreshToken, current.Again, m.binding
		m.await(Revoking, step.Revoke{RefreshToken: current.RefreshToken})
		return
	}
	m.again = true // this look decided nothing
	m.finish()
}

// nothingToRevoke says why there is no grant to end.
func (m *machine) nothingToRevoke() finding.Trouble {
	if l := m.record.Lost(m.binding.Grant); l != nil {
		return choice.Lost(l)
	}
	if l := m.record.Elsewhere(m.binding.Grant); l != nil {
		return finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseRebound, Facts: &finding.Facts{Endpoint: l.TokenEndpoint}}
	}
	return finding.Trouble{Condition: finding.AwaitingGrant, Cause: finding.CauseNoGrant}
}

// revokedAt writes that the grant is over. If the server did not end it, nothing
// changes. If the lease was lost meanwhile, it is revoked once more, as the order wants: what the
// server said may be of a token that another holder had exchanged for the present one.
func (m *machine) revokedAt(e step.Revoked) {
	p := m.plan
	if !e.OK {
		p.refused = finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseNoRevocation, Facts: e.Facts}
		m.again = true
		m.finish()
		return
	}
	if e.LeaseLost { // and whoever has it by now may have rotated before
		m.leased, m.again = false, true
		m.do(step.Release{})
		m.orderBack(m.now.Mono)
		m.finish()
		return
	}
	p.number = m.record.Number + 1
	lineage := m.record.LineageOf(p.Fingerprint())
	m.record = m.record.Revoke(p.number, lineage, record.Loss{Cause: finding.CauseRevoked, At: m.now.Time()})
	m.live = nil
	m.unsaved, p.revoked, p.write = true, true, keep
	m.save()
}

// ended says that the grant is over.
func (m *machine) ended() {
	m.live = nil
	m.schedule.AtOnce()
	if m.settings != nil {
		m.blocked(choice.Lost(m.record.Grant(m.binding.Grant)))
	}
}
