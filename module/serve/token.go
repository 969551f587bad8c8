// Package serve answers a request with an access token itself, for programs and proxies that
// put it into their requests themselves.
//
// It knows HTTP, the guard of callers, and a client's pass. It must not know how a token is
// obtained or kept, nor where it goes from here.
package serve

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"lamplighter/module"
	"lamplighter/module/cause"
	"lamplighter/module/client"
	"lamplighter/module/guard"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/redact"
	"lamplighter/module/observe"
	"lamplighter/module/placeholder"
	"lamplighter/module/problem"
	"lamplighter/module/settings"
	"lamplighter/module/unavailable"
)

func init() {
	caddy.RegisterModule(new(Token))
}

// Token answers requests with a client's access token, for nginx (`auth_request`), Envoy
// (`ext_authz`), Traefik (`forwardAuth`), HAProxy, Caddy (`forward_auth`) and scripts, which
// put it into their own requests. Where it goes from here nobody checks: the client's
// `allow` says nothing here.
//
// The answer to any method but `TRACE` and `CONNECT` is 200, and its headers are what the
// client's `inject` puts into requests. With `Accept: application/json` it has a body, too,
// as a token endpoint's (RFC 6749 section 5.1), and never a refresh token. What `inject` puts
// into a query or cookie is in the body only; without it such a client is answered 406.
// Neither a body of the request nor its path is looked at.
//
// A request that finds no valid token waits for one, up to the client's `wait`, and is then
// answered 503 with `Retry-After` and the reason as `application/problem+json` (RFC 9457). An
// answer is never 401, which proxies take for the API's. With `rotation_overlap none` answers
// are held while the token is replaced, and the refresh is sent the client's `quiesce` after
// the last one, for whoever has the token may be using it.
//
// `Lamplighter-Generation` in the answer stands for the token. Whoever was answered 401 by
// the API sends it back as `Lamplighter-Rejected`. If it is the current one, the answer waits
// for another token, which is obtained by force if need be: again after 30 seconds at the
// earliest, doubling to 10 minutes as long as no refresh comes as planned. Until then the
// answer has the current token, and `Lamplighter-Forced: no; retry=<seconds>`.
type Token struct {
	// The name of the client whose token is handed out, one of the app `oauth2_client`.
	Client string `json:"client"`

	settings.RouteScope
	guard.Handout

	// Lets caches keep an answer. Default: every answer is `no-store`.
	Cache *Cache `json:"cache,omitempty"`

	// Logs a line for each token that is handed out, with the logger
	// `http.handlers.serve_token.audit`: caller, client, generation of the token, method,
	// and whether it was asked for in the place of a rejected one. Default: `false`.
	Audit bool `json:"audit,omitempty"`

	client   *client.Client
	headers  bool // hold all that the client injects
	idToken  bool // is a part of that
	logged   bool // Caddy's access log would show the token
	audit    *zap.Logger
	values   *observe.Placeholders
	rendered atomic.Pointer[rendered]
}

// CaddyModule returns the Caddy module information.
func (*Token) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.serve_token",
		New: func() caddy.Module { return new(Token) },
	}
}

// Provision finds the client, and refuses what cannot work.
func (t *Token) Provision(ctx caddy.Context) error {
	if err := t.provision(ctx); err != nil {
		return placeholder.Located(t.DeclaredAt, fmt.Errorf("serve_token: %w", err))
	}
	t.Guard.Client, t.values = t.client.Name(), observe.NewPlaceholders(t.client.Name())
	return t.Handout.Provision(ctx, "serve_token")
}

func (t *Token) provision(ctx caddy.Context) error {
	if err := settings.CheckName(t.Client); err != nil {
		return err
	}
	loaded, err := ctx.App("oauth2_client")
	if err != nil {
		return err
	}
	app := loaded.(*module.App)
	if t.client, err = app.Lookup(t.Client, nil, ""); err != nil {
		return err
	}
	if t.client, err = app.Scoped(t.client, t.RouteScope, ""); err != nil {
		return err
	}
	if err := t.check(); err != nil {
		return fmt.Errorf("client %s: %w", t.Client, err)
	}
	if set := t.client.Settings(); set.TokenEndpointAuthMethod == "tls_client_auth" && set.UpstreamCertificate != "off" {
		ctx.Logger().Warn("the token may be bound to the client's certificate (RFC 8705 section 3): whoever is handed it must present that to the API, or have 'upstream_certificate off' say that it is not bound",
			zap.String("client", t.Client), zap.String("declared_at", t.DeclaredAt))
	}
	if t.Cache == nil {
		t.client.HandsOut()
	}
	if t.Audit {
		t.audit = ctx.Logger().Named("audit").With(zap.String("client", t.client.Name()))
	}
	return app.Within(ctx, placeholder.Where{Client: t.Client, DeclaredAt: t.DeclaredAt})
}

