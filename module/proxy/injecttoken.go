package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"lamplighter/module"
	"lamplighter/module/cause"
	"lamplighter/module/client"
	"lamplighter/module/guard"
	"lamplighter/module/inject"
	"lamplighter/module/observe"
	"lamplighter/module/placeholder"
	"lamplighter/module/problem"
	"lamplighter/module/settings"
	"lamplighter/module/unavailable"
)

func init() {
	caddy.RegisterModule(InjectToken{})
}

// InjectToken puts a client's access token into a request before the next
// handler: for `php_fastcgi` and other handlers that have a transport of their
// own. Whatever the caller sent in its place is removed, and so is a `Connection`
// header's demand to drop it.
//
// A request that finds no valid token waits for one, up to the client's `wait`,
// and then ends with the error 503 and `Retry-After`, which `handle_errors` can
// show. Nothing is sent again after a 401, and where the token goes is up to the
// next handler: the client's `allow` says nothing here. For HTTP upstreams the
// transport `oauth2` is the better choice.
//
// Handlers behind it may log the token, and not at the level DEBUG alone: Caddy hides
// `Authorization` and `Cookie` in its logs, but no other header, and no query of
// FastCGI. See the log filter encoder.
type InjectToken struct {
	// The name of the client whose token is injected, one of the app
	// `oauth2_client`.
	Client string `json:"client"`

	// Where the handler is configured, as `file:line`, for error messages. The
	// Caddyfile adapter sets it.
	DeclaredAt string `json:"declared_at,omitempty"`

	client *client.Client
	values *observe.Placeholders
}

// CaddyModule returns the Caddy module information.
func (InjectToken) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.inject_token",
		New: func() caddy.Module { return new(InjectToken) },
	}
}

// Provision finds the client.
func (h *InjectToken) Provision(ctx caddy.Context) error {
	if err := h.provision(ctx); err != nil {
		return placeholder.Located(h.DeclaredAt, fmt.Errorf("inject_token: %w", err))
	}
	return nil
}

func (h *InjectToken) provision(ctx caddy.Context) error {
	if err := settings.CheckName(h.Client); err != nil {
		return err
	}
	app, err := ctx.App("oauth2_client")
	if err != nil {
		return err
	}
	if h.client, err = app.(*module.App).Lookup(h.Client, nil, ""); err != nil {
		return err
	}
	h.values = observe.NewPlaceholders(h.client.Name())
	if err := h.client.Settings().WithoutProofs(); err != nil {
		return fmt.Errorf("client %s: %w", h.Client, err)
	}
	for _, p := range h.client.Injections().Places() {
		if p.In == "header" && slices.Contains(hopByHop, p.Name) {
			return fmt.Errorf("client %s: every proxy drops the header %s, so the token would not arrive: use 'transport oauth2', or inject another header", h.Client, p.Name)
		}
		if p.In == "query" || p.In == "header" && p.Name != "Authorization" && p.Name != "Cookie" {
			ctx.Logger().Warn("Caddy's log shows the token that is injected here, at the level WARN when an answer is broken off, and at DEBUG each time; filter it with the log encoder 'filter'",
				zap.String("client", h.Client), zap.String("declared_at", h.DeclaredAt), zap.String("where", p.In+" "+p.Name))
		}
	}
	if logsCredentials(ctx) {
		ctx.Logger().Warn("with log_credentials, Caddy's log shows the token that is injected here; remove that option, or filter the log",
			zap.String("client", h.Client), zap.String("declared_at", h.DeclaredAt))
	}
	if err := app.(*module.App).Within(ctx, placeholder.Where{Client: h.Client, DeclaredAt: h.DeclaredAt}); err != nil {
		return err
	}
	if runsBeforeTransport(ctx, h.Client) {
		return fmt.Errorf("client %s: the reverse_proxy behind it has 'transport oauth2', which injects a token itself, and this one would go along: remove one of them, or give both matchers that exclude each other", h.Client)
	}
	return nil
}

// hopByHop are the headers that end at the next proxy (RFC 9110 section 7.6.1).
var hopByHop = []string{
	"Alt-Svc", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Upgrade",
}

// injectedVar names the client whose token a request carries, for transports
// that must not send it on.
const injectedVar = "oauth2_client.injected"

// ServeHTTP calls the next handler with a token in the request.
func (h *InjectToken) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	guard.KeepOutOfLog(r)
	var o outcome
	if p := guard.Unfit(r); p != nil {
		o.unsent(p)
		o.tell(h.client, h.values, r)
		p.Annotate(w.Header())
		return caddyhttp.Error(p.Status, errors.New(p.Detail))
	}
	c := h.client
	p, err := c.Pass(r, time.Duration(c.Settings().Wait), !inject.IsUpgrade(r))
	if err == nil {
		err = p.ForOthers()
	}
	if err != nil {
		return h.withoutToken(w, r, err)
	}
	o.sent(p.Token().Generation)
	o.tell(c, h.values, r)
	answered := sync.OnceFunc(p.Answered)
	defer answered()

	defer h.inject(r, &p)()
	watched := &answerWatcher{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		answered:              answered,
		takeBack:              func(answer http.Header) bool { return c.Injections().TakeBack(answer, p.Token()) },
	}
	err = next.ServeHTTP(watched, h.withCleanOriginal(r))
	watched.takeBack(w.Header()) // trailers are written when all handlers have returned
	return err
}

