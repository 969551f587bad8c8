package tokenfile

import "sync"

// owners say which writer has a file: that of the newest configuration that started, and
// the one before if that stops again.
var owners = &registry{byPath: make(map[string]*entry)}

// registry is what the configurations of this process share.
type registry struct {
	mu     sync.Mutex
	byPath map[string]*entry
}

// entry is a file that somebody writes.
type entry struct {
	writers []*writer // the oldest first
	busy    sync.Mutex
}

func (r *registry) add(w *writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byPath[w.Path]
	if e == nil {
		e = new(entry)
		r.byPath[w.Path] = e
	}
	e.writers = append(e.writers, w)
}

// remove takes a writer away, and lets the one before it go on.
func (r *registry) remove(w *writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byPath[w.Path]
	if e == nil {
		return
	}
	for i, other := range e.writers {
		if other == w {
			e.writers = append(e.writers[:i:i], e.writers[i+1:]...)
			break
		}
	}
	if len(e.writers) == 0 {
		delete(r.byPath, w.Path)
		return
	}
	select {
	case e.writers[len(e.writers)-1].poke <- struct{}{}:
	default: // it was told already
	}
}

func (r *registry) has(w *writer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byPath[w.Path]
	return e != nil && e.writers[len(e.writers)-1] == w
}

// lock lets nobody else write a file until the returned function is called.
func (r *registry) lock(path string) (unlock func()) {
	r.mu.Lock()
	e := r.byPath[path]
	r.mu.Unlock()
	if e == nil {
		return func() {}
	}
	e.busy.Lock()
	return e.busy.Unlock
}
