package keeper

import (
	"context"
	"sync"
	"time"
)

// awake is a context that ends after a time, as that of context.WithTimeout does, but
// never before the process has run for the last part of it. A process that was stopped
// (a frozen container, a debugger, the migration of its machine) finds its timers over
// before it has read what came meanwhile: an answer of a token endpoint, which
// nobody gives a second time.
type awake struct {
	context.Context // its parent
	deadline        time.Time
	done            chan struct{}

	mu  sync.Mutex
	err error
}

// lastPart is for how long, or a quarter of a time that is short.
const lastPart = time.Second

// withTimeout returns a context that ends after d, with its parent, or by cancel.
func withTimeout(parent context.Context, d time.Duration) (ctx *awake, cancel context.CancelFunc) {
	ended, cancel := context.WithCancel(parent)
	a := &awake{Context: parent, deadline: time.Now().Add(d), done: make(chan struct{})}
	last := min(lastPart, d/4)
	go func() {
		a.end(elapsed(ended, d-last, last))
	}()
	return a, cancel
}

// elapsed waits for one part after the other.
func elapsed(ctx context.Context, parts ...time.Duration) error {
	for _, part := range parts {
		timer := time.NewTimer(part)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	return context.DeadlineExceeded
}

func (a *awake) end(err error) {
	a.mu.Lock()
	a.err = err
	a.mu.Unlock()
	close(a.done)
}

// Over reports whether nothing may be begun any more, although what was begun may still
// end.
func (a *awake) Over() bool { return a.Err() != nil || !time.Now().Before(a.deadline) }

// Deadline is when it ends if the process is not stopped.
func (a *awake) Deadline() (time.Time, bool) { return a.deadline, true }

// Done is closed when it has ended.
func (a *awake) Done() <-chan struct{} { return a.done }

// Err says why.
func (a *awake) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}
