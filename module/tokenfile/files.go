package tokenfile

import (
	"context"
	"sync"
)

// Files are those of one client. All methods may be called on nil, for a client that has
// none, and concurrently.
type Files struct {
	writers []*writer
	client  string

	mu      sync.Mutex
	running bool
}

// New returns the files of a client. Nothing is read or written before they start. tell
// is told when a file was written, and of trouble, by more than one goroutine.
func New(list []*Compiled, client string, tell func(s State, written bool)) *Files {
	if len(list) == 0 {
		return nil
	}
	f := &Files{client: client}
	for _, c := range list {
		f.writers = append(f.writers, newWriter(c, client, newPath(c), tell))
	}
	return f
}

func newWriter(c *Compiled, client string, at place, tell func(s State, written bool)) *writer {
	return &writer{
		Compiled: c, client: client, place: at, tell: tell,
		poke: make(chan struct{}, 1), stopped: make(chan struct{}), ended: make(chan struct{}),
		state: State{Path: c.Path, Format: c.Format},
	}
}

// Start keeps the files with the tokens of a source, until Stop.
func (f *Files) Start(source Source) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = true
	for _, w := range f.writers {
		w.source = source
		owners.add(w)
		go w.run()
	}
}

// Stop ends that. A token that has come just now is written, and the files stay as they
// are. It waits for nothing that hangs.
func (f *Files) Stop() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.running {
		return
	}
	f.running = false
	for _, w := range f.writers {
		close(w.stopped)
	}
	for _, w := range f.writers {
		<-w.ended
		owners.remove(w)
	}
}

// HandOver returns what a hold waits for: that all files hold the current token, or could
// not be written, or that its context ends. It is nil if there are no files.
func (f *Files) HandOver() func(ctx context.Context) {
	if f == nil {
		return nil
	}
	return f.handOver
}

func (f *Files) handOver(ctx context.Context) {
	for _, w := range f.writers {
		for ctx.Err() == nil {
			done := w.awaits()
			if done == nil {
				break
			}
			select {
			case <-done:
			case <-ctx.Done():
			}
		}
	}
}

// States are how the files are.
func (f *Files) States() (list []State) {
	if f == nil {
		return nil
	}
	for _, w := range f.writers {
		w.mu.Lock()
		list = append(list, w.state)
		w.mu.Unlock()
	}
	return list
}
