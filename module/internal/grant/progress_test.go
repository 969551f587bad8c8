package grant

import (
	"fmt"
	"slices"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
)

// progress lets a world in which nothing more goes wrong go on, each holder in its
// turn. Every holder that runs must come to a valid token, as long as the server
// honours a token that the store or a process has; else to a cause that what
// happened explains. It says what is wrong, "" if nothing is.
func progress(w world) string {
	w.faults, w.crashes, w.orders, w.net = 0, 0, 0, [2]request{}
	from := w.now
	for i := range w.h {
		if w.spins(i) {
			return fmt.Sprintf("holder %d looks again and again", i)
		}
	}
	for step := range 400 {
		if w.well() && w.now-from > int64(tokenLife) { // and not only because nothing was due yet
			return ""
		}
		next, ok := w.fair(step)
		if !ok {
			break
		}
		if w.show != nil {
			w.show(step, &next)
		}
		w = next
		if step > 150 && !w.hope() && w.resting() {
			break
		}
	}
	return w.explained()
}

// spins reports whether a holder whose moment has come looks, does nothing, and is to
// look again at the same moment.
func (w world) spins(i int) bool {
	due := func() bool {
		h := &w.h[i]
		wait, ok := time.Duration(1), false
		if h.state != nil && h.under == nil {
			wait, ok = h.state.Wake(w.clock())
		}
		return ok && wait == 0
	}
	if !due() {
		return false
	}
	w.step(i, step.Poked{})
	for range 8 {
		look, ok := w.h[i].under.(step.Look)
		if !ok {
			return due()
		}
		w.look(i, look, false)
	}
	return true
}

// fair takes the next move of one holder after the other. Time passes when nobody
// has anything to do.
func (w *world) fair(step int) (next world, ok bool) {
	var time *world
	best := -1
	m := mover{w: w}
	m.yield = func(what move, v *world) {
		switch {
		case what.what == "tick" && time != nil && step%3 == 0, what.what == "time" && time != nil && step%3 != 0:
		case what.what == "time" || what.what == "tick":
			kept := *v
			time = &kept
		case what.what == "abandon" || what.what == "boot" && w.anyLives():
		default:
			if at := (int(what.who) + step) % 10; best < at {
				best = at
				next = *v
			}
		}
	}
	m.all()
	if best >= 0 {
		return next, true
	}
	if time != nil {
		return *time, true
	}
	return next, false
}

func (w *world) anyLives() bool {
	for i := range w.h {
		if w.h[i].state != nil {
			return true
		}
	}
	return false
}

// well reports whether every process has a valid token, and nothing to do.
func (w *world) well() bool {
	any := false
	if w.store.damaged && w.settings.Rotating {
		return false
	}
	for i := range w.h {
		h := &w.h[i]
		if h.state == nil {
			continue
		}
		if h.under != nil || h.state.unsaved || h.line || h.turn || len(h.state.rarely().orders.Waiting) > 0 {
			return false
		}
		if h.state.settings == nil {
			continue
		}
		any = true
		if h.state.live == nil || h.state.live.Expires.Reached(w.clock()) {
			return false
		}
	}
	return any
}

// resting reports whether nothing is under way.
func (w *world) resting() bool {
	for i := range w.h {
		if h := &w.h[i]; h.under != nil || h.line || h.turn {
			return false
		}
	}
	return true
}

// hope reports whether a process or the store has a token that the server honours,
// and that is to be presented.
func (w *world) hope() bool {
	newest := w.newest()
	if w.past.moved {
		return false
	}
	for f := range w.server.families {
		l := &w.server.families[f]
		if !l.there || newest != 0 && 'A'+byte(f) != newest {
			continue
		}
		for _, t := range []string{l.current, l.other} {
			if w.server.honours(t, w.now) && (w.known(t) || !w.store.damaged && w.supplied(t) && (w.server.rules != swap || l.since == 0) && w.claims[f] != theirs && (!w.past.rolledBack || w.claims[f] != ours)) && w.wanted(l.binding) {
				return true
			}
		}
	}
	return false
}

// supplied reports whether a token is one that a configuration has, or that is kept of an import.
func (w *world) supplied(token string) bool {
	kept := func(r *record.Record) bool {
		return r != nil && slices.ContainsFunc(r.Lineages, func(l record.Lineage) bool {
			return slices.ContainsFunc(l.Tokens, func(t record.Token) bool { return t.Said == record.Candidate && t.RefreshToken == token })
		})
	}
	for i := range w.h {
		if h := &w.h[i]; h.seed == token || h.state != nil && kept(h.state.record) {
			return true
		}
	}
	return kept(w.store.rec)
}

// wanted reports whether a configuration names that endpoint.
func (w *world) wanted(binding int8) bool {
	for i := range w.h {
		if s := w.h[i].state; s != nil && s.settings != nil && w.h[i].binding != binding {
			return false
		}
	}
	return true
}

// explained says what is wrong with a world that did not become well.
func (w *world) explained() string {
	if w.hope() {
		return "there is a token that the server honours, and no valid access token comes of it"
	}
	for i := range w.h {
		s := w.h[i].state
		if s == nil || s.settings == nil || s.live != nil && !s.live.Expires.Reached(w.clock()) && !s.trouble.NeedsGrant() {
			continue
		}
		if !s.trouble.Blocking() {
			return fmt.Sprintf("holder %d has no valid token and does not say that a human is needed, but %q", i, s.trouble.Cause)
		}
		if why := w.past.explains(s.trouble.Cause); why != "" {
			return fmt.Sprintf("holder %d: %s", i, why)
		}
	}
	return ""
}

// explains says what is wrong with a cause after what happened.
func (p past) explains(cause string) string {
	ok := false
	switch cause {
	case finding.CauseResponseLost:
		ok = p.unheard || p.rolledBack || p.overrun
	case finding.CauseRefused:
		ok = p.killed || p.rolledBack || p.overrun || p.nonsense || p.elsewhere
	case finding.CauseGrantEnds:
		ok = p.ended
	case finding.CauseSeedUsed:
		ok = p.killed || p.rolledBack || p.overrun || p.elsewhere
	case finding.CauseRevoked:
		ok = p.revoked
	case finding.CauseRebound, finding.CauseNoGrant:
		ok = p.elsewhere
	case finding.CauseRecord:
		ok = p.rolledBack
	case finding.CauseSeedTaken:
		ok = p.taken
	case finding.CauseMissing:
		ok = p.rolledBack || p.spent
	case finding.CauseMoved:
		ok = p.moved
	}
	if ok {
		return ""
	}
	return "a loss is not explained: " + cause
}
