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
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"lamplighter/module/internal/keeper"
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
	// record, so a renamed client starts anew.
	Clients map[string]*Client `json:"clients,omitempty"`

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

// State that outlives a configuration: keepers by the identity of their record,
// never by their settings, so that two configurations never spend the same
// refresh token; and the stores by their place.
var (
	keepers = caddy.NewUsagePool()
	stores  = caddy.NewUsagePool()
)

// pooled makes a value fit for a UsagePool. Nothing is left to destruct: the
// last configuration that stops ends a keeper's work.
type pooled[T any] struct{ value T }

// Destruct does nothing.
func (pooled[T]) Destruct() error { return nil }

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

// addAll provisions clients, as many at a time as there are processors: their
// secrets are in files. Which error is returned does not depend on that.
func (a *App) addAll(list map[string]*Client) error {
	names := slices.Sorted(maps.Keys(list))
	found := make([]*client, len(names))
	failed := make([]error, len(names))
	inParallel(len(names), func(i int) { found[i], failed[i] = a.newClient(names[i], list[names[i]]) })
	for i, c := range found {
		if failed[i] != nil {
			return failed[i]
		}
		if err := a.register(c); err != nil {
			return err
		}
	}
	return nil
}

// add provisions a client.
func (a *App) add(name string, cfg *Client) (*client, error) {
	c, err := a.newClient(name, cfg)
	if err != nil {
		return nil, err
	}
	return c, a.register(c)
}

// newClient is all of it that changes nothing in the app.
func (a *App) newClient(name string, cfg *Client) (*client, error) {
	if cfg == nil {
		return nil, fmt.Errorf("client %s: it has no settings", name)
	}
	c, err := newClient(a.ctx, a.kinds, name, cfg)
	if err != nil {
		return nil, located(cfg.DeclaredAt, fmt.Errorf("client %s: %w", name, err))
	}
	c.app, c.log, c.events = a, &reporter{logger: a.logger}, a.events
	for _, warning := range c.warnings() {
		a.logger.Warn(warning, zap.String("client", name), zap.String("declared_at", cfg.DeclaredAt))
	}
	return c, nil
}

// register makes a client known, and takes what it shares with other
// configurations.
func (a *App) register(c *client) error {
	if c.seed != "" && c.cfg.rotating() {
		if other := a.seeds.claim(c.seed, c); other != c {
			return located(c.declaredAt, fmt.Errorf("client %s: %w", c.name, errSameSeed(other)))
		}
	}
	if err := a.useStore(c); err != nil {
		return located(c.declaredAt, fmt.Errorf("client %s: store: %w", c.name, err))
	}
	if err := a.useTurns(c); err != nil {
		return err
	}
	if err := c.acquire(); err != nil {
		return errors.Join(err, c.release())
	}
	a.clients[c.name] = c
	return nil
}

// inParallel calls do with 0 to n-1, on all processors.
func inParallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

// located puts where a client is declared before an error.
func located(declaredAt string, err error) error {
	if declaredAt == "" {
		return err
	}
	return fmt.Errorf("%s: %w", declaredAt, err)
}

// lookup returns the client of a name for another module. With settings it
// declares the client in place: once, or again with equal settings.
func (a *App) lookup(name string, inPlace *Client, declaredAt string) (*client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.clients[name]
	if inPlace == nil {
		if known == nil {
			return nil, located(declaredAt, notDeclared(name))
		}
		if known.inPlace {
			return nil, located(declaredAt, fmt.Errorf("client %s is declared in another block (%s) and cannot be referred to from here: make it a global option 'oauth2_client %s { … }'", name, known.declaredAt, name))
		}
		return known, nil
	}
	if known == nil {
		c, err := a.add(name, inPlace)
		if err != nil {
			return nil, err
		}
		c.inPlace = true
		return c, a.connect(c)
	}
	if !known.inPlace {
		return nil, located(inPlace.DeclaredAt, fmt.Errorf("client %s is a global option already%s: refer to it without a block, or choose another name", name, at(known.declaredAt)))
	}
	if !known.declared.Equal(inPlace) {
		return nil, located(inPlace.DeclaredAt, fmt.Errorf("client %s is declared with other settings already%s: make the declarations equal, or declare it once as a global option", name, at(known.declaredAt)))
	}
	return known, nil
}

func notDeclared(name string) error {
	return fmt.Errorf("client %s is not declared: add the global option 'oauth2_client %s { … }', or give the client a block here", name, name)
}

// gated reports whether there is a gate of the same directive.
func (a *App) gated(name, declaredAt string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gates[use{name, declaredAt}]
}

// expect returns a function that finds the client of a name once all modules are
// provisioned: it may be declared in place by one that comes later.
func (a *App) expect(name, declaredAt string) func() *client {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gates[use{name, declaredAt}] = true
	return sync.OnceValue(func() *client {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.clients[name]
	})
}

func at(place string) string {
	if place == "" {
		return ""
	}
	return " at " + place
}

// Start begins to keep the tokens fresh.
func (a *App) Start() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for u := range a.gates {
		if a.clients[u.client] == nil {
			return located(u.declaredAt, notDeclared(u.client))
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
			return located(c.declaredAt, fmt.Errorf("client %s: %w", c.name, err))
		}
	}
	inParallel(len(clients), func(i int) { a.startClient(clients[i]) })
	a.Clients = nil
	a.events.start()
	a.stopped = make(chan struct{})
	go tick(clients, a.stopped)
	return nil
}

func (a *App) startClient(c *client) {
	if kind := c.use.network; kind != "" && c.cfg.rotating() {
		a.logger.Warn("the record is on a network file system, whose locks and syncs may not hold what they promise: keep it on a local disk or a volume of its own",
			zap.String("client", c.name), zap.String("record", c.use.store.Describe(c.name)), zap.String("file_system", kind))
	}
	c.start(a.maxRequests)
	if !c.inPlace {
		c.declared = nil // nobody compares it any more, and there may be very many
	}
	c.seed, c.seedErr = "", nil
}

// tick lets every keeper compare the clocks.
func tick(clients []*client, stopped <-chan struct{}) {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, c := range clients {
				c.keeper.Tick()
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

// recordKey is the identity of a record.
type recordKey struct{ dir, name string }

// sharedKeeper returns the keeper of a record.
func sharedKeeper(name string, u *storeUse) (k *keeper.Keeper, key recordKey, err error) {
	key = recordKey{u.dir, name}
	value, _, err := keepers.LoadOrNew(key, func() (caddy.Destructor, error) {
		return pooled[*keeper.Keeper]{value: keeper.New(name, u.store, keeper.Clock{})}, nil
	})
	if err != nil {
		return nil, key, err
	}
	return value.(pooled[*keeper.Keeper]).value, key, nil
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
