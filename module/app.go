// Package module answers which clients there are, and has them at work: the app
// oauth2_client and its admin API, a client of one configuration, and what clients share
// (kinds, seeds, stores, turns).
//
// It knows Caddy, and translates between it and the packages below module/internal. It
// must not know OAuth, which is tokenendpoint's business, nor requests on their way, which
// are the proxy's.
package module

import (
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2"

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

	set    *set
	gating sync.Mutex
	gates  map[use]bool // uses of clients that must be declared by Start
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
	a.set = newSet(ctx)
	a.gates = make(map[use]bool)
	err := a.limit(ctx)
	if err != nil {
		return err
	}
	if a.set.events, err = observe.NewEmitter(ctx); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	if err = observe.Register(ctx.GetMetricsRegistry(), a.set.observed); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return a.set.addAll(a.Clients)
}

// Start begins to keep the tokens fresh.
func (a *App) Start() error {
	if err := a.checkGates(); err != nil {
		return err
	}
	if err := a.set.start(); err != nil {
		return err
	}
	a.Clients = nil
	return nil
}

// Stop ends this configuration's say. If no other one keeps a client, it waits
// for a token request that was written already.
func (a *App) Stop() error {
	a.set.stop()
	return nil
}

// Cleanup gives back what Provision took. A configuration whose start failed
// is cleaned up without being stopped.
func (a *App) Cleanup() error {
	a.set.stop()
	return a.set.release()
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
