package module

import (
	"math"
	"net/http"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/problem"
)

// noToken explains why a request finds no valid token.
func noToken(u *keeper.Unavailable) *problem.Problem {
	p := &problem.Problem{
		Type:       "about:blank",
		Title:      http.StatusText(http.StatusServiceUnavailable),
		Status:     http.StatusServiceUnavailable,
		Detail:     "there is no valid access token: " + u.Trouble.Detail,
		Client:     u.Client,
		State:      string(u.State),
		Cause:      u.Trouble.Cause,
		Remedy:     u.Trouble.Remedy,
		RetryAfter: int(math.Ceil(u.RetryAfter.Seconds())),
		ProxyError: "destination_unavailable",
	}
	switch u.Trouble.State {
	case keeper.StateMisconfigured, keeper.StateGrantLost, keeper.StateAwaitingGrant:
		p.ProxyError = "proxy_configuration_error"
	}
	return p
}
