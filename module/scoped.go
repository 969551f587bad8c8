package module

import (
	"errors"
	"fmt"

	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// scoped returns the client with a route's scope: itself, if that is empty.
func (s *set) scoped(c *Client, scope settings.RouteScope, declaredAt string) (*Client, error) {
	if scope.Empty() {
		return c, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fail := func(err error) (*Client, error) {
		return nil, placeholder.Located(declaredAt, fmt.Errorf("client %s: %w", c.name, err))
	}
	if c.inPlace {
		return fail(errors.New("scope, audience and resource belong into its own settings here, because no other route uses it"))
	}
	if c.cfg.Rotating() {
		return fail(errors.New("scope, audience and resource cannot differ by route, because its refresh token rotates and has one holder: declare another client, with a grant of its own"))
	}
	name := scope.Of(c.name)
	if known := s.clients[name]; known != nil {
		return known, nil
	}
	own := scope.Over(c.declared)
	own.DeclaredAt = declaredAt
	scoped, err := s.add(name, own)
	if err != nil {
		return nil, err
	}
	return scoped, s.connect(scoped)
}
