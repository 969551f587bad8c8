package grant

import (
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/orders"
	"lamplighter/module/internal/grant/rival"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// order takes an order in. It waits in the state until an attempt takes it up:
// through lease and journal, and never beside another request.
func (m *machine) order(given step.Order) {
	if m.settings == nil {
		m.do(step.Reply{ID: given.ID, Trouble: finding.Trouble{Cause: finding.CauseStopped}})
		return
	}
	o := orders.Order{Order: given}
	if m.loaded {
		o.Generation, o.Counted = m.record.Generation, true
		o.Revive = o.Import == "" && !o.Revoke && m.lost()
	}
	r := m.seldom()
	r.orders.Add(o)
	r.saving.RetryNow()
	if m.trouble.Blocking() {
		m.known = false // whoever needs a token waits for the outcome
	}
}

// lost reports whether the grant is known to be lost.
func (m *machine) lost() bool {
	l := m.record.Grant(m.binding.Grant)
	return m.trouble.Condition == finding.Lost || m.phase == Idle && l != nil && l.Current() == nil
}

// orderGone forgets an order that nobody waits for. One that has begun goes on, but not anew.
func (m *machine) orderGone(id uint32) {
	if m.plan != nil && m.plan.order != nil && m.plan.order.ID == id {
		m.plan.order.Gone = true
	}
	m.seldom().orders.Forget(id)
}

// ordersWait reports whether an order may be taken up.
func (m *machine) ordersWait() bool {
	r := m.rarely()
	return r.orders.Due(m.now.Mono)
}

// takeOrder makes the oldest order the plan's.
func (m *machine) takeOrder() {
	if !m.ordersWait() {
		return
	}
	o := m.seldom().orders.Take()
	m.plan.order = o
	if !o.Told {
		m.tell(o.Kind(), finding.Trouble{})
	}
}

// orderBack lets the plan's order wait for another attempt, from a moment on.
func (m *machine) orderBack(at int64) {
	if o := m.plan.order; o != nil && m.settings != nil {
		m.seldom().orders.Back(*o, at)
		m.plan.order = nil
	}
}

// heed lets the order change the plan.
func (m *machine) heed() {
	p, o := m.plan, m.plan.order
	if !o.Counted {
		o.Generation, o.Counted = m.record.Generation, true
	}
	p.ask = false
	switch {
	case o.Import != "" && !p.settings.Rotating:
		p.refused = finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseNotRotating}
	case p.RefreshToken != o.Import && m.knowsImport():
	case o.Import == "" && !o.Revoke && m.record.Generation > o.Generation && m.live != nil:
		p.fulfilled = true
	case !o.Force && !o.Revoke && m.now.Mono < m.schedule.RetryAfter:
		wait := time.Duration(m.schedule.RetryAfter - m.now.Mono)
		p.refused = finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseRetryAfter, Facts: &finding.Facts{Wait: wait}}
	case m.now.Mono < m.rarely().rival.Until:
		m.orderBack(m.now.Mono + int64(rival.LookPause))
	default:
		p.ask, m.schedule.Pressing = true, true
	}
}

// knowsImport refuses what an order brings and the record knows, and reports whether it did.
// Where nothing is presented, that it was refused says more.
func (m *machine) knowsImport() bool {
	o := m.plan.order
	if o == nil || o.Import == "" || !m.plan.settings.Rotating {
		return false
	}
	said := m.record.Of(record.FingerprintOf(o.Import))
	if said == record.Unknown || said == record.WasRefused && m.plan.RefreshToken == "" {
		return false
	}
	m.plan.refused = finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseSeedUsed, Case: finding.CaseKnown}
	if said == record.WasRefused {
		m.plan.refused.Case = finding.CaseRefused
	}
	return true
}

// answerOrder finds out what became of the plan's order, and says so.
func (m *machine) answerOrder() {
	p := m.plan
	if p.order == nil {
		return
	}
	r := step.Reply{ID: p.order.ID, Trouble: m.trouble, Kept: m.keeps(p.order.Import)}
	granted := p.answer != nil && p.answer.Outcome == step.Granted
	switch {
	case p.revoked:
		r.Outcome = step.WasRevoked
	case (p.fulfilled || granted) && !p.order.Revoke:
		if m.trouble.Condition == finding.Well {
			r.Outcome = step.Obtained
		}
	case !m.orderFailed(&r):
		m.orderBack(m.now.Mono + int64(when.LeaseRetryMax))
		return
	}
	p.order = nil
	m.do(r)
}

// keeps reports whether an import is still to be presented.
func (m *machine) keeps(token string) bool {
	c := m.record.Candidate(m.binding.Grant, true)
	return c != nil && c.RefreshToken == token
}

// orderFailed says why there is nothing, false if there is no reason: then the order is
// still to be obeyed.
func (m *machine) orderFailed(r *step.Reply) bool {
	p := m.plan
	switch {
	case p.refused.Condition != finding.Well:
		r.Trouble = p.refused
	case r.Trouble.Condition != finding.Well:
	case m.unsaved:
		r.Trouble = finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseStore, Case: finding.CaseUnsaved}
	case p.answer != nil && p.answer.Outcome == step.RefusedGrant:
		r.Trouble = finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseContested, Case: finding.CaseOvertaken}
	case m.settings != nil:
		return false
	default:
		r.Trouble = finding.Trouble{Cause: finding.CauseStopped}
	}
	if p.judged || p.told {
		return true
	}
	if r.Trouble.At == 0 {
		r.Trouble.At = m.now.Wall
	}
	kind := finding.OrderRefused
	if p.answer != nil {
		kind = finding.TokenRefreshFailed
	}
	m.tell(kind, r.Trouble)
	return true
}
