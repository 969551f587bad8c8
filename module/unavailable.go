package module

import (
	"math"
	"net/http"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/words"
	"lamplighter/module/problem"
)

// noToken explains why a request finds no valid token.
func (c *Client) noToken(u *keeper.Unavailable) *problem.Problem {
	detail, remedy := words.Of(u.Trouble, c.about())
	p := &problem.Problem{
		Type:       "about:blank",
		Title:      http.StatusText(http.StatusServiceUnavailable),
		Status:     http.StatusServiceUnavailable,
		Detail:     "there is no valid access token: " + detail,
		Client:     u.Client,
		State:      string(u.State),
		Cause:      u.Trouble.Cause,
		Remedy:     remedy,
		RetryAfter: int(math.Ceil(u.RetryAfter.Seconds())),
		ProxyError: "destination_unavailable",
	}
	if u.Trouble.Blocking() {
		p.ProxyError = "proxy_configuration_error"
	}
	return p
}
