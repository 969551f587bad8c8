package module

import (
	"errors"
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/keeper"
)

func init() {
	caddy.RegisterModule(new(Limits))
}

// Limits is what the Caddyfile's global option `max_concurrent_refreshes` sets.
// In JSON, the app `oauth2_client` has the same field.
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
func (a *App) limit(ctx caddy.Context) error {
	a.maxRequests = a.MaxConcurrentRefreshes
	if a.maxRequests == 0 {
		limits, err := ctx.AppIfConfigured("oauth2_client_limits")
		switch {
		case errors.Is(err, caddy.ErrNotConfigured):
		case err != nil:
			return err
		default:
			a.maxRequests = limits.(*Limits).MaxConcurrentRefreshes
		}
	}
	setDefault(&a.maxRequests, defaultMaxConcurrentRefreshes)
	if a.maxRequests < 0 {
		return errors.New("max_concurrent_refreshes is negative: it is how many token requests may run at a time at one authorization server, such as 16")
	}
	return nil
}

// Turns outlive a configuration, as the keepers do that take them: to look at
// records, and to ask an authorization server.
var (
	looks    keeper.Turns
	requests = caddy.NewUsagePool()
)

// sharedTurns returns the turns to ask the authorization server of an endpoint,
// and the key for giving them back.
func sharedTurns(endpoint string) (turns *keeper.Turns, server string, err error) {
	server = endpoint
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		server = u.Scheme + "://" + u.Host
	}
	value, _, err := requests.LoadOrNew(server, func() (caddy.Destructor, error) {
		return pooled[*keeper.Turns]{value: new(keeper.Turns)}, nil
	})
	if err != nil {
		return nil, "", err
	}
	return value.(pooled[*keeper.Turns]).value, server, nil
}

// Interface guard
var _ caddy.App = (*Limits)(nil)
