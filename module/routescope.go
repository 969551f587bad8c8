package module

import (
	"errors"
	"fmt"

	"lamplighter/module/internal/record"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// RouteScope asks for another token than the client's own, for the requests of
// one route. Each combination has a token of its own, kept as if it were a client
// named `<client>.<hash>`. It is not possible for a refresh token that rotates:
// that one has a single holder.
type RouteScope struct {
	// The scope to ask for in place of the client's (RFC 6749 section 3.3).
	// Default: the client's.
	Scope []string `json:"scope,omitempty"`

	// The audience to ask for in place of the client's. Default: the client's.
	Audience []string `json:"audience,omitempty"`

	// The resources to ask for in place of the client's (RFC 8707). Default: the
	// client's.
	Resource []string `json:"resource,omitempty"`
}

func (s RouteScope) empty() bool {
	return len(s.Scope) == 0 && len(s.Audience) == 0 && len(s.Resource) == 0
}

// field returns the list that a Caddyfile subdirective fills, nil if there is none
// of that name.
func (s *RouteScope) field(subdirective string) *[]string {
	switch subdirective {
	case "scope":
		return &s.Scope
	case "audience":
		return &s.Audience
	case "resource":
		return &s.Resource
	}
	return nil
}

// of returns the name of the client with this scope.
func (s RouteScope) of(client string) string {
	if s.empty() {
		return client
	}
	return client + "." + record.FingerprintOfAll(s.Scope, s.Audience, s.Resource).String()[:8]
}

// over lays the route's scope over a client's settings.
func (s RouteScope) over(c *settings.Client) *settings.Client {
	own := *c
	if len(s.Scope) > 0 {
		own.Scope = s.Scope
	}
	if len(s.Audience) > 0 {
		own.Audience = s.Audience
	}
	if len(s.Resource) > 0 {
		own.Resource = s.Resource
	}
	return &own
}

// scoped returns the client with a route's scope: itself, if that is empty.
func (s *set) scoped(c *client, scope RouteScope, declaredAt string) (*client, error) {
	if scope.empty() {
		return c, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fail := func(err error) (*client, error) {
		return nil, placeholder.Located(declaredAt, fmt.Errorf("client %s: %w", c.name, err))
	}
	if c.inPlace {
		return fail(errors.New("scope, audience and resource belong into its own settings here, because no other route uses it"))
	}
	if c.cfg.Rotating() {
		return fail(errors.New("scope, audience and resource cannot differ by route, because its refresh token rotates and has one holder: declare another client, with a grant of its own"))
	}
	name := scope.of(c.name)
	if known := s.clients[name]; known != nil {
		return known, nil
	}
	settings := scope.over(c.declared)
	settings.DeclaredAt = declaredAt
	scoped, err := s.add(name, settings)
	if err != nil {
		return nil, err
	}
	return scoped, s.connect(scoped)
}
