package grant

import (
	"time"

	"lamplighter/module/internal/record"
)

// proceed decides after a look whether to ask, and goes on to the next step.
func (m *machine) proceed() {
	if !m.decide() {
		if !m.schedule.wanted(m.now) {
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
		p.first = m.schedule.failures == 0 && (!p.beside || trial.failures == 0)
		m.await(Connecting, Connect{p.RefreshToken, p.Key})
	default:
		known := m.settled
		m.finish()
		m.settled = known // it goes on when it is called
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
		return false
	}
	p, before := m.plan, m.trouble
	f := record.FingerprintOf(p.RefreshToken)
	m.schedule.yields = m.yields(f)
	m.schedule.pressing = p.Candidate || m.record.Open(f) != nil && !p.resting || m.otherwise()
	m.schedule.idle = false
	if m.rarely().trial.token != 0 && !p.Candidate && !p.resting {
		m.seldom().trial = trial{}
		if m.trouble.beside {
			m.trouble = Trouble{}
		}
	}
	if m.trouble.local || m.trouble.Condition == Backoff && !p.resting && !m.schedule.wanted(m.now) {
		m.trouble = Trouble{} // mended, or nothing is left to be repeated
		m.schedule.retryNow()
	}
	m.obeyPause()
	p.ask = m.schedule.due(m.now)
	if p.order != nil {
		m.heed()
	}
	if p.ask && p.outdated != nil && (p.order == nil || p.order.Import == "") { // whoever imports has no other copy
		p.ask, m.trouble = false, before
		m.blocked(Trouble{Condition: Backoff, Cause: CauseOutdated, Facts: p.outdated})
	}
	return p.ask
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
	open := m.record.Open(record.FingerprintOf(m.plan.RefreshToken)) != nil
	if m.called || m.plan.order != nil || open && m.schedule.failures+m.rarely().trial.failures == 1 {
		return true
	}
	if !m.inLine {
		m.inLine = true
		m.do(Line{Hurried: open})
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
		m.await(Leasing, Lease{})
	}
}

// lookAgain looks at what another holder may have written before the lease was there. Of a
// candidate it finds out whether a record that is missing has spent it, and that before it is
// journaled: by the journal, the next start would take it for one that was never sent.
func (m *machine) lookAgain() {
	l, p := Look{}, m.plan
	if p.Candidate && (p.order == nil || !p.order.Again) {
		l.Missing = record.FingerprintOf(p.connects)
	}
	m.await(LookingAgain, l)
}

// Bounds of the pause before the lease is tried again.
const (
	leaseRetryMin = 250 * time.Millisecond
	leaseRetryMax = time.Second
	leaseGrace    = 5 * time.Second // beside Timeout, for another holder's store
)

// gotLease goes on with the lease. If another has it, turn and connection go back.
func (m *machine) gotLease(e Leased) {
	switch {
	case m.plan.write == keep: // it is to be written all the same
		m.leased = e.Fault == None
		m.await(Settling, Look{})
	case e.Fault == None && (m.settings == nil || m.plan.probes):
		m.leased = true
		m.finish()
	case m.plan.probes:
		m.finish()
	case e.Fault == None:
		m.leased, m.holdsLease = true, 0
		m.lookAgain()
	case !m.plan.settings.Rotating:
		m.askWithout(e.Fault)
	case e.Fault == Busy:
		if m.holdsLease == 0 {
			m.holdsLease = m.now.Mono
		}
		if m.now.Mono-m.holdsLease > int64(m.plan.settings.Timeout+leaseGrace) {
			m.fail(Trouble{Condition: Backoff, Cause: CauseLeaseHeld}, 0)
			m.finish()
			return
		}
		m.later(m.leasePause())
	case e.Fault == RolledBack:
		m.rolledBack()
	default:
		m.fail(StoreTrouble(e.Facts), 0)
		m.finish()
	}
}

// askWithout goes on with a grant that has no refresh token of its own, and that did not
// get the lease: it only keeps replicas from asking all at once. Another that asks is
// given the time for that, unless there is no token meanwhile.
func (m *machine) askWithout(why Fault) {
	switch {
	case why != Busy:
		m.claim()
	case m.urgent():
		m.later(m.leasePause())
	default:
		pause := min(m.settings.Timeout, m.live.urgent().Until(m.now))
		m.schedule.notBefore = max(m.schedule.notBefore, m.now.Mono+int64(pause))
		m.orderBack(m.now.Mono + int64(m.leasePause()))
		m.finish()
	}
}

func (m *machine) leasePause() time.Duration {
	return leaseRetryMin + time.Duration(m.now.Draw*float64(leaseRetryMax-leaseRetryMin))
}

// rolledBack lets time pass after the store has lost writes: another replica may have
// what is missing, and is to write that first.
func (m *machine) rolledBack() {
	m.holdsLease = 0
	if m.trouble.Case != caseRollback {
		m.trouble = Trouble{Condition: Backoff, Cause: CauseStore, Case: caseRollback, At: m.now.Wall}
		m.tell(Troubled, m.trouble)
	}
	m.later(leaseRetryMax)
}

// later ends the attempt before anything was written or sent, and begins it anew
// after a pause. Its order goes back.
func (m *machine) later(pause time.Duration) {
	at := m.now.Mono + int64(pause)
	m.schedule.notBefore = max(m.schedule.notBefore, at)
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
		m.fail(Trouble{Condition: Backoff, Cause: CauseCanceled, Case: caseLate}, 0)
		m.finish()
		return
	}
	p := m.plan
	p.takeover = m.foreignAttempt(record.FingerprintOf(p.RefreshToken)) != nil
	p.number = m.record.Number + 1
	id := m.writeID()
	p.write, p.writing = journal, m.record.Journal(record.Attempt{Number: p.number, ID: id, At: m.now.Time()}, p.Presented)
	p.writing.WriteID = id
	m.await(Journaling, Save{Record: p.writing, IfRevision: m.tag, Journal: true, SetAside: m.aside})
}

// journaled goes on once that is written. An answer is owed that the store does not
// have, as was just seen, and the token is about to expire: then what the store has
// is consumed anyway, and nothing is lost by going on.
func (m *machine) journaled(e Saved) {
	p := m.plan
	switch {
	case e.Fault == None:
		m.wrote()
		if m.settings == nil {
			m.notSent()
			return
		}
		m.claim()
	case e.Fault == Conflict:
		m.later(conflictPause + time.Duration(m.now.Draw*float64(conflictPause)))
	case m.unsaved && p.alone && !p.Candidate && m.leased && m.urgent():
		m.record = p.writing
		m.hold()
	default:
		m.fail(StoreTrouble(e.Facts), 0)
		m.finish()
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
	m.await(Holding, Hold{Requests: p.held})
}

// drained sends the request, unless that is of no use any more.
func (m *machine) drained(e Drained) {
	p := m.plan
	switch {
	case m.settings == nil, p.calledOff:
		m.notSent()
	case e.LeaseLost && p.settings.Rotating:
		m.fail(Trouble{Condition: Backoff, Cause: CauseCanceled, Case: caseLease, Facts: e.Facts}, 0)
		m.notSent()
	case m.late():
		m.fail(Trouble{Condition: Backoff, Cause: CauseCanceled, Case: caseLate}, 0)
		m.notSent()
	default:
		p.connected, p.sent = false, m.now.At()
		m.await(Asking, Send{})
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
