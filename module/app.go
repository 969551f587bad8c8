// Package module holds Lamplighter's Caddy modules: the app oauth2_client, which
// keeps access tokens fresh, and the modules that put them into requests.
//
// It knows Caddy, and translates between it and the packages below
// module/internal. It must not know OAuth: what a token request looks like is
// tokenendpoint's business, and when one is made the keeper's.
package module

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App keeps the access tokens of OAuth 2.0 clients fresh: it obtains them at
// token endpoints, refreshes them before they expire, and keeps rotating refresh
// tokens durably, across restarts and crashes.
//
// Modules that send requests refer to its clients by name: see the transport
// `http.reverse_proxy.transport.oauth2`. They may also declare clients of their
// own, which are kept and listed like the ones here.
type App struct {
	// The clients, by name. A name has up to 63 lower-case letters, digits, `_`,
	// `.` and `-`, and starts with a letter or digit. It also names the client's
	// record: the grant of a renamed one is carried over with `tokens rename`.
	Clients map[string]*settings.Client `json:"clients,omitempty"`

	// How many token requests may run at a time at one authorization server, which
	// is the scheme, host and port of the token endpoint, or of the issuer. Others
	// wait for their turn, those first whose token a request waits for. What an
	// operator orders, logs in with, or exchanges for a caller does not count. In a
	// Caddyfile it is the global option `max_concurrent_refreshes`. Default: `16`.
	MaxConcurrentRefreshes int `json:"max_concurrent_refreshes,omitempty"`

	ctx         caddy.Context
	logger      *zap.Logger
	maxRequests int // MaxConcurrentRefreshes, or what holds in its place

	mu        sync.Mutex
	clients   map[string]*client
	kinds     *kinds
	seeds     seeds                    // of all clients
	gates     map[use]bool             // uses of clients that must be declared by Start
	storeUses map[string]*storeUse     // by directory
	turns     map[string]*keeper.Turns // by authorization server
	stopped   chan struct{}
	events    *emitter
}

// use is where a client is used.
type use struct{ client, declaredAt string }

// tickInterval is how often the clocks are compared, since timers stand still
// while a machine is suspended, and lost grants look for a new seed.
const tickInterval = 10 * time.Second

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oauth2_client",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision checks the clients. It makes no network call and writes nothing:
// `caddy validate` provisions too.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.logger = ctx.Logger()
	a.clients = make(map[string]*client)
	a.seeds = make(seeds)
	a.kinds = new(kinds)
	a.gates = make(map[use]bool)
	a.storeUses = make(map[string]*storeUse)
	a.turns = make(map[string]*keeper.Turns)
	err := a.limit(ctx)
	if err != nil {
		return err
	}
	if a.events, err = newEmitter(ctx); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	if err = registerMetrics(ctx.GetMetricsRegistry(), a); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if err := a.addAll(a.Clients); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(a.clients)) {
		if err := a.connect(a.clients[name]); err != nil {
			return err
		}
	}
	return nil
}

// Start begins to keep the tokens fresh.
func (a *App) Start() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for u := range a.gates {
		if a.clients[u.client] == nil {
			return placeholder.Located(u.declaredAt, notDeclared(u.client))
		}
	}
	// Records are looked at when all apps have started, or a request wants one.
	resume := looks.Pause()
	defer a.events.afterStart(resume)
	for _, u := range a.storeUses {
		u.open(a.ctx)
	}
	clients := a.sorted()
	for _, c := range clients {
		if err := c.check(a.ctx); err != nil {
			return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: %w", c.name, err))
		}
	}
	inParallel(len(clients), func(i int) { a.startClient(clients[i]) })
	a.Clients = nil
	a.events.start()
	a.stopped = make(chan struct{})
	go a.tick(clients, a.stopped)
	return nil
}

func (a *App) startClient(c *client) {
	if kind := c.use.network; kind != "" && c.cfg.Rotating() {
		a.logger.Warn("the record is on a network file system, whose locks and syncs may not hold what they promise: keep it on a local disk or a volume of its own",
			zap.String("client", c.name), zap.String("record", c.use.store.Describe(c.name)), zap.String("file_system", kind))
	}
	c.start(a.maxRequests)
	if !c.inPlace {
		c.declared = nil // nobody compares it any more, and there may be very many
	}
	c.seed, c.seedErr = 0, nil
}

// tick lets every keeper compare the clocks.
func (a *App) tick(clients []*client, stopped <-chan struct{}) {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, c := range clients {
				contain(a.logger, "while the clocks were compared", c.keeper.Tick)
			}
		case <-stopped:
			return
		}
	}
}

// Stop ends this configuration's say. If no other one keeps a client, it waits
// for a token request that was written already.
func (a *App) Stop() error {
	a.mu.Lock()
	if a.stopped != nil {
		close(a.stopped)
		a.stopped = nil
	}
	clients, uses := slices.Collect(maps.Values(a.clients)), slices.Collect(maps.Values(a.storeUses))
	a.mu.Unlock() // whoever asks for the clients meanwhile need not wait
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(c.stop)
	}
	wg.Wait()
	for _, u := range uses {
		u.close()
	}
	if a.events != nil {
		a.events.stop()
	}
	return nil
}

// Cleanup gives back what Provision took. A configuration whose start failed
// is cleaned up without being stopped.
func (a *App) Cleanup() error {
	err := a.Stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.clients {
		err = errors.Join(err, c.release())
	}
	for dir := range a.storeUses {
		_, storeErr := stores.Delete(dir)
		err = errors.Join(err, storeErr)
	}
	for server := range a.turns {
		_, turnsErr := requests.Delete(server)
		err = errors.Join(err, turnsErr)
	}
	a.clients, a.storeUses, a.turns = nil, nil, nil
	return err
}

// list returns the clients in the order of their names.
func (a *App) list() []*client {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sorted()
}

// sorted is list. Called with a.mu held.
func (a *App) sorted() []*client {
	return slices.SortedFunc(maps.Values(a.clients), func(one, other *client) int { return strings.Compare(one.name, other.name) })
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
