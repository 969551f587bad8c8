package client

import (
	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/keeper"
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
	server := c.server.Address()
	if c.turns = s.turns[server]; c.turns != nil {
		return nil
	}
	value, _, err := requests.LoadOrNew(server, func() (caddy.Destructor, error) {
		return pooledTurns{new(keeper.Turns)}, nil
	})
	if err != nil {
		return err
	}
	c.turns = value.(pooledTurns).Turns
	s.turns[server] = c.turns
	return nil
}

// pooledTurns makes turns fit for a UsagePool. Nothing is left to destruct: the last
// configuration that stops ends a keeper's work.
type pooledTurns struct{ *keeper.Turns }

// Destruct does nothing.
func (pooledTurns) Destruct() error { return nil }
