package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"lamplighter/module"
	"lamplighter/module/client"
	"lamplighter/module/inject"
	"lamplighter/module/internal/redact"
	"lamplighter/module/observe"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
	"lamplighter/module/unavailable"
)

func init() {
	caddy.RegisterModule(Gate{})
}

// Gate lets requests on to a `reverse_proxy` with the transport `oauth2` when
// there is an access token for them.
//
// A request that finds no valid token waits for one, up to the client's `wait`,
// and is then answered 503 with `Retry-After` and the reason as
// `application/problem+json` (RFC 9457). The transport would answer the same, but
// behind the gate of the `reverse_proxy`: its passive health checks would count
// that answer, and the wait, against an upstream that has done nothing wrong. So
// would they count the time for which requests are held while a token is replaced.
//
// An upstream that cannot be reached, or does not answer, is explained in the same
// way, with the status that `reverse_proxy` ends with: 502, 503 or 504. Error routes
// (`handle_errors`) that answer such a request go first.
//
// The Caddyfile directive `upstream_oauth` puts one before its `reverse_proxy`.
type Gate struct {
	// The name of the client whose token is needed.
	Client string `json:"client"`

	settings.RouteScope

	// Where the gate is configured, as `file:line`, for error messages. The
	// Caddyfile adapter sets it.
	DeclaredAt string `json:"declared_at,omitempty"`

	client func() *client.Client
	logger *zap.Logger
	values *observe.Placeholders
	// The routes around it have error routes of the operator's.
	errorsHandled bool
}

// CaddyModule returns the Caddy module information.
func (Gate) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.oauth2_gate",
		New: func() caddy.Module { return new(Gate) },
	}
}

// Provision finds the gate's client. It may be declared in a transport that
// comes after the gate.
func (g *Gate) Provision(ctx caddy.Context) error {
	if err := settings.CheckName(g.Client); err != nil {
		return placeholder.Located(g.DeclaredAt, fmt.Errorf("oauth2_gate: client: %w", err))
	}
	app, err := ctx.App("oauth2_client")
	if err != nil {
		return err
	}
	g.client = app.(*module.App).Expect(g.RouteScope.Of(g.Client), g.DeclaredAt)
	g.logger, g.errorsHandled = ctx.Logger(), hasErrorRoutes(ctx)
	g.values = observe.NewPlaceholders(g.RouteScope.Of(g.Client))
	return nil
}

// ServeHTTP lets a request on if there is a token, and explains why not otherwise.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	c := g.client()
	err := c.Ready(r, time.Duration(c.Settings().Wait), !inject.IsUpgrade(r))
	if err == nil {
		inject.WithoutOurs(r.Header) // which reverse_proxy logs at the level DEBUG
		return g.passOn(w, inject.WithoutH2C(r), next)
	}
	p := unavailable.Problem(c, err)
	if p == nil {
		return caddyhttp.Error(statusClientClosedRequest, err)
	}
	var o outcome
	o.unsent(p)
	o.tell(c, g.values, r)
	return p.Write(w)
}

// passOn calls the next handler, and explains its error if nobody else does.
func (g *Gate) passOn(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	watched := &writeWatcher{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	err := next.ServeHTTP(watched, r)
	if err == nil || watched.written || g.errorsHandled || handlesErrors(r, err) {
		return err
	}
	if r.Context().Err() != nil { // what failed was reading from the caller, who has gone away
		if failed, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
			err = failed.Err // whose status Error would keep
		}
		return caddyhttp.Error(statusClientClosedRequest, err)
	}
	p := upstreamProblem(r, g.Client, err)
	if p == nil {
		return err
	}
	g.logger.Error("the upstream gave no answer", zap.String("client", g.Client), zap.String("cause", p.Cause), zap.String("error", redact.Text(err.Error())), zap.String("remedy", p.Remedy))
	return p.Write(w)
}

// statusClientClosedRequest is what Caddy's reverse_proxy answers a caller that
// has gone away.
const statusClientClosedRequest = 499

// Interface guards
var (
	_ caddy.Provisioner           = (*Gate)(nil)
	_ caddyhttp.MiddlewareHandler = (*Gate)(nil)
)
