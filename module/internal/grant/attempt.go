package grant

import (
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/choice"
	"lamplighter/module/internal/grant/rival"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// proceed decides after a look whether to ask, and goes on to the next step.
func (m *machine) proceed() {
	if !m.decide() {
		if !m.schedule.Wanted(m.now) {
			m.holdsLease, m.putOff = 0, false // another holder did it; else it is tried again
		}
		m.finish()
		return
	}
	p := m.plan
	switch {
	case m.phase == LookingAgain && (p.RefreshToken != p.connects || p.Key.ID != p.proves):
		m.again = true // another holder has rotated, or judged it
		m.later(0)
	case m.phase == LookingAgain && !p.settings.Rotating:
		p.Key = p.proved
		m.claim()
	case m.phase == LookingAgain:
		p.Key = p.proved
		m.journal()
	case m.mayAsk():
		m.putOff = false
		p.began, p.connects, p.proves = m.now.Mono, p.RefreshToken, p.Key.ID
		trial := m.rarely().trial
		p.first = m.schedule.Failures == 0 && (!p.Beside || trial.Failures == 0)
		m.await(Connecting, step.Connect{RefreshToken: p.RefreshToken, Key: p.Key})
	default:
		known := m.known
		m.finish()
		m.known = known // it goes on when it is called
	}
}

// decide plans the attempt. Where nothing may be asked it says why; where nothing
// is due it leaves everything as it is.
func (m *machine) decide() bool {
	trouble, ok := m.choose()
	if ok {
		trouble, ok = m.proveBy()
	}
	if !ok {
		m.blocked(trouble)
		m.knowsImport()
		return false
	}
	p, before := m.plan, m.trouble
	f := p.Fingerprint()
	m.schedule.Yields = m.yields(f)
	m.schedule.Pressing = p.Candidate || m.record.Open(f) != nil && !p.Resting || m.otherwise()
	m.schedule.Idle = false
	if m.rarely().trial.token != 0 && !p.Candidate && !p.Resting {
		m.seldom().trial = trial{}
		if m.trouble.Beside {
			m.trouble = finding.Trouble{}
		}
	}
	if m.trouble.Local || m.trouble.Condition == finding.Backoff && !p.Resting && !m.schedule.Wanted(m.now) {
		m.trouble = finding.Trouble{} // mended, or nothing is left to be repeated
		m.schedule.RetryNow()
	}
	m.obeyPause()
	p.ask = m.schedule.Due(m.now)
	if p.order != nil {
		m.heed()
	}
	if p.ask && p.outdated != nil && (p.order == nil || p.order.Import == "") { // whoever imports has no other copy
		p.ask, m.trouble = false, before
		m.blocked(finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseOutdated, Facts: p.outdated})
	}
	return p.ask
}

// choose plans what is presented, or says why there is nothing.
func (m *machine) choose() (trouble finding.Trouble, ok bool) {
	p := m.plan
	q := choice.Question{
		Record: m.record, Binding: m.binding, Rotating: p.settings.Rotating,
		Seed: p.seed, Fault: p.fault, Denied: m.denied(p.seed), Rests: m.rests,
	}
	if p.order != nil {
		q.Order, q.Revive = &p.order.Order, p.order.Revive
	}
	p.Choice, trouble, ok = q.Choose()
	return trouble, ok
}

// rests reports whether a candidate beside a grant that lives is not tried now,
// because it was a moment ago, or because an operator wants a token and not an
// attempt, or the end of the grant.
func (m *machine) rests(token record.Fingerprint) bool {
	trial, o := m.rarely().trial, m.plan.order
	if trial.token != token || trial.Failures == 0 || o != nil && o.Import != "" {
		return o != nil && o.Revoke
	}
	return o != nil || m.now.Mono < trial.NotBefore
}

