package login

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"lamplighter/module/internal/tokenendpoint"
)

// pushed is what comes of an authorization request that is handed to the server itself.
type pushed struct {
	requestURI string  // that stands for it, "" if it was not handed over
	within     float64 // how many seconds that may be used
	warning    string  // why it goes through the browser after all
}

// push hands the parameters of an authorization request to the server (RFC 9126), where
// it takes them, so that they do not pass through the browser. Where it need not be, it
// is not if the server does not let this client do it.
func (c *Client) push(ctx context.Context, params map[string][]string) (p pushed, err error) {
	endpoint, demanded, err := c.Server.PushEndpoint(ctx)
	if err != nil || endpoint == "" {
		return p, err
	}
	a, err := c.Server.Push(ctx, c.Tokens, endpoint, func(d *tokenendpoint.Dialect) {
		d.GrantType, d.Method, d.ParamsIn, d.NamesClient = "-", http.MethodPost, "form", true
		d.AccessTokenPath, d.ExpiresPath, d.ExpiresFormat, d.DefaultExpiresIn = "request_uri", "expires_in", "seconds", loginLifetime
		d.IgnoreRefreshToken, d.AnyTokenType, d.ParamNames, d.ResponsePaths = true, true, nil, nil
	}, params)
	if err != nil {
		return p, err
	}
	detail := strings.ReplaceAll(a.Detail, "token endpoint", "pushed_authorization_request_endpoint")
	switch {
	case a.Outcome == tokenendpoint.Granted && a.Unusable == "":
		return pushed{requestURI: a.AccessToken, within: a.ExpiresIn.Seconds()}, nil
	case !demanded && unwelcome(a):
		p.warning = fmt.Sprintf("the authorization request could not be pushed (RFC 9126), and its parameters go through the browser: %s; let the server's operator allow it to this client", detail)
		return p, nil
	}
	return p, fmt.Errorf("client %s: the authorization request could not be pushed (RFC 9126): %s", c.Name, strings.Replace(c.failure(a), a.Detail, detail, 1))
}

// unwelcome reports whether a server says that this client does not push requests.
func unwelcome(a tokenendpoint.Answer) bool {
	return a.Status == http.StatusForbidden || a.Status == http.StatusNotFound || a.Cause == "unauthorized_client"
}
