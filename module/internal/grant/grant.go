// Package grant answers what is to be done about a client's grant: what may be
// presented, what an answer means, when the next attempt is due, what an order or
// a 401 changes. All of that is in [Next], a pure function:
//
//	state, effects = Next(state, event, now)
//
// Whatever takes time or can fail is an [step.Effect], which is performed outside, and
// whose outcome comes back as an [step.Event]. At most one effect with an outcome is
// under way, and each has exactly one outcome. What is published, the timer, the
// hold of requests and the status are no effects: they are read from the state.
//
// It knows records, moments and causes. It must not know clocks, locks,
// goroutines, contexts, random numbers, files, HTTP or words for people. Its vocabulary is
// package step's, its moments are those of package when.
//
// The phases of an attempt, what each awaits, and what follows (docs/engine.md says when):
//
//	phase         awaits               then
//	idle          -                    looking, leasing, joining
//	looking       Looked               connecting, leasing, revoking, idle
//	connecting    Connected, Answered  leasing, looking again, claiming, holding, saving, idle
//	leasing       Leased               looking again, joining, claiming, holding, saving, idle
//	looking again Looked               journaling, claiming, holding, revoking, saving, idle
//	journaling    Saved                claiming, holding, saving, idle
//	claiming      Claimed              holding, saving, idle
//	holding       Drained              asking, saving, idle
//	asking        Answered             saving, idle
//	revoking      Revoked              saving, idle
//	saving        Saved                joining, idle
//	joining       Looked               saving, idle
//
// Grants that present no refresh token of their own need no journal: they go from
// connecting to holding, or to claiming if the configuration has one; by way of leasing
// and looking again if replicas share the store, so that one of them asks.
package grant

import (
	"fmt"
	"reflect"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/orders"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
)

// Next returns what an event makes of a grant, and what is to be done about it. It
// writes to nothing that s refers to.
func Next(s State, e step.Event, now when.Now) (State, []step.Effect) {
	m := machine{State: s, now: now}
	if s.plan != nil {
		p := *s.plan
		if p.order != nil {
			o := *p.order
			p.order = &o
		}
		m.plan = &p
	}
	if s.rare != nil {
		r := *s.rare
		m.rare = &r
	}
	m.handle(e)
	m.goOn()
	m.warn()
	m.forgetWhatIsOver()
	return m.State, m.effects
}

// machine is one step.
type machine struct {
	State
	now     when.Now
	effects []step.Effect
}

func (m *machine) do(e step.Effect) { m.effects = append(m.effects, e) }

// await begins a phase with the effect whose outcome it awaits.
func (m *machine) await(p Phase, e step.Effect) {
	m.phase = p
	m.do(e)
}

// seldom returns what is rare, to change it.
func (m *machine) seldom() *rare {
	if m.rare == nil {
		m.rare = new(rare)
	}
	return m.rare
}

// forgetWhatIsOver drops what is rare once nothing is left of it: there may be very many
// clients, and each was given an order once.
func (m *machine) forgetWhatIsOver() {
	if m.rare == nil || len(m.rare.orders.Waiting) > 0 || m.now.Mono < m.rare.orders.NotBefore {
		return
	}
	left := *m.rare
	left.orders = orders.Queue{}
	if reflect.DeepEqual(left, rare{}) {
		m.rare = nil
	}
}

// rarely returns a copy of it, to look at.
func (s *State) rarely() rare {
	if s.rare == nil {
		return rare{}
	}
	return *s.rare
}

func (m *machine) handle(e step.Event) {
	switch e := e.(type) {
	case step.Started:
		m.start(e)
	case step.Stopped:
		m.stop()
	case step.Abandoned:
		m.abandon()
	case step.Poked:
		m.again = m.settings != nil
	case step.Called:
		m.turn()
	case step.Ordered:
		m.order(e.Order)
	case step.OrderGone:
		m.orderGone(e.ID)
	case step.Unauthorized:
		m.unauthorized(e.Generation)
	case step.Accepted:
		if m.forced.unconfirmed == e.Generation {
			m.forced.unconfirmed = 0
		}
	case step.Looked:
		m.looked(e)
	case step.Connected:
		if m.phase == Connecting {
			m.connected(e.Key)
		}
	case step.Leased:
		if m.phase == Leasing {
			m.gotLease(e)
		}
	case step.Saved:
		if m.phase == Journaling || m.phase == Saving {
			m.saved(e)
		}
	case step.Claimed:
		if m.phase == Claiming {
			m.claimed(e)
		}
	case step.Drained:
		if m.phase == Holding {
			m.drained(e)
		}
	case step.Answered:
		m.answered(&e.Answer)
	case step.Revoked:
		if m.phase == Revoking {
			m.revokedAt(e)
		}
	case step.Panicked:
		m.panicked(e)
	}
}