// otherwise reports whether the newest access token was asked for with other
// settings than are obeyed now.
func (m *machine) otherwise() bool {
	t := m.record.Newest()
	return t != nil && t.Request != m.binding.Request && m.record.Access(m.binding.Request) == nil ||
		t != nil && !m.settings.Rotating && t.Grant != m.binding.Grant
}

// mayAsk reports whether the turn to ask is there. If not, the client stands in
// line, which is no phase: looks go on meanwhile. Orders do not stand in line, nor
// does the first retry after an answer was lost: servers that forgive a repeated
// refresh token do so for a few seconds.
func (m *machine) mayAsk() bool {
	open := m.record.Open(m.plan.Fingerprint()) != nil
	if m.called || m.plan.order != nil || open && m.schedule.Failures+m.rarely().trial.Failures == 1 {
		return true
	}
	if !m.inLine {
		m.inLine = true
		m.do(step.Line{Hurried: open})
	}
	return false
}

// connected goes on once the request could be written.
func (m *machine) connected(key record.Key) {
	m.plan.connected, m.plan.Key, m.plan.proved = true, key, key
	switch {
	case m.settings == nil, m.plan.calledOff:
		m.finish()
	case !m.plan.settings.Rotating && m.settings.Lease == 0:
		m.claim()
	case m.leased: // since an answer that is not written yet
		m.lookAgain()
	default:
		m.await(Leasing, step.Lease{})
	}
}

// lookAgain looks at what another holder may have written before the lease was there. Of a
// candidate it finds out whether a record that is missing has spent it, and that before it is
// journaled: by the journal, the next start would take it for one that was never sent.
func (m *machine) lookAgain() {
	l, p := step.Look{}, m.plan
	if p.Candidate && !p.Overruled {
		l.Missing = record.FingerprintOf(p.connects)
	}
	m.await(LookingAgain, l)
}

// gotLease goes on with the lease. If another has it, turn and connection go back.
func (m *machine) gotLease(e step.Leased) {
	switch {
	case m.plan.write == keep: // it is to be written all the same
		m.leased = e.Fault == step.None
		m.await(Joining, step.Look{})
	case m.plan.probes || e.Fault == step.None && m.settings == nil:
		m.leased = e.Fault == step.None
		m.finish()
	case e.Fault == step.None:
		m.leased, m.holdsLease = true, 0
		m.lookAgain()
	case !m.plan.settings.Rotating:
		m.askWithout(e.Fault)
	case e.Fault == step.Busy:
		if m.holdsLease == 0 {
			m.holdsLease = m.now.Mono
		}
		if m.now.Mono-m.holdsLease > int64(m.plan.settings.Timeout+when.LeaseGrace) {
			m.fail(finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseLeaseHeld}, 0)
			m.keepImport()
			return
		}
		m.later(m.leasePause())
	case e.Fault == step.RolledBack:
		m.rolledBack()
	default:
		m.fail(finding.StoreTrouble(e.Facts), 0)
		m.keepImport()
	}
}

// askWithout goes on with a grant that has no refresh token of its own, and that did not
// get the lease: it only keeps replicas from asking all at once. Another that asks is
// given the time for that, unless there is no token meanwhile.
func (m *machine) askWithout(why step.Fault) {
	switch {
	case why != step.Busy:
		m.claim()
	case m.urgent():
		m.later(m.leasePause())
	default:
		pause := min(m.settings.Timeout, m.live.urgent().Until(m.now))
		m.schedule.NotBefore = max(m.schedule.NotBefore, m.now.Mono+int64(pause))
		m.orderBack(m.now.Mono + int64(m.leasePause()))
		m.finish()
	}
}

func (m *machine) leasePause() time.Duration {
	return when.LeaseRetryMin + time.Duration(m.now.Draw*float64(when.LeaseRetryMax-when.LeaseRetryMin))
}

