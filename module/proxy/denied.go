package proxy

import (
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"lamplighter/module/cause"
	"lamplighter/module/destination"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/target"
	"lamplighter/module/placeholder"
	"lamplighter/module/problem"
)

// checkDestinations makes sure that the token can only go where it may, and over
// a connection that proves where that is.
func (t *Transport) checkDestinations(ctx caddy.Context) error {
	if t.TLS != nil && t.TLS.InsecureSkipVerify && !t.AllowInsecureTLS {
		return placeholder.Located(t.DeclaredAt, fmt.Errorf("client %s: with tls_insecure_skip_verify anybody on the way to the upstream can take the token: use 'tls_trust_pool' with the upstream's authority, or add 'allow_insecure_tls' if this is only a test", t.Client))
	}
	rules, err := t.client.Settings().AllowRules(true)
	if err == nil {
		t.destinations, err = destination.New(rules, t.TLS, destination.Enclosing(ctx))
	}
	if err == nil {
		err = t.resolveProxy()
	}
	if err != nil {
		return placeholder.Located(t.DeclaredAt, fmt.Errorf("client %s: %w", t.Client, err))
	}
	return nil
}

// denied answers a request whose token must not go where it is directed to.
func (t *Transport) denied(req *http.Request, to target.Origin, o *outcome) *http.Response {
	return t.notSent(req, o, cause.Of("token_destination_denied").With("origin", redact.Word(to.String()), "client", t.Client))
}

// deniedProxy answers a request whose token would pass a forward proxy in clear.
func (t *Transport) deniedProxy(req *http.Request, denied *target.ProxyDenied, o *outcome) *http.Response {
	return t.notSent(req, o, cause.Of("token_destination_denied", "proxy").With("proxy", redact.Word(denied.Proxy.String()), "client", t.Client))
}

func (t *Transport) notSent(req *http.Request, o *outcome, why cause.Cause) *http.Response {
	t.refusals.Log(zap.ErrorLevel, why.Name, why.Sentence, zap.String("client", t.Client), zap.String("remedy", why.Remedy))
	return t.refuse(req, &problem.Problem{
		Type:       "about:blank",
		Title:      http.StatusText(http.StatusBadGateway),
		Status:     http.StatusBadGateway,
		Detail:     why.Sentence,
		Client:     t.Client,
		Cause:      why.Name,
		Remedy:     why.Remedy,
		ProxyError: "destination_ip_prohibited",
	}, o)
}

// refuse answers a request that is not sent.
func (t *Transport) refuse(req *http.Request, p *problem.Problem, o *outcome) *http.Response {
	o.unsent(p)
	if req.Body != nil {
		_ = req.Body.Close()
	}
	return p.Response(req)
}