// start obeys a configuration. What was wrong with the former one may be mended. It
// costs no token request unless one is due.
func (m *machine) start(e step.Started) {
	if m.settings == nil || m.settings.Bound != e.Settings.Bound {
		m.unbound, m.live = true, nil
	}
	m.settings, m.givenUp = e.Settings, false
	if m.phase == Looking {
		m.plan.stale = true
	}
	if m.inLine && e.OtherLine {
		m.inLine = false
		m.do(step.Leave{})
	}
	if m.trouble.Blocking() {
		m.schedule.RetryNow()
		m.known = false
	}
	if m.unsaved {
		m.seldom().saving.RetryNow()
	}
	m.again = true
}

// stop ends the obedience. A request that was written is awaited, and its answer
// kept; one that was not is called off.
func (m *machine) stop() {
	m.settings, m.again, m.putOff, m.forced.waits = nil, false, false, false
	if m.inLine {
		m.inLine = false
		m.do(step.Leave{})
	}
	waiting := m.rarely().orders.Waiting
	for i := range waiting {
		m.do(step.Reply{ID: waiting[i].ID, Trouble: finding.Trouble{Cause: finding.CauseStopped}})
	}
	if len(waiting) > 0 {
		m.seldom().orders.Waiting = nil
	}
	if m.phase == Connecting || m.phase == Holding {
		m.plan.calledOff = true
		m.do(step.CallOff{}) // their outcomes follow at once
	}
	if m.unsaved {
		m.seldom().saving.RetryNow() // the last chance
	}
}

// abandon ends the attempts to write what is only in memory: the process ends.
func (m *machine) abandon() {
	m.givenUp = m.settings == nil
	if m.settings == nil && m.unsaved {
		m.tell(finding.StoreFailed, finding.Trouble{Cause: finding.CauseStore, Case: "stopped", Facts: m.trouble.Facts})
	}
	if m.settings == nil && m.leased && m.phase == Idle {
		m.leased = false
		m.do(step.Release{})
	}
}

// turn begins an attempt: the turn to ask was given.
func (m *machine) turn() {
	if !m.inLine {
		m.do(step.Leave{})
		return
	}
	m.inLine, m.called, m.again = false, true, true
}

// goOn begins what is to be begun, if nothing is under way.
func (m *machine) goOn() {
	for m.phase == Idle {
		waiting := m.ordersWait()
		switch {
		case m.unsaved && !m.givenUp && m.now.Mono >= m.rarely().saving.NotBefore:
			m.repay()
		case m.settings == nil:
			return
		case m.doubtOver():
			m.believe()
		case m.probes():
			m.probe()
		case m.unsaved && !m.urgent():
			// Nothing else happens until that is written, or the token is about to expire.
			m.giveTurn()
			if !waiting {
				return
			}
			m.plan = &plan{settings: m.settings}
			m.takeOrder()
			m.plan.refused = finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseStore, Case: finding.CaseUnsaved}
			m.finish()
		case m.again || waiting:
			m.begin()
		default:
			return
		}
	}
}

// repay begins to write what is owed: under the lease if that can be had, so that
// nobody presents the spent token which the store still has, and by reading first.
func (m *machine) repay() {
	m.plan = &plan{write: keep}
	if m.leased {
		m.await(Joining, step.Look{})
		return
	}
	m.await(Leasing, step.Lease{})
}

// urgent reports whether the access token is about to expire, or there is none.
func (m *machine) urgent() bool { return m.live == nil || m.live.urgent().Reached(m.now) }

// urgent is when the token is about to expire: a tenth of its life before.
func (l *Live) urgent() when.Instant {
	return l.Expires.Add(-l.Token.ExpiresAt.Sub(l.Token.ObtainedAt) / 10)
}

// begin begins a look, and what follows from it.
func (m *machine) begin() {
	m.again = false
	m.glanced()
	if m.rarely().rival.Look != 0 {
		m.seldom().rival.Looked(m.now)
	}
	m.plan = &plan{settings: m.settings}
	m.takeOrder()
	m.await(Looking, step.Look{Config: true, Taken: m.rarely().denied.token})
}

