package module

import (
	"cmp"
	"errors"

	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(new(Limits))
}

// Limits is what the Caddyfile's global option `max_concurrent_refreshes` sets.
// In JSON, the app `oauth2_client` has the same fields.
type Limits struct {
	// How many token requests may run at a time at one authorization server. What
	// the app `oauth2_client` says itself holds first. Default: `16`.
	MaxConcurrentRefreshes int `json:"max_concurrent_refreshes,omitempty"`
}

const defaultMaxConcurrentRefreshes = 16

// CaddyModule returns the Caddy module information.
func (*Limits) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "oauth2_client_limits",
		New: func() caddy.Module { return new(Limits) },
	}
}

// Start does nothing.
func (*Limits) Start() error { return nil }

// Stop does nothing.
func (*Limits) Stop() error { return nil }

// limit finds out how many token requests may run at a time at one authorization
// server.
func (a *App) limit(ctx caddy.Context) (maxRequests int, err error) {
	maxRequests = a.MaxConcurrentRefreshes
	if maxRequests == 0 {
		limits, err := ctx.AppIfConfigured("oauth2_client_limits")
		switch {
		case errors.Is(err, caddy.ErrNotConfigured):
		case err != nil:
			return 0, err
		default:
			maxRequests = limits.(*Limits).MaxConcurrentRefreshes
		}
	}
	maxRequests = cmp.Or(maxRequests, defaultMaxConcurrentRefreshes)
	if maxRequests < 0 {
		return 0, errors.New("max_concurrent_refreshes is negative: it is how many token requests may run at a time at one authorization server, such as 16")
	}
	return maxRequests, nil
}

// Interface guard
var _ caddy.App = (*Limits)(nil)
