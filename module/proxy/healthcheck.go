package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module/destination"
)

// isHealthCheck tells an active health check from a request that is proxied: only
// that one has variables. (Both have a server, because handlers are provisioned
// with one.)
func isHealthCheck(req *http.Request) bool {
	return req.Context().Value(caddyhttp.VarsCtxKey) == nil
}

// healthChecks returns those of the enclosing reverse_proxy.
func healthChecks(ctx caddy.Context) reverseproxy.HealthChecks {
	if h := destination.Enclosing(ctx); h != nil && h.HealthChecks != nil {
		return *h.HealthChecks
	}
	return reverseproxy.HealthChecks{}
}

// activeChecks returns the health checks that the enclosing reverse_proxy makes
// through the transport, nil if there are none.
func activeChecks(ctx caddy.Context) *reverseproxy.ActiveHealthChecks {
	return healthChecks(ctx).Active
}

// countsUnavailable reports whether the enclosing reverse_proxy takes the answer
// to a request without a token for its upstream's. Behind a gate there is none.
func countsUnavailable(ctx caddy.Context) bool {
	passive := healthChecks(ctx).Passive
	if passive == nil || passive.FailDuration == 0 {
		return false
	}
	return slices.ContainsFunc(passive.UnhealthyStatus, func(pattern int) bool {
		return caddyhttp.StatusCodeMatches(http.StatusServiceUnavailable, pattern)
	})
}

// checkWait is how long a health check waits for a token: nearly as long as it
// would wait for the upstream.
func checkWait(ctx context.Context, otherwise time.Duration) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return otherwise
	}
	return time.Until(deadline) * 9 / 10
}

// errNoVerdict is the outcome of a health check that could not be made, where
// its criteria cannot be met by an answer of ours.
var errNoVerdict = errors.New("there is no access token to check the upstream with")

// noVerdict answers a health check that has no token. Nothing is known about the
// upstream then, so it is not marked down: it would stay down after the token
// came, and until then its requests are answered 503 anyway.
func (t *Transport) noVerdict(req *http.Request) (*http.Response, error) {
	status := http.StatusOK
	body := ""
	if t.checks != nil {
		var ok bool
		if body, ok = expectedBody(t.checks.ExpectBody); !ok {
			return nil, errNoVerdict
		}
		switch expected := t.checks.ExpectStatus; {
		case expected >= 100:
			status = expected
		case expected > 0:
			status = expected * 100 // a class, as in 2xx
		}
	}
	return &http.Response{
		Status:     http.StatusText(status),
		StatusCode: status,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     make(http.Header),
		Body:       io.NopCloser(strings.NewReader(body)),
		Request:    req,
	}, nil
}

// expectedBody returns a body that a pattern matches. Most patterns are a word, or
// begin with one; of others none is known.
func expectedBody(pattern string) (body string, ok bool) {
	expected, err := regexp.Compile(pattern)
	if err != nil {
		return "", false
	}
	word, _ := expected.LiteralPrefix()
	unanchored := strings.TrimSuffix(strings.TrimPrefix(pattern, "^"), "$")
	for _, body := range []string{"", word, pattern, unanchored} {
		if expected.MatchString(body) {
			return body, true
		}
	}
	return "", false
}
