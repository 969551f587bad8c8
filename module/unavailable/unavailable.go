// Package unavailable answers what a caller is told whose request gets no access token: why
// there is none, whose affair that is, and when it is worth another try.
//
// It knows why a client has no token, and answers of our own. It must not know how one
// works, requests, or what was to be done with the token.
package unavailable

import (
	"errors"
	"math"
	"net/http"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/percaller"
	"lamplighter/module/problem"
)

// Client is whose token is missing.
type Client interface {
	// Name is what it is called.
	Name() string

	// Explain puts trouble of it into words.
	Explain(t finding.Trouble) (detail, remedy string)
}

// Problem is the answer to a request for which there is no token: err is that of
// [lamplighter/module/client.Client.Pass]. It is nil if the caller went away.
func Problem(c Client, err error) *problem.Problem {
	if u, ok := errors.AsType[*keeper.Unavailable](err); ok {
		return noToken(c, u)
	}
	if f, ok := errors.AsType[*percaller.Failure](err); ok {
		return noCallersToken(c.Name(), f)
	}
	return nil
}

// noToken explains why a request finds no valid token.
func noToken(c Client, u *keeper.Unavailable) *problem.Problem {
	detail, remedy := c.Explain(u.Trouble)
	p := unavailableFor(u.RetryAfter, u.Trouble.Blocking())
	p.Client, p.State, p.Cause, p.Remedy = u.Client, string(u.State), u.Trouble.Cause, remedy
	p.Detail = "there is no valid access token: " + detail
	return p
}

// noCallersToken explains why a caller gets no token: 401 if that is its own
// affair (RFC 6750 section 3), else 503.
func noCallersToken(client string, f *percaller.Failure) *problem.Problem {
	p := unavailableFor(f.RetryAfter, f.Misconfigured)
	p.Client, p.Cause, p.Remedy = client, f.Cause, f.Remedy()
	p.Detail = "there is no access token for this caller: " + f.Detail
	if f.Refused {
		p.Title, p.Status, p.RetryAfter = http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized, 0
		p.ProxyError = "http_request_denied"
		p.Challenge = "Bearer"
		if f != percaller.ErrNoSubjectToken {
			p.Challenge = `Bearer error="invalid_token"`
		}
	}
	return p
}

// unavailableFor is a 503, until the configuration is mended or for a while.
func unavailableFor(wait time.Duration, misconfigured bool) *problem.Problem {
	p := &problem.Problem{
		Type:       "about:blank",
		Title:      http.StatusText(http.StatusServiceUnavailable),
		Status:     http.StatusServiceUnavailable,
		RetryAfter: int(math.Ceil(wait.Seconds())),
		ProxyError: "destination_unavailable",
	}
	if misconfigured {
		p.ProxyError = "proxy_configuration_error"
	}
	return p
}
