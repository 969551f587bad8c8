package grant

import (
	"slices"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
)

// may is what may happen in a world beside what must.
type may uint32

const (
	storeAway   may = 1 << iota // a call of the store fails, and did nothing
	inDoubt                     // a write fails, and was done
	unsent                      // no connection
	slowly                      // a connection takes too long
	answerLost                  // the server has answered, and nobody heard it
	late                        // a request reaches the server when nobody listens any more
	unavailable                 // a 5xx, a 429 that asks to wait, a 401 that blames the settings
	leaseEnds                   // before its holder is done
	hangs                       // another process has the lease, and keeps it
	rollback                    // the store loses its newest write
	damage                      // the record becomes unreadable
	spends                      // a record that is missing has spent what is imported
	steals                      // another client claims the seed, or lets it go
	repeats                     // the operator imports what was refused, or is another client's
	carries                     // the grant is carried over to another record
	returns                     // … and back
	crashes                     // before or after what is under way
	panics                      // a bug of ours ends what is under way
	kills                       // the server ends the grant
	cuts                        // a holder is cut off from the store
	odd                         // an answer holds an access token that cannot be injected

	watched    // a write of another holder is noticed
	refreshes  // the operator's events
	imports    // … of a new log-in
	revokes    // …
	reloads    // …
	refusals   // an upstream answers 401, or accepts
	goes       // whoever ordered something goes away
	stops      // and starts again
	rebinds    // another endpoint is configured, and the former one again
	rerequests // another scope is, and the former one again

	storeFaults  = storeAway | inDoubt | rollback | damage
	serverFaults = unsent | slowly | answerLost | late | unavailable
	operator     = refreshes | imports | revokes | reloads | refusals | goes | stops
)

// move is something that happens to a holder, or to all (9).
type move struct {
	who  int8
	what string
}

// mover lists what may happen next.
type mover struct {
	w      *world
	v      world      // scratch
	before func(move) // told what is about to happen
	yield  func(move, *world)
}

func (m *mover) try(who int, what string, f func(v *world)) {
	is := move{int8(who), what}
	if m.before != nil {
		m.before(is)
	}
	m.v = *m.w
	f(&m.v)
	m.yield(is, &m.v)
}

func (m *mover) fault(which may, who int, what string, f func(v *world)) {
	if m.w.allow&which != 0 && m.w.faults > 0 {
		m.try(who, what, func(v *world) { v.faults--; f(v) })
	}
}

func (m *mover) order(which may, who int, what string, f func(v *world)) {
	if m.w.allow&which != 0 && m.w.orders > 0 {
		m.try(who, what, func(v *world) { v.orders--; f(v) })
	}
}

// all lists every move.
func (m *mover) all() {
	w := m.w
	for i := range w.holders {
		h := &w.h[i]
		if h.state == nil {
			m.try(i, "boot", func(v *world) { v.boot(i) })
			continue
		}
		if h.line {
			m.try(i, "called", func(v *world) { v.h[i].line, v.h[i].turn = false, true; v.step(i, step.Called{}) })
		}
		m.outcomes(i)
		m.operator(i)
		m.ends(i)
	}
	m.time()
	m.ticks()
	m.others()
}

// time lets the earliest moment come that a holder waits for.
func (m *mover) time() {
	who, soonest := -1, time.Duration(0)
	for i := range m.w.holders {
		if h := &m.w.h[i]; h.state != nil && h.under == nil {
			if d, ok := h.state.Wake(m.w.clock()); ok && (who < 0 || d < soonest) {
				who, soonest = i, d
			}
		}
	}
	if who >= 0 {
		m.try(who, "time", func(v *world) {
			v.past.waited = v.past.waited || v.h[who].line && soonest > 0
			v.now += int64(soonest)
			v.step(who, step.Poked{})
		})
	}
}

// ticks let a process that knows no moment look now and then.
func (m *mover) ticks() {
	for i := range m.w.holders {
		if h := &m.w.h[i]; h.state != nil && h.state.settings != nil && h.state.trouble.NeedsGrant() && h.state.Overdue(m.w.clock()) {
			m.try(i, "tick", func(v *world) { v.now += int64(5 * time.Second); v.step(i, step.Poked{}) })
		}
	}
}

