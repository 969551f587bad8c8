package keeper

import (
	"slices"
	"sync"
)

// keptEvents is how many events of a client are remembered.
const keptEvents = 50

// History holds the last 50 events of a client. The zero value is empty.
type History struct {
	mu     sync.Mutex
	events []Event
}

// Add appends an event, and drops the oldest if there are too many.
func (h *History) Add(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.events) == keptEvents {
		h.events = slices.Delete(h.events, 0, 1)
	}
	h.events = append(h.events, e)
}

// Events returns them, oldest first.
func (h *History) Events() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// History returns the last 50 events, oldest first.
func (k *Keeper) History() []Event { return k.history.Events() }