// rolledBack lets time pass after the store has lost writes: another replica may have
// what is missing, and is to write that first.
func (m *machine) rolledBack() {
	m.holdsLease = 0
	if m.trouble.Case != finding.CaseRollback {
		m.trouble = finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseStore, Case: finding.CaseRollback, At: m.now.Wall}
		m.tell(finding.Troubled, m.trouble)
	}
	m.later(when.LeaseRetryMax)
}

// later ends the attempt before anything was written or sent, and begins it anew
// after a pause. Its order goes back.
func (m *machine) later(pause time.Duration) {
	at := m.now.Mono + int64(pause)
	m.schedule.NotBefore = max(m.schedule.NotBefore, at)
	m.putOff = m.settings != nil
	m.orderBack(at)
	m.finish()
}

// late reports whether too little of the timeout is left for an answer: it could
// be lost, and a connection that was too slow costs nothing.
func (m *machine) late() bool {
	left := int64(m.plan.settings.Timeout) - (m.now.Mono - m.plan.began)
	return left < int64(m.plan.settings.Timeout)/3
}

// journal writes down which refresh token is about to be presented. That the
// write succeeds is also the proof that the answer can be kept.
func (m *machine) journal() {
	if m.late() {
		m.fail(finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseCanceled, Case: finding.CaseLate}, 0)
		m.keepImport()
		return
	}
	p := m.plan
	f := p.Fingerprint()
	p.takeover = m.rivalAttempt(f) != nil || rival.Before(m.record, m.settings, m.writer(), f)
	p.number = m.record.Number + 1
	id := m.writeID()
	p.write, p.writing = journal, m.record.Journal(record.Attempt{Number: p.number, ID: id, At: m.now.Time()}, p.Presented)
	p.writing.WriteID = id
	m.await(Journaling, step.Save{Record: p.writing, IfRevision: m.tag, Journal: true, SetAside: m.aside})
}

// journaled goes on once that is written. An answer is owed that the store does not
// have, as was just seen, and the token is about to expire: then what the store has
// is consumed anyway, and nothing is lost by going on.
func (m *machine) journaled(e step.Saved) {
	p := m.plan
	switch {
	case e.Fault == step.None:
		m.wrote()
		if m.settings == nil {
			m.notSent()
			return
		}
		m.claim()
	case e.Fault == step.Conflict:
		m.later(conflictPause + time.Duration(m.now.Draw*float64(conflictPause)))
	case m.unsaved && p.alone && !p.Candidate && m.leased && m.urgent():
		m.record = p.writing
		m.hold()
	default:
		m.fail(finding.StoreTrouble(e.Facts), 0)
		m.keepImport()
	}
}

// conflictPause is the least pause after somebody else's write came in between.
const conflictPause = 100 * time.Millisecond

// hold holds requests back while a token is replaced whose predecessor dies that
// moment. A retry during an outage holds nobody up, and without a token that works
// there is nothing to wait for.
func (m *machine) hold() {
	p := m.plan
	p.held = p.settings.Drain && p.first && m.live != nil && !m.live.Expires.Reached(m.now)
	m.await(Holding, step.Hold{Requests: p.held})
}

// drained sends the request, unless that is of no use any more.
func (m *machine) drained(e step.Drained) {
	p := m.plan
	switch {
	case m.settings == nil, p.calledOff:
		m.notSent()
	case e.LeaseLost && p.settings.Rotating:
		m.leased = false // whatever is owed
		m.do(step.Release{})
		m.fail(finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseCanceled, Case: finding.CaseLease, Facts: e.Facts}, 0)
		m.notSent()
	case m.late():
		m.fail(finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseCanceled, Case: finding.CaseLate}, 0)
		m.notSent()
	default:
		p.connected, p.sent = false, m.now.At()
		m.await(Asking, step.Send{})
	}
}

// notSent takes back what was journaled.
func (m *machine) notSent() {
	if !m.plan.settings.Rotating {
		m.finish()
		return
	}
	m.settle()
}
