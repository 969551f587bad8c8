package client

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"lamplighter/module/placeholder"
)

// connect gives a client the clients whose tokens it sends. Those are global
// options: a client declared in place belongs to its block.
func (s *Set) connect(c *Client) error {
	for _, name := range c.cfg.Mentioned() {
		other := s.clients[name]
		if other == nil || other.inPlace {
			return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: {oauth2_client.%s.access_token}: no global option declares client %s: add 'oauth2_client %s { … }'", c.name, name, name, name))
		}
		if err := other.cfg.WithoutProofs(); err != nil {
			return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: {oauth2_client.%s.access_token}: client %s: %w", c.name, name, name, err))
		}
		if c.others == nil {
			c.others = make(map[string]*Client)
		}
		c.others[name] = other
		other.dependents = append(other.dependents, c)
		if other.cfg.PerCaller() {
			return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: {oauth2_client.%s.access_token}: client %s has a token for each caller, and none of its own", c.name, name, name))
		}
	}
	if path := c.pathTo(c, nil); path != nil {
		return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: its token request needs a token that needs its own: %s", c.name, strings.Join(path, " → ")))
	}
	return nil
}

// pathTo returns the way from the client to a goal over the tokens it sends.
func (c *Client) pathTo(goal *Client, way []string) []string {
	way = append(slices.Clone(way), c.name)
	if len(way) > 1 && c == goal {
		return way
	}
	if len(way) > 100 { // another cycle, found from its own members
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(c.others)) {
		if found := c.others[name].pathTo(goal, way); found != nil {
			return found
		}
	}
	return nil
}

// obtained tells the clients that wait for this one's token.
func (c *Client) obtained() {
	for _, d := range c.dependents {
		d.keeper.Recheck()
	}
}
