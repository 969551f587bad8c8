package client

import (
	"context"

	"lamplighter/module/authserver"
	"lamplighter/module/inject"
	"lamplighter/module/records"
	"lamplighter/module/settings"
)

// Name is the client's name, which of a route with a scope of its own is longer than in
// the configuration.
func (c *Client) Name() string { return c.name }

// DeclaredAt is where that is, for people.
func (c *Client) DeclaredAt() string { return c.declaredAt }

// InPlace reports whether it is declared by the block that uses it.
func (c *Client) InPlace() bool { return c.inPlace }

// Settings are the client's, with preset and defaults, and without what tells it from
// others of its kind. They must not be changed.
func (c *Client) Settings() *settings.Client { return c.cfg }

// Server is what it asks of its authorization server.
func (c *Client) Server() *authserver.Client { return c.server }

// Injections are where its token goes.
func (c *Client) Injections() *inject.Injections { return c.injections }

// Record is where the client's state is kept.
func (c *Client) Record() *records.Record { return c.record }

// See remembers who traces a request: its token requests are traced there, too.
func (c *Client) See(ctx context.Context) { c.traces.See(ctx) }
