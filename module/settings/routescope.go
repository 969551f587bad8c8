package settings

import (
	"lamplighter/module/internal/record"
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

// Empty reports whether nothing is asked for in place of the client's.
func (s RouteScope) Empty() bool {
	return len(s.Scope) == 0 && len(s.Audience) == 0 && len(s.Resource) == 0
}

// Field returns the list that a Caddyfile subdirective fills, nil if there is none
// of that name.
func (s *RouteScope) Field(subdirective string) *[]string {
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

// Of returns the name of the client with this scope.
func (s RouteScope) Of(client string) string {
	if s.Empty() {
		return client
	}
	return client + "." + record.FingerprintOfAll(s.Scope, s.Audience, s.Resource).String()[:8]
}

// Over lays the route's scope over a client's settings. The token that comes of it is in
// no file, and not printed: those have the client's own.
func (s RouteScope) Over(c *Client) *Client {
	own := *c
	own.TokenFile, own.AllowPrint = nil, false
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
