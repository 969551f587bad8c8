package client

import (
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/placeholder"
)

// Turns outlive a configuration, as the keepers do that take them: to look at
// records, and to ask an authorization server.
var (
	looks    keeper.Turns
	requests = caddy.NewUsagePool()
)

// useTurns finds the turns to ask the client's authorization server. They are the
// same for all configurations, and are given back under the server's name.
func (s *Set) useTurns(c *Client) error {
	var r placeholder.Resolver
	endpoint := r.Value("token_endpoint", c.server.Identity().TokenEndpoint)
	if endpoint == "" {
		endpoint = c.cfg.Issuer
	}
	server := endpoint
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		server = u.Scheme + "://" + u.Host
	}
	if c.turns = s.turns[server]; c.turns != nil {
		return nil
	}
	value, _, err := requests.LoadOrNew(server, func() (caddy.Destructor, error) {
		return pooled[*keeper.Turns]{value: new(keeper.Turns)}, nil
	})
	if err != nil {
		return err
	}
	c.turns = value.(pooled[*keeper.Turns]).value
	s.turns[server] = c.turns
	return nil
}

// pooled makes a value fit for a UsagePool. Nothing is left to destruct: the
// last configuration that stops ends a keeper's work.
type pooled[T any] struct{ value T }

// Destruct does nothing.
func (pooled[T]) Destruct() error { return nil }
