package grant

import (
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
)

// replicas is what happens to those who share a store.
func (m *mover) replicas() {
	w := m.w
	if w.settings.Lease == 0 {
		return
	}
	for i := range w.holders {
		switch h := &w.h[i]; {
		case h.state == nil:
		case h.cut:
			m.try(i, "reaches the store again", func(v *world) { v.h[i].cut = false })
		default:
			m.fault(cuts, i, "cut off", func(v *world) {
				v.h[i].cut = true
				v.store.until = v.now + int64(v.settings.Lease)
			})
		}
	}
	if held := w.store.lease; held == ghost || held != 0 && w.h[held-1].cut {
		m.try(9, "the lease is over", func(v *world) {
			v.now = max(v.now, v.store.until)
			v.store.lease, v.past.overrun = 0, v.past.overrun || held != ghost
		})
	}
}

// cutOff is what becomes of a call of the store that is not reached. It reports false if
// something else is under way.
func (m *mover) cutOff(i int) bool {
	h := &m.w.h[i]
	switch e := h.under.(type) {
	case step.Look:
		m.try(i, "look away", func(v *world) {
			l := step.Looked{Store: step.Away}
			if e.Config {
				l.Inputs = v.inputs(i, false)
			}
			v.outcome(i, l)
		})
	case step.Lease:
		m.try(i, "lease away", func(v *world) { v.h[i].without = true; v.outcome(i, step.Leased{Fault: step.Away}) })
	case step.Save:
		m.try(i, "save away", func(v *world) { v.outcome(i, step.Saved{Fault: step.Away}) })
	case step.Claim:
		m.try(i, "claim away", func(v *world) { v.outcome(i, step.Claimed{Fault: step.Away}) })
	default:
		return false
	}
	return true
}

// unreadBySome reports whether the store lost a write, and somebody who reaches it has not
// read it since.
func (w *world) unreadBySome() bool {
	for i := range w.h {
		if h := &w.h[i]; h.state != nil && h.unread && !h.cut {
			return true
		}
	}
	return false
}

// shared judges a request of one who shares the store.
func (w *world) shared(i int) {
	h, a := &w.h[i], w.foreign(i)
	if a == nil || h.journal != h.conn.token {
		return
	}
	over := a.At.UnixNano() - epoch
	if w.settings.ReuseGrace > w.settings.Lease {
		over += int64(w.settings.Lease)
	} else {
		over += int64(w.settings.Timeout)
	}
	if w.now < over {
		w.wrong("(k) what another replica has presented is presented, and its answer may come")
	}
	if w.settings.ReuseGrace <= w.settings.Lease && !h.expiring(w) && len(h.orders) == 0 && !h.refused {
		w.wrong("(k) what another replica has presented is presented without need")
	}
}

// sharedCache judges a request of one who has no refresh token of its own, and shares the
// store.
func (w *world) sharedCache(i int) {
	h := &w.h[i]
	if w.settings.Lease == 0 || h.conn.calledOff || h.without || w.past.overrun {
		return
	}
	if w.store.lease != int8(i+1) {
		w.wrong("(m) a replica asks without the lease")
	}
	if rec := w.store.rec; rec != nil && !w.store.damaged && !h.refused && len(h.orders) == 0 {
		if t := rec.Access(record.Fingerprint(h.request + 1)); t != nil && expiry(t.AccessToken)-w.now > int64(tokenLife)/2 {
			w.wrong("(m) a replica asks although another has a token")
		}
	}
}