// others is what happens to no holder.
func (m *mover) others() {
	w := m.w
	for n, r := range w.net {
		if r.token != "" {
			m.try(9, [...]string{"late 0", "late 1"}[n], func(v *world) {
				v.net[n] = request{}
				if a := v.process(r); a.Outcome == step.Granted { // what was heard before may be dead by that
					v.past.unheard, v.past.killed = true, true
				}
			})
		}
	}
	m.replicas()
	for f := range w.server.families {
		if l := &w.server.families[f]; l.grace {
			m.try(9, [...]string{"grace A", "grace B"}[f], func(v *world) { v.server.families[f].grace = false })
		}
	}
	if !w.server.families[0].dead {
		m.fault(kills, 9, "the server ends the grant", func(v *world) { v.server.families[0].dead, v.past.killed = true, true })
	}
	if rec := w.store.rec; rec != nil && rec.Moved == nil && !w.store.damaged && w.store.lease == 0 {
		m.fault(carries, 9, "carried over", func(v *world) {
			own := &record.Record{Client: "another", Number: 7}
			moved := *rec.MoveTo(record.Moved{Client: "another", Offset: own.Number}).Stripped()
			moved.Revision, moved.WriteID = rec.Revision+1, ""
			v.store.rec, v.store.home, v.past.moved = &moved, own.Carried(rec), true
		})
	}
	if rec := w.store.rec; rec != nil && rec.Moved != nil && w.store.lease == 0 {
		m.fault(returns, 9, "carried back", func(v *world) {
			back := *rec.Carried(v.store.home)
			back.Revision, back.WriteID = rec.Revision+1, ""
			v.store.rec, v.store.home, v.past.moved = &back, nil, false
		})
	}
	switch w.store.lease {
	case 0:
		m.fault(hangs, 9, "another takes the lease", func(v *world) { v.store.lease = stranger })
	case stranger:
		m.try(9, "another lets the lease go", func(v *world) { v.store.lease = 0 })
	}
	if !w.ledger[1] && w.server.families[1].there {
		m.fault(spends, 9, "the ledger has what is imported", func(v *world) { v.ledger[1], v.past.spent = true, true })
	}
	switch w.claims[0] {
	case 0:
		m.fault(steals, 9, "another claims the seed", func(v *world) { v.claims[0], v.past.taken = theirs, true })
	case theirs:
		m.fault(steals, 9, "another lets the seed go", func(v *world) { v.claims[0] = 0 })
	}
	if w.store.old != nil && w.store.rec != nil {
		m.fault(rollback, 9, "rollback", func(v *world) {
			v.store.rec, v.store.old = v.store.old, nil
			v.past.rolledBack = true
			for i := range v.h {
				v.h[i].unread = v.settings.Lease > 0 && v.h[i].state != nil
			}
			v.safe = fitting(v.safe, v.known)
		})
	}
	if w.store.rec != nil && !w.store.damaged {
		m.fault(damage, 9, "damage", func(v *world) {
			v.store.damaged, v.past.rolledBack = true, true
			v.safe = fitting(v.safe, v.known)
		})
	}
}

