package module

import (
	"cmp"
	"errors"
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/placeholder"
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
	a.set.maxRequests = a.MaxConcurrentRefreshes
	if a.set.maxRequests == 0 {
		limits, err := ctx.AppIfConfigured("oauth2_client_limits")
		switch {
		case errors.Is(err, caddy.ErrNotConfigured):
		case err != nil:
			return err
		default:
			a.set.maxRequests = limits.(*Limits).MaxConcurrentRefreshes
		}
	}
	a.set.maxRequests = cmp.Or(a.set.maxRequests, defaultMaxConcurrentRefreshes)
	if a.set.maxRequests < 0 {
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

// useTurns finds the turns to ask the client's authorization server. They are the
// same for all configurations, and are given back under the server's name.
func (s *set) useTurns(c *Client) error {
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

// Interface guard
var _ caddy.App = (*Limits)(nil)
