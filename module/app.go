// Package module answers which clients a configuration has, from Provision to Cleanup: the
// app oauth2_client, what is declared, by whom, and how many token requests may run.
//
// It knows Caddy and the clients. It must not know what a client does at work, nor requests
// on their way, which are the proxy's.
package module

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/client"
	"lamplighter/module/doctor"
	"lamplighter/module/observe"
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

	// Where the records of clients are kept that name no store: a module of the
	// namespace `oauth2_client.stores`, such as `{"kind": "file", …}`. A client's own
	// `store` replaces it whole. In a Caddyfile it is the global option `oauth2_store`.
	// Default: a file below Caddy's data directory.
	Store json.RawMessage `json:"store,omitempty" caddy:"namespace=oauth2_client.stores inline_key=kind"`

	ctx       caddy.Context
	set       *client.Set
	declaring sync.Mutex                  // of clients and upstreams
	declared  map[string]*settings.Client // as it was written, by others than Clients
	gating    sync.Mutex
	gates     map[use]bool // uses of clients that must be declared by Start

	upstreams []doctor.Upstream
	servers   map[*caddyhttp.Server]bool // that have handlers of ours
	started   atomic.Bool
	services  services
}

// use is where a client is used.
type use struct{ client, declaredAt string }

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
	a.gates, a.declared = make(map[use]bool), make(map[string]*settings.Client)
	maxRequests, err := a.limit(ctx)
	if err != nil {
		return err
	}
	inGeneral, err := a.storeInGeneral(ctx)
	if err != nil {
		return err
	}
	events, err := observe.NewEmitter(ctx)
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	a.set = client.NewSet(ctx, events, maxRequests, inGeneral)
	if err = observe.Register(ctx.GetMetricsRegistry(), a.set.Observed); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if err = observe.RegisterStores(ctx.GetMetricsRegistry(), a.set.ObservedStores); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if err = a.keepDirectories(ctx); err != nil {
		return err
	}
	a.set.Files().KeepFiles(func() map[string]string { return a.files(ctx) })
	if err = a.set.AddAll(a.Clients); err != nil {
		return err
	}
	for _, c := range a.set.List() {
		if err := a.notElsewhere(c); err != nil {
			return err
		}
	}
	return nil
}

// Start begins to keep the tokens fresh.
func (a *App) Start() error {
	observe.GuardStdLog()
	if err := a.checkGates(); err != nil {
		return err
	}
	if err := a.set.Start(); err != nil {
		return err
	}
	a.started.Store(true)
	a.Clients = nil // nobody compares them any more, and there may be very many
	return nil
}

// Stop does nothing yet: Caddy stops apps in any order, and while its servers end they
// serve requests, for the whole of shutdown_delay and grace_period, which want tokens
// as ever.
func (a *App) Stop() error { return nil }

// Cleanup comes when all apps have stopped. It ends this configuration's say; if no other
// one keeps a client, it waits for a token request that was written already. Then it gives
// back what Provision took. A configuration whose start failed is cleaned up without
// being stopped.
func (a *App) Cleanup() error {
	if a.set == nil {
		return nil // its settings were wrong
	}
	a.set.Stop()
	observe.GuardStdLog() // Caddy has given back a writer of this configuration's
	return a.set.Release()
}

// List returns the clients in the order of their names.
func (a *App) List() []*client.Client { return a.set.List() }

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
