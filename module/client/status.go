package client

import (
	"encoding/json"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/authserver"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/observe"
)

// Status is what operators see of the client.
func (c *Client) Status() adminapi.ClientStatus { return c.status(c.state(), time.Now()) }

// HasToken reports whether requests get a token now.
func (c *Client) HasToken() bool { return adminapi.HasToken(c.state().Token) }

// History are its last events, the oldest first.
func (c *Client) History() []adminapi.ClientEvent { return c.counts.History.Shown(c.about()) }

// status is what they see of a state.
func (c *Client) status(st keeper.Status, now time.Time) adminapi.ClientStatus {
	s := observe.Status(st, c.about(), now)
	s.GrantType, s.DeclaredAt, s.NewGrantBy = c.cfg.GrantType, c.declaredAt, c.cfg.NewGrantBy()
	if c.callers != nil {
		s.CacheEntries = c.callers.Len()
	}
	if store, up, ok := c.record.Use.Shared(); ok && !c.cfg.PerCaller() {
		s.Store, s.StoreUp = store, &up
		s.LeaseHolder, s.LeaseHeld, _ = c.record.Lease()
	}
	c.counts.Show(&s)
	endpoint, details := c.server.Shown()
	s.TokenEndpoint, s.AuthorizationDetails = endpoint, json.RawMessage(details)
	if t := c.keeper.Current(); t != nil {
		s.AuthorizationDetailsGranted = authserver.Granted(t.Response)
	}
	c.files.Show(&s)
	return s
}