// finish ends what is under way, and gives back what it had.
func (m *machine) finish() {
	if m.plan != nil {
		if m.plan.connected {
			m.do(step.CallOff{})
		}
		m.answerOrder()
	}
	m.phase, m.plan, m.known = Idle, nil, true
	m.giveTurn()
	m.giveLease()
}

// giveTurn gives the turn to ask to the next.
func (m *machine) giveTurn() {
	if m.called {
		m.called = false
		m.do(step.Leave{})
	}
}

// giveLease ends the lease, unless the newest refresh token is only in memory:
// then nobody else may present the spent one that the store still has.
func (m *machine) giveLease() {
	if m.leased && (!m.unsaved || m.givenUp) {
		m.leased = false
		m.do(step.Release{})
	}
}

// tell tells what happened, with the present trouble if it is about that.
func (m *machine) tell(k finding.Kind, t finding.Trouble) {
	e := step.Tell{Kind: k, Trouble: t}
	if m.plan != nil {
		e.Answered = m.plan.answer
		if k == finding.TokenRefreshFailed || k == finding.GrantLost || k == finding.Troubled {
			m.plan.told = true
		}
	}
	m.do(e)
}

// writeID returns a name for a write, or an attempt, that no other has.
func (m *machine) writeID() string {
	m.serial++
	return fmt.Sprint(m.writer(), m.serial)
}

// writer is what begins the names of what the client writes in this process.
func (m *machine) writer() string { return fmt.Sprintf("%s.%d-", m.process, m.keeper) }

// panicked ends what a bug of ours has ended: like an answer that was lost, if
// something was sent, but for a refresh token that is known to have come.
func (m *machine) panicked(e step.Panicked) {
	switch m.phase {
	case Idle:
		return
	case Asking, Connecting:
		a := &step.Answer{Outcome: step.Unanswered, Cause: finding.CauseInternal, Facts: e.Facts}
		if e.Answer != nil { // all else in it may be what the bug met
			a.RefreshToken = e.Answer.RefreshToken
		}
		m.answered(a)
	case Saving, Journaling:
		m.saved(step.Saved{Fault: step.Away, Facts: e.Facts})
	case Joining:
		m.notWritten(e.Facts)
	default:
		if m.plan.write == keep { // in leasing
			m.gotLease(step.Leased{Fault: step.Away})
			return
		}
		m.fail(finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseInternal, Facts: e.Facts}, 0)
		if m.phase == Holding || m.phase == Claiming {
			m.notSent()
			return
		}
		m.finish()
	}
}

// fail records a failed attempt and plans the next: soon if it may pass by
// itself, slowly if somebody has to change the configuration.
func (m *machine) fail(t finding.Trouble, retryAfter time.Duration) {
	if m.settings == nil {
		return // called off, not failed
	}
	lo, hi := m.pauses(t)
	if m.trouble.Condition != t.Condition {
		m.schedule.Failures = 0
	}
	m.schedule.Idle, m.putOff, m.holdsLease = false, false, 0
	m.schedule.Fail(m.now, lo, hi, retryAfter)
	if t.Local && m.trouble.Local && t.Same(&m.trouble) {
		return // no token request failed, and it was told of
	}
	t.At = m.now.Wall
	m.trouble = t
	m.tell(finding.TokenRefreshFailed, t)
}

// pauses bounds the pauses after a trouble. Where replicas share a store, a look asks that.
func (m *machine) pauses(t finding.Trouble) (lo, hi time.Duration) {
	here := t.Local && m.settings != nil && (m.settings.Lease == 0 || t.Cause == finding.CauseUnresolved)
	return when.Bounds(here, t.Condition == finding.Misconfiguration)
}

// blocked records trouble that no time heals by itself: nothing more is asked
// until something changes. It is looked at again now and then all the same,
// because files change without notice.
func (m *machine) blocked(t finding.Trouble) {
	known := t.Same(&m.trouble)
	if t.At == 0 {
		t.At = m.now.Wall
		if known {
			t.At = m.trouble.At
		}
	}
	t.Local = true
	m.trouble, m.putOff, m.holdsLease = t, false, 0
	m.schedule.Idle = t.NeedsGrant() // a look now and then finds a new seed
	switch {
	case m.schedule.Idle:
	case t.Condition == finding.Backoff: // somebody renews it, at any moment
		m.schedule.NotBefore = m.now.Mono + int64(when.RetryMin)
	default:
		lo, hi := m.pauses(t)
		m.schedule.Fail(m.now, lo, hi, 0)
	}
	if known {
		return
	}
	kind := finding.Troubled
	if t.Condition == finding.Lost {
		kind = finding.GrantLost
	}
	m.tell(kind, t)
}
