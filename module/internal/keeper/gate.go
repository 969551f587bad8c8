package keeper

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// maxHold ends a hold whatever happens: callers rather see an old token's 401
// replayed than wait for a slow token endpoint.
const maxHold = 5 * time.Second

// gate holds new requests back while a token is replaced whose predecessor dies
// that moment, and knows how many sent requests have no answer yet. Without a
// hold, a request costs two atomic additions and one load.
type gate struct {
	sent atomic.Int64
	held atomic.Pointer[hold]

	waiting atomic.Int64 // requests that are held back
}

// hold is one closing of the gate.
type hold struct {
	drained  chan struct{} // closed when no sent request is without an answer
	released chan struct{} // closed when requests may go on
	drain    func()
	release  func()
	limit    *time.Timer
}

// open lets requests go on.
func (h *hold) open() {
	h.limit.Stop()
	h.release()
}

// enter waits until the gate is open and counts the request as sent.
func (g *gate) enter(ctx context.Context) error {
	for {
		if h := g.held.Load(); h != nil {
			if err := g.await(ctx, h); err != nil {
				return err
			}
		}
		g.sent.Add(1)
		// Closed between the look and the count: whoever closed it may have
		// missed this request, so it has to wait.
		if g.held.Load() == nil {
			return nil
		}
		g.leave()
	}
}

// pass waits until the gate is open, and counts nothing.
func (g *gate) pass(ctx context.Context) error {
	if h := g.held.Load(); h != nil {
		return g.await(ctx, h)
	}
	return nil
}

func (g *gate) await(ctx context.Context, h *hold) error {
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	select {
	case <-h.released:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave counts the request as answered.
func (g *gate) leave() {
	if g.sent.Add(-1) != 0 {
		return
	}
	if h := g.held.Load(); h != nil {
		h.drain()
	}
}

// close holds new requests and waits until those already sent are answered, but
// no longer than quiesce. The gate opens by itself after maxHold, or when the
// returned function is called.
func (g *gate) close(ctx context.Context, quiesce time.Duration) (open func()) {
	h := g.shut()
	patience := time.NewTimer(quiesce)
	defer patience.Stop()
	select {
	case <-h.drained:
	case <-h.released:
	case <-patience.C:
	case <-ctx.Done():
	}
	return h.open
}

// shut holds new requests, maxHold at most, and waits for nothing.
func (g *gate) shut() *hold {
	h := &hold{drained: make(chan struct{}), released: make(chan struct{})}
	h.drain = sync.OnceFunc(func() { close(h.drained) })
	h.release = sync.OnceFunc(func() {
		g.held.CompareAndSwap(h, nil)
		close(h.released)
	})
	h.limit = time.AfterFunc(maxHold, h.release)
	g.held.Store(h)
	if g.sent.Load() == 0 {
		h.drain()
	}
	return h
}
