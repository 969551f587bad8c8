package observe

import (
	"sync"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
)

// keptEvents is how many events of a client are remembered.
const keptEvents = 50

// History holds the last 50 events of a client, as far as they tell what happened;
// what was planned then is not kept, and words are made when they are shown. The
// zero value is empty.
type History struct {
	mu     sync.Mutex
	events []past
}

// past is an event that is remembered. There may be very many clients, and of most
// events there is nothing to explain.
type past struct {
	at         int64            // Unix time in ns
	trouble    *finding.Trouble // nil if all was well
	generation uint32
	millis     uint32 // of the duration
	status     uint16
	becauseOf  uint16
	kind       finding.Kind
}

// Add appends an event, and drops the oldest if there are too many.
func (h *History) Add(e Event) {
	p := past{
		kind: e.Kind, at: e.At.UnixNano(), generation: uint32(e.Generation), //nolint:gosec // one a second takes a century
		millis: uint32(min(e.Duration, time.Hour) / time.Millisecond), status: uint16(e.Status), becauseOf: uint16(e.BecauseOf), //nolint:gosec // nothing is shorter than no time
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := e.Trouble; t.Cause != "" || t.Facts != nil {
		p.trouble = h.shared(&t)
	}
	if len(h.events) == keptEvents {
		copy(h.events, h.events[1:])
		h.events = h.events[:keptEvents-1]
	} else if len(h.events) == cap(h.events) { // append would make room for 64
		h.events = append(make([]past, 0, min(max(4, 2*len(h.events)), keptEvents)), h.events...)
	}
	h.events = append(h.events, p)
}

// shared returns the trouble of the last event if this is the same again, as it is
// in a long outage.
func (h *History) shared(t *finding.Trouble) *finding.Trouble {
	if len(h.events) == 0 || h.events[len(h.events)-1].trouble == nil {
		return t
	}
	last := h.events[len(h.events)-1].trouble
	if last.Condition == t.Condition && last.Cause == t.Cause && last.Case == t.Case && (last.Facts == t.Facts || last.Facts != nil && t.Facts != nil && *last.Facts == *t.Facts) {
		return last
	}
	return t
}

// Shown returns them in words, oldest first.
func (h *History) Shown(about explain.About) []adminapi.ClientEvent {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := make([]adminapi.ClientEvent, 0, len(h.events))
	for _, p := range h.events {
		e := adminapi.ClientEvent{
			Event: explain.Event(p.kind), At: time.Unix(0, p.at), Generation: uint64(p.generation),
			Duration: (time.Duration(p.millis) * time.Millisecond).Seconds(), Status: int(p.status), BecauseOf: int(p.becauseOf),
		}
		if p.trouble != nil && p.kind != finding.StoreRecovered { // that is over
			e.Cause = p.trouble.Cause
			e.Detail, e.Remedy = explain.OfEvent(p.kind, *p.trouble, about)
		}
		events = append(events, e)
	}
	return events
}