// outcomes are those of what is under way.
func (m *mover) outcomes(i int) {
	h := &m.w.h[i]
	if h.under != nil {
		m.fault(panics, i, "panic", func(v *world) {
			if _, ok := h.under.(step.Send); ok {
				v.past.unheard = true
				v.h[i].answer = nil
			}
			v.outcome(i, step.Panicked{})
		})
	}
	if h.cut && m.cutOff(i) {
		return
	}
	switch e := h.under.(type) {
	case step.Look:
		m.try(i, "look", func(v *world) { v.look(i, e, false) })
		if e.Config && h.begun != [2]int8{h.binding, h.request} {
			m.try(i, "look with the settings before", func(v *world) { v.look(i, e, true) })
		}
		m.fault(storeAway, i, "look away", func(v *world) {
			l := step.Looked{Store: step.Away}
			if e.Config {
				l.Inputs = v.inputs(i, false)
			}
			v.outcome(i, l)
		})
	case step.Lease:
		m.try(i, "lease", func(v *world) {
			if v.unreadBySome() {
				v.outcome(i, step.Leased{Fault: step.RolledBack})
				return
			}
			if v.store.lease != 0 && v.store.lease != int8(i+1) {
				v.outcome(i, step.Leased{Fault: step.Busy})
				return
			}
			v.store.lease, v.h[i].without = int8(i+1), false
			v.outcome(i, step.Leased{})
		})
		m.fault(storeAway, i, "lease away", func(v *world) { v.h[i].without = true; v.outcome(i, step.Leased{Fault: step.Away}) })
	case step.Save:
		m.try(i, "save", func(v *world) { v.saved(i, e) })
		m.fault(storeAway, i, "save away", func(v *world) { v.outcome(i, step.Saved{Fault: step.Away}) })
		m.fault(inDoubt, i, "save unacknowledged", func(v *world) { v.write(i, e); v.outcome(i, step.Saved{Fault: step.Away}) })
	case step.Claim:
		m.try(i, "claim", func(v *world) { v.claim(i, e) })
		m.fault(storeAway, i, "claim away", func(v *world) { v.outcome(i, step.Claimed{Fault: step.Away}) })
	case step.Connect:
		if h.conn.calledOff {
			m.try(i, "called off", func(v *world) {
				v.outcome(i, step.Answered{Answer: step.Answer{Outcome: step.NotSent, Cause: finding.CauseCanceled}})
			})
		}
		m.try(i, "connect", func(v *world) { v.outcome(i, step.Connected{}) })
		m.fault(unsent, i, "no connection", func(v *world) {
			v.outcome(i, step.Answered{Answer: step.Answer{Outcome: step.NotSent, Cause: "connection_failed"}})
		})
		m.fault(slowly, i, "connect slowly", func(v *world) { v.now += int64(slow); v.outcome(i, step.Connected{}) })
	case step.Hold:
		m.try(i, "hold", func(v *world) {
			v.outcome(i, step.Drained{LeaseLost: v.settings.Rotating && v.store.lease != int8(i+1)})
		})
		m.fault(slowly, i, "hold slowly", func(v *world) {
			v.now += int64(slow)
			v.outcome(i, step.Drained{LeaseLost: v.settings.Rotating && v.store.lease != int8(i+1)})
		})
	case step.Send:
		m.send(i)
	case step.Revoke:
		end := func(v *world) { v.revoke(i, e.RefreshToken, h.resolved) }
		m.try(i, "revoke", func(v *world) { end(v); v.outcome(i, step.Revoked{OK: true, LeaseLost: v.store.lease != int8(i+1)}) })
		m.fault(unavailable, i, "revoke fails", func(v *world) { v.outcome(i, step.Revoked{}) })
	}
}

// send is what becomes of a request.
func (m *mover) send(i int) {
	h := &m.w.h[i]
	unanswered := step.Answered{Answer: step.Answer{Outcome: step.Unanswered, Cause: "timeout"}}
	switch {
	case h.conn.calledOff:
		m.try(i, "called off", func(v *world) {
			v.outcome(i, step.Answered{Answer: step.Answer{Outcome: step.NotSent, Cause: finding.CauseCanceled}})
		})
	case h.answer != nil:
		m.try(i, "answer", func(v *world) { v.hear(i, *h.answer) })
		m.fault(slowly, i, "answer slowly", func(v *world) { v.now += int64(slow); v.hear(i, *h.answer) })
		if h.answer.Outcome == step.Granted {
			m.fault(odd, i, "answer odd", func(v *world) {
				a := *h.answer
				a.Access.Unusable = "its token_type is mac"
				v.hear(i, a)
			})
		}
		m.fault(answerLost, i, "answer lost", func(v *world) {
			v.h[i].answer, v.past.unheard = nil, true
			v.outcome(i, unanswered)
		})
	default:
		m.try(i, "process", func(v *world) { v.h[i].answer = v.process(h.conn) })
		m.fault(answerLost, i, "request lost", func(v *world) { v.past.unheard = true; v.outcome(i, unanswered) })
		m.fault(late, i, "request late", func(v *world) { v.past.unheard = true; v.late(h.conn); v.outcome(i, unanswered) })
		m.fault(unavailable, i, "unavailable", func(v *world) {
			v.past.unheard = true // it may have consumed the token all the same
			v.outcome(i, step.Answered{Answer: step.Answer{Outcome: step.Unavailable, Status: 503, Cause: "unavailable"}})
		})
		m.fault(unavailable, i, "too many", func(v *world) {
			v.outcome(i, step.Answered{Answer: step.Answer{Outcome: step.Unavailable, Status: 429, Cause: "too_many", RetryAfter: time.Minute}})
		})
		m.fault(unavailable, i, "misconfigured", func(v *world) {
			v.outcome(i, step.Answered{Answer: step.Answer{Outcome: step.Misconfigured, Status: 401, Cause: "invalid_client"}})
		})
	}
}

