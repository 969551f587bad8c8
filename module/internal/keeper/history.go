package keeper

import (
	"slices"
	"sync"
	"time"
)

// keptEvents is how many events of a client are remembered.
const keptEvents = 50

// History holds the last 50 events of a client, as far as they tell what happened;
// what was planned then is not kept. The zero value is empty.
type History struct {
	mu     sync.Mutex
	events []past
}

// past is an event that is remembered. There may be very many clients, and of most
// events there is nothing to explain.
type past struct {
	at         int64 // Unix time in ns
	why        *why  // nil if all was well
	generation uint32
	millis     uint32 // of the duration
	status     uint16
	kind       uint8 // index of kinds
}

type why struct{ cause, detail, remedy string }

// Add appends an event, and drops the oldest if there are too many.
func (h *History) Add(e Event) {
	p := past{
		kind: uint8(slices.Index(kinds, e.Kind)), at: e.At.UnixNano(), generation: uint32(e.Generation),
		millis: uint32(min(e.Duration, time.Hour) / time.Millisecond), status: uint16(e.Status),
	}
	if e.Cause != "" || e.Detail != "" || e.Remedy != "" {
		p.why = &why{e.Cause, e.Detail, e.Remedy}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == keptEvents {
		h.events = slices.Delete(h.events, 0, 1)
	}
	h.events = append(h.events, p)
}

// Events returns them, oldest first.
func (h *History) Events() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := make([]Event, 0, len(h.events))
	for _, p := range h.events {
		e := Event{
			Kind: kinds[p.kind], At: time.Unix(0, p.at), Generation: uint64(p.generation),
			Duration: time.Duration(p.millis) * time.Millisecond, Status: int(p.status),
		}
		if p.why != nil {
			e.Cause, e.Detail, e.Remedy = p.why.cause, p.why.detail, p.why.remedy
		}
		events = append(events, e)
	}
	return events
}

// History returns the last 50 events, oldest first.
func (k *Keeper) History() []Event { return k.history.Events() }
