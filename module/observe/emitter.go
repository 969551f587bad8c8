package observe

import (
	"context"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/panics"
)

// Bounds of the queue of events: of its length, and of the wait for handlers when
// the configuration starts and stops.
const (
	keptForHandlers = 256
	handlersStart   = 10 * time.Second
	handlersStop    = 2 * time.Second
)

// emitted are the events that handlers of Caddy's app events can subscribe to.
var emitted = map[finding.Kind]bool{
	finding.TokenObtained:       true,
	finding.TokenRefreshFailed:  true,
	finding.RefreshTokenRotated: true,
	finding.GrantLost:           true,
	finding.GrantEnds:           true,
	finding.SeedRefused:         true,
	finding.TokenRejected:       true,
}

// Emitter hands events to Caddy's app events, on a goroutine of its own: a
// handler may run a command, and a keeper must not wait for that.
type Emitter struct {
	ctx     caddy.Context
	events  *caddyevents.App
	logger  *zap.Logger
	over    <-chan struct{} // closed when the configuration has ended, also before it ran
	started chan struct{}   // closed when the configuration runs: handlers subscribe while it starts
	done    chan struct{}   // closed when the last event was handed over; nil before the start

	mu     sync.Mutex
	queue  chan named
	closed bool
}

// named is an event as handlers hear of it.
type named struct {
	name string
	data map[string]any
}

// NewEmitter prepares the events of a configuration.
func NewEmitter(ctx caddy.Context) (*Emitter, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	m := newEmitter(ctx, app.(*caddyevents.App))
	return m, m.events.On("started", onStarted(sync.OnceFunc(func() { close(m.started) })))
}

func newEmitter(ctx caddy.Context, events *caddyevents.App) *Emitter {
	over := ctx.Done()
	ctx.Context = context.WithoutCancel(ctx.Context) // clients end after their configuration has
	return &Emitter{
		ctx: ctx, events: events, logger: ctx.Logger(), over: over,
		started: make(chan struct{}), queue: make(chan named, keptForHandlers),
	}
}

// onStarted hears that all apps have started.
type onStarted func()

// Handle calls it.
func (f onStarted) Handle(context.Context, caddy.Event) error {
	f()
	return nil
}

// AfterStart calls do when the configuration runs, or never will.
func (m *Emitter) AfterStart(do func()) {
	go func() {
		m.awaitStart()
		Contain(m.logger, "after the start of the configuration", do)
	}()
}

// awaitStart waits until the configuration runs. It reports false if it never
// will.
func (m *Emitter) awaitStart() bool {
	select {
	case <-m.started:
	case <-m.over:
		return false
	case <-time.After(handlersStart):
	}
	return true
}

// Start begins to hand events over.
func (m *Emitter) Start() {
	m.done = make(chan struct{})
	go func() {
		defer close(m.done)
		if !m.awaitStart() {
			for range m.queue { // nobody listens
			}
			return
		}
		for e := range m.queue {
			Contain(m.logger, "while handlers heard of the event "+e.name, func() { m.events.Emit(m.ctx, e.name, e.data) })
		}
	}()
}

// Stop ends it, and waits a little for what is queued.
func (m *Emitter) Stop() {
	m.mu.Lock()
	closed := m.closed
	m.closed = true
	m.mu.Unlock()
	if closed || m.done == nil {
		return
	}
	close(m.queue)
	select {
	case <-m.started:
	default:
		return // a configuration that never ran
	}
	select {
	case <-m.done:
	case <-time.After(handlersStop):
	}
}

// Emit queues what happened to a client.
func (m *Emitter) Emit(e Event) {
	if name := explain.Event(e.Kind); emitted[e.Kind] && m.events.ShouldEmit(name) {
		m.queueUp(named{name, eventData(e)})
	}
}

func (m *Emitter) queueUp(e named) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	select {
	case m.queue <- e:
	default:
		m.logger.Warn("event dropped: the handlers of the app events are too slow",
			zap.Any("client", e.data["client"]), zap.String("event", e.name))
	}
}

// Contain calls do, and ends a panic of it here: in a log line that holds nothing of
// its value.
func Contain(logger *zap.Logger, when string, do func()) {
	if err := panics.Contain(do); err != nil {
		logger.Error("bug: "+err.Error()+" "+when+"; please report it", zap.String("cause", finding.CauseInternal))
	}
}

// eventData is what handlers see, as {event.data.client} and so on. No secret is
// among it.
func eventData(e Event) map[string]any {
	data := map[string]any{"client": e.Client, "generation": e.Generation}
	add := func(when bool, name string, value any) {
		if when {
			data[name] = value
		}
	}
	add(!e.ExpiresAt.IsZero(), "expires_at", e.ExpiresAt.UTC().Format(time.RFC3339))
	add(!e.NextRefresh.IsZero(), "next_refresh_at", e.NextRefresh.UTC().Format(time.RFC3339))
	add(!e.GrantExpiresAt.IsZero(), "grant_expires_at", e.GrantExpiresAt.UTC().Format(time.RFC3339))
	add(e.Status > 0, "status", e.Status)
	add(e.BecauseOf > 0, "because_of", e.BecauseOf)
	add(e.Trouble.Cause != "", "cause", e.Trouble.Cause)
	add(e.Detail != "", "detail", e.Detail)
	add(e.Remedy != "", "remedy", e.Remedy)
	return data
}