// Headers of ours, beside guard.Marker.
const (
	headerGeneration = "Lamplighter-Generation"
	headerRejected   = "Lamplighter-Rejected"
	headerForced     = "Lamplighter-Forced"
)

// ServeHTTP answers with the token, or says why not.
func (t *Token) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	leaveBody(w, r)
	t.keepOutOfLog(r)
	if p := t.Refusal(r); p != nil {
		refuse(w, p)
		return nil
	}
	asJSON := wantsJSON(r.Header)
	if !asJSON && !t.headers {
		t.tell(r, observe.Refused, "token_not_in_header", 0)
		refuse(w, problem.Refused(http.StatusNotAcceptable, cause.Of("token_not_in_header").With("client", t.Client)))
		return nil
	}
	t.client.See(r.Context())
	pass, retry, err := t.pass(r)
	if err != nil {
		t.withoutToken(w, r, err)
		return nil
	}
	defer pass.Answered()
	t.tell(r, observe.Sent, "", pass.Token().Generation)
	if t.Cache == nil {
		pass.Handed()
	}
	t.record(r, pass.Token())
	t.answer(w, pass.Token(), asJSON, retry)
	return nil
}

// refuse answers with a problem. What keeps it from arriving is no error of a handler's:
// Caddy would log that with the headers of the request, and the secret of callers in them.
func refuse(w http.ResponseWriter, p *problem.Problem) { _ = p.Write(w) }

// pass waits for a token, and for another one in its place if the request says that it was
// rejected. If that does not come, retry says when it may.
func (t *Token) pass(r *http.Request) (pass client.Pass, retry time.Duration, err error) {
	began, wait := time.Now(), time.Duration(t.client.Settings().Wait)
	if pass, err = t.client.Pass(r, wait, true); err == nil {
		err = pass.ForOthers()
	}
	if err != nil || !slices.Contains(r.Header.Values(headerRejected), t.of(pass.Token()).generation) {
		return pass, 0, err
	}
	pass.Answered() // the refresh that is waited for may wait for that
	if retry, err = pass.Refused(max(0, wait-time.Since(began))); err != nil {
		return pass, 0, &rejected{err}
	}
	pass, err = t.client.Pass(r, max(0, wait-time.Since(began)), true)
	return pass, retry, err
}

// rejected is why there is no token in the place of a rejected one.
type rejected struct{ error }

// Unwrap returns the error of the attempt.
func (r *rejected) Unwrap() error { return r.error }

// withoutToken says why there is no token. It is never a 401, which nginx and others take
// for the API's.
func (t *Token) withoutToken(w http.ResponseWriter, r *http.Request, err error) {
	p := unavailable.Problem(t.client, err)
	if p == nil { // the caller went away
		w.WriteHeader(statusClientClosedRequest)
		return
	}
	if rejected, ok := errors.AsType[*rejected](err); ok {
		t.afterRejection(p, rejected)
	}
	t.tell(r, observe.Unavailable, p.Cause, 0)
	if p.Status == http.StatusUnauthorized {
		p.Status, p.Title, p.Challenge = http.StatusForbidden, http.StatusText(http.StatusForbidden), ""
	}
	refuse(w, p)
}

// tell counts a request, and says in the access log what became of it.
func (t *Token) tell(r *http.Request, o observe.Outcome, why string, generation uint64) {
	t.client.Count(o, why)
	t.values.Set(r.Context(), o, generation)
}

// afterRejection says that there may be a token, which is of no use.
func (t *Token) afterRejection(p *problem.Problem, r *rejected) {
	u, ok := errors.AsType[*keeper.Unavailable](r.error)
	if !ok {
		return
	}
	why := cause.Of("token_rejected")
	if u.Trouble.Cause == finding.CauseStarting || u.Trouble.Cause == finding.CauseExpired {
		p.Cause, p.Detail, p.Remedy = why.Name, why.Sentence, why.Remedy
		return
	}
	detail, _ := t.client.Explain(u.Trouble)
	p.Detail = why.Sentence + ": " + detail
}

// statusClientClosedRequest is what Caddy answers a caller that has gone away.
const statusClientClosedRequest = 499

// record writes the audit line of a token that is handed out.
func (t *Token) record(r *http.Request, token *keeper.Token) {
	if t.audit == nil {
		return
	}
	caller, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		caller = r.RemoteAddr // a unix socket
	}
	t.audit.Info("token handed out", zap.String("caller", redact.Text(caller)), zap.Uint64("generation", token.Generation),
		zap.String("method", redact.Text(r.Method)), zap.Bool("after_rejection", r.Header.Get(headerRejected) != ""))
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Token)(nil)
	_ caddy.CleanerUpper          = (*Token)(nil)
	_ caddyhttp.MiddlewareHandler = (*Token)(nil)
)