// inject puts the token into the request itself, since Caddy's placeholders look
// at that one and not at a copy. What it returns takes the token out again, so
// that neither handle_errors nor the access log sees it.
func (h *InjectToken) inject(r *http.Request, p *client.Pass) (restore func()) {
	header, query := r.Header, r.URL.RawQuery
	out := p.Into(r)
	h.client.Injections().KeepOverConnection(out.Header)
	r.Header, r.URL.RawQuery, r.Body = out.Header, out.URL.RawQuery, out.Body
	before := caddyhttp.GetVar(r.Context(), injectedVar)
	caddyhttp.SetVar(r.Context(), injectedVar, h.Client)
	return func() {
		r.Header, r.URL.RawQuery = header, query
		caddyhttp.SetVar(r.Context(), injectedVar, before)
	}
}

// withCleanOriginal takes the caller's token out of the query of the URL as it
// was before any rewrite, too: FastCGI applications get it as REQUEST_URI.
func (h *InjectToken) withCleanOriginal(r *http.Request) *http.Request {
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil {
		return r
	}
	clean := h.client.Injections().WithoutParams(original.URL.RawQuery)
	if clean == original.URL.RawQuery {
		return r
	}
	u := *original.URL
	u.RawQuery = clean
	original.URL = &u
	return r.WithContext(context.WithValue(r.Context(), caddyhttp.OriginalRequestCtxKey, original))
}

// withoutToken is the error of a request for which there is no token.
func (h *InjectToken) withoutToken(w http.ResponseWriter, r *http.Request, err error) error {
	p := unavailable.Problem(h.client, err)
	if p == nil {
		return caddyhttp.Error(statusClientClosedRequest, err)
	}
	var o outcome
	o.unsent(p)
	o.tell(h.client, h.values, r)
	p.Annotate(w.Header())
	return caddyhttp.Error(p.Status, fmt.Errorf("client %s: %s (%s); %s", p.Client, p.Detail, p.Cause, p.Remedy))
}

// logsCredentials reports whether a server shows in its logs what Caddy hides.
func logsCredentials(ctx caddy.Context) bool {
	for _, m := range ctx.Modules() {
		app, ok := m.(*caddyhttp.App)
		if !ok {
			continue
		}
		for _, server := range app.Servers {
			if server.Logs != nil && server.Logs.ShouldLogCredentials {
				return true
			}
		}
	}
	return false
}

// runsBeforeTransport reports whether a handler with the transport oauth2 is
// certain to come after an inject_token of a client. Only routes without matchers
// are certain; the transport itself refuses the rest.
func runsBeforeTransport(ctx caddy.Context, client string) bool {
	for _, m := range ctx.Modules() {
		var lists []caddyhttp.RouteList
		switch m := m.(type) {
		case *caddyhttp.App:
			for _, server := range m.Servers {
				lists = append(lists, server.Routes)
			}
		case *caddyhttp.Subroute:
			lists = append(lists, m.Routes)
		}
		for _, routes := range lists {
			if anyBefore(routes, client) {
				return true
			}
		}
	}
	return false
}

func anyBefore(routes caddyhttp.RouteList, client string) bool {
	injected := false
	for _, route := range routes {
		here := injected
		for _, raw := range route.HandlersRaw {
			var handler any
			if json.Unmarshal(raw, &handler) != nil {
				continue
			}
			if here && hasTransport(handler) {
				return true
			}
			object, _ := handler.(map[string]any)
			if object["handler"] == "inject_token" && object["client"] == client {
				here = true
			}
		}
		injected = injected || here && len(route.MatcherSetsRaw) == 0 && len(route.MatcherSets) == 0
	}
	return false
}

// hasTransport looks for the transport anywhere in a handler.
func hasTransport(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		if transport, ok := value["transport"].(map[string]any); ok && transport["protocol"] == "oauth2" {
			return true
		}
		for _, member := range value {
			if hasTransport(member) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(value, hasTransport)
	}
	return false
}

// injectedTwice refuses a request that carries another token than the
// transport's own, which must not reach the transport's upstream.
func injectedTwice(client, other string) *problem.Problem {
	p := problem.Refused(http.StatusInternalServerError, cause.Of("token_injected_twice").With("client", other))
	p.Client, p.ProxyError = client, "proxy_configuration_error"
	return p
}

// Interface guards
var (
	_ caddy.Provisioner           = (*InjectToken)(nil)
	_ caddyhttp.MiddlewareHandler = (*InjectToken)(nil)
)