// ends are those of processes and leases.
func (m *mover) ends(i int) {
	w, h := m.w, &m.w.h[i]
	if w.allow&crashes != 0 && w.crashes > 0 && (h.under != nil || h.state.unsaved) {
		m.try(i, "crash", func(v *world) { v.crashes--; v.crash(i) })
		switch e := h.under.(type) {
		case step.Save:
			m.try(i, "crash after the write", func(v *world) { v.crashes--; v.write(i, e); v.crash(i) })
		case step.Revoke:
			m.try(i, "crash after the revocation", func(v *world) {
				v.crashes--
				v.revoke(i, e.RefreshToken, h.resolved)
				v.crash(i)
			})
		}
	}
	if w.store.lease == int8(i+1) && !h.cut {
		m.fault(leaseEnds, i, "lease ends", func(v *world) { v.store.lease, v.past.overrun = 0, true })
	}
	if h.state.settings == nil {
		if h.state.Done() || h.state.givenUp && h.under == nil {
			m.try(i, "exit", func(v *world) {
				v.past.unheard = v.past.unheard || h.state.unsaved
				v.exit(i)
			})
		}
		if !h.state.givenUp && (h.state.unsaved || h.under != nil) {
			m.try(i, "abandon", func(v *world) {
				v.past.overrun = true // it gives the lease back, whatever it owes
				v.step(i, step.Abandoned{})
			})
		}
		m.order(stops, i, "start again", func(v *world) { v.start(i, step.Started{}) })
	}
}

// operator is what people and upstreams do.
func (m *mover) operator(i int) {
	w, h := m.w, &m.w.h[i]
	if h.state.settings == nil {
		return
	}
	give := func(o step.Order) func(v *world) {
		return func(v *world) {
			v.serial++
			o.ID = uint32(v.serial)
			h := &v.h[i]
			h.orders = append(slices.Clone(h.orders), o.ID)
			if o.Import == "B0" {
				h.brings, v.past.declined = o.ID, false
			}
			h.refresh = h.refresh || o.Import == "" && !o.Revoke || o.Again
			v.step(i, step.Ordered{Order: o})
		}
	}
	m.order(refreshes, i, "refresh", give(step.Order{}))
	m.order(refreshes, i, "refresh --force", give(step.Order{Force: true}))
	m.order(revokes, i, "revoke order", give(step.Order{Revoke: true}))
	if l := &w.server.families[1]; w.allow&imports != 0 {
		m.order(imports, i, "import", func(v *world) {
			if !l.there {
				v.server.families[1] = login{there: true, binding: h.binding, current: "B0"}
			}
			give(step.Order{Import: "B0"})(v)
		})
		m.order(imports, i, "import nonsense", func(v *world) {
			v.past.nonsense = true
			give(step.Order{Import: "C0"})(v)
		})
	}
	m.order(repeats, i, "import again", func(v *world) {
		v.past.nonsense = true // it may have been spent by then
		give(step.Order{Import: "A0", Again: true})(v)
	})
	m.order(repeats, i, "import nonsense again", func(v *world) {
		v.past.nonsense, v.h[i].wished = true, "C0"
		give(step.Order{Import: "C0", Again: true})(v)
	})
	if len(h.orders) > 0 {
		m.order(goes, i, "order gone", func(v *world) {
			id := h.orders[0]
			v.step(i, step.OrderGone{ID: id})
		})
	}
	m.order(reloads, i, "reload", func(v *world) { v.start(i, step.Started{}) })
	m.order(reloads, i, "reload, other line", func(v *world) { v.start(i, step.Started{OtherLine: true}) })
	if h.under != nil {
		m.order(reloads, i, "poke", func(v *world) { v.step(i, step.Poked{}) })
	}
	m.order(goes, i, "no order gone", func(v *world) { v.step(i, step.OrderGone{}) })
	m.order(stops, i, "stop", func(v *world) { v.step(i, step.Stopped{}) })
	m.order(rebinds, i, "rebind", func(v *world) {
		v.h[i].binding = 1 - h.binding
		v.past.elsewhere = true
		v.start(i, step.Started{})
	})
	m.order(rerequests, i, "another scope", func(v *world) {
		v.h[i].request = 1 - h.request
		v.start(i, step.Started{})
	})
	if l := h.state.live; l != nil {
		m.order(refusals, i, "401", func(v *world) { v.h[i].refused = true; v.step(i, step.Unauthorized{Generation: l.Generation}) })
		m.order(refusals, i, "accepted", func(v *world) { v.step(i, step.Accepted{Generation: l.Generation}) })
	}
	if w.allow&watched != 0 && !h.cut && h.under == nil && !h.state.again && h.state.tag != w.revision() {
		m.try(i, "watch", func(v *world) { v.step(i, step.Poked{}) })
	}
}
