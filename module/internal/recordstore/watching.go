package recordstore

import "sync"

// Watching is one caller of [Store.Watch], as a store keeps it.
type Watching struct {
	changed func()
	mu      sync.Mutex // held during a call, so that the end can wait for it
	ended   bool
}

// NewWatching returns a caller who is told of changes by that function.
func NewWatching(changed func()) *Watching { return &Watching{changed: changed} }

// Call tells of a change, unless the caller wants to hear of none any more.
func (w *Watching) Call() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.changed()
	}
}

// End waits for a call that runs, and lets no other follow. It reports whether that is new.
func (w *Watching) End() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := !w.ended
	w.ended = true
	return first
}
