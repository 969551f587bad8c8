package module

import (
	"context"
	"crypto/tls"

	"lamplighter/module/inject"
	"lamplighter/module/settings"
)

// Name is the client's name, which of a route with a scope of its own is longer than in
// the configuration.
func (c *Client) Name() string { return c.name }

// Settings are the client's, with preset and defaults, and without what tells it from
// others of its kind. They must not be changed.
func (c *Client) Settings() *settings.Client { return c.cfg }

// Injections are where its token goes.
func (c *Client) Injections() *inject.Injections { return c.injections }

// Certificate is the client certificate that the authorization server sees.
func (c *Client) Certificate(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return c.server.Certificate(asked)
}

// See remembers who traces a request: its token requests are traced there, too.
func (c *Client) See(ctx context.Context) { c.traces.See(ctx) }

// Lookup returns the client of a name for another module. With settings it declares the
// client in place: once, or again with equal settings.
func (a *App) Lookup(name string, inPlace *settings.Client, declaredAt string) (*Client, error) {
	return a.set.lookup(name, inPlace, declaredAt)
}

// Scoped returns the client with a route's scope: itself, if that is empty.
func (a *App) Scoped(c *Client, scope settings.RouteScope, declaredAt string) (*Client, error) {
	return a.set.scoped(c, scope, declaredAt)
}
