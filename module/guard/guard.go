// Package guard answers who may call: whoever can send a request acts with the token of
// the upstream. It looks at the caller's address and secret, and at Host and Origin, which
// tell a browser that was sent by a foreign page.
//
// It knows the request and the connection that it came by. It must not know clients,
// tokens or upstreams.
package guard

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"lamplighter/module/cause"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/target"
	"lamplighter/module/nearest"
	"lamplighter/module/observe"
	"lamplighter/module/placeholder"
	"lamplighter/module/problem"
)

func init() {
	caddy.RegisterModule(Guard{})
}

// Guard refuses requests of callers that must not use the tokens behind it.
// Whoever can send it a request acts with the token of the upstream, so it asks
// where a request comes from:
//
// - the address of the connection itself, never a forwarded header, must be one
// of `callers` (403);
// - with a `caller_secret`, the request must bring it (403);
// - a web page of another origin, as the browser's `Origin` and `Sec-Fetch-Site`
// say, has no business here (403);
// - a `Host` that anybody could have registered may be DNS rebinding (421);
// - `TRACE` and `TRACK` would show the token to the caller, and `CONNECT` asks for a
// tunnel, unless it opens a WebSocket over HTTP/2 or HTTP/3 (405);
// - a target that is neither a path nor a URL, such as `a:http://example.com/`, could
// name another server to the upstream (400).
//
// A refusal is `application/problem+json` (RFC 9457) with the line to add. Of the
// refusals with one cause the log has ten lines at once and then one a second,
// which says how many had none (`not_logged`).
//
// The Caddyfile directive `upstream_oauth` puts one before its `reverse_proxy`.
type Guard struct {
	// Whose token the requests want, in metrics and access logs. The guard asks nothing of
	// that client. The Caddyfile adapter sets it. Default: none.
	Client string `json:"client,omitempty"`

	// Who may connect: `loopback`, which includes unix sockets, `private_ranges`,
	// which includes loopback, addresses and CIDR ranges, or `any`. Default:
	// `loopback`.
	Callers []string `json:"callers,omitempty"`

	// What every request must bring, as the token of `Bearer` or the password of
	// `Basic` in `Proxy-Authorization` or `Authorization` (RFC 9110 section 11).
	// It reaches neither the upstream nor, as a caller's own token, the authorization
	// server. `{env.*}` and `{file.*}` placeholders are
	// resolved again every second. Default: none.
	CallerSecret string `json:"caller_secret,omitempty"`

	// Names in the `Host` header that pass although somebody else could have them, and
	// make them point here: `erp.example.com`, `*.example.com`, or `*` for all. Hosts of
	// the configuration's own routes pass too. Default: none.
	AllowHost []string `json:"allow_host,omitempty"`

	// Origins of web pages that may send requests, such as
	// `https://app.example.com`, or `*` for all. Default: none but the one whose
	// host is that of the request.
	AllowOrigin []string `json:"allow_origin,omitempty"`

	// Where the guard is configured, as `file:line`, for error messages. The
	// Caddyfile adapter sets it.
	DeclaredAt string `json:"declared_at,omitempty"`

	block   string // the directive that the lines to add belong to, "" for upstream_oauth
	callers []netip.Prefix
	anybody bool
	sockets bool
	secret  *callerSecret
	hosts   hostRules
	origins []string
	logger  *zap.Logger
	refused *observe.Refusals
	counts  *observe.Counts
	values  *observe.Placeholders
}

// CaddyModule returns the Caddy module information.
func (Guard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.oauth2_guard",
		New: func() caddy.Module { return new(Guard) },
	}
}

// Provision checks and compiles the settings.
func (g *Guard) Provision(ctx caddy.Context) error {
	g.logger = ctx.Logger()
	g.refused = observe.NewRefusals(g.logger)
	for _, compile := range []func() error{g.compileCallers, g.compileSecret, g.compileOrigins} {
		if err := compile(); err != nil {
			return placeholder.Located(g.DeclaredAt, err)
		}
	}
	if err := checkNetworks(ctx); err != nil {
		return placeholder.Located(g.DeclaredAt, err)
	}
	var err error
	if g.hosts, err = compileHosts(g.where(), g.AllowHost); err != nil {
		return placeholder.Located(g.DeclaredAt, err)
	}
	g.hosts.routes = routeHosts(ctx)
	g.counts, g.values = observe.CountsOf(g.Client), observe.NewPlaceholders(g.Client)
	return nil
}

// Cleanup gives back what Provision took.
func (g *Guard) Cleanup() error {
	if g.counts != nil {
		observe.ReleaseCounts(g.Client)
	}
	return nil
}

func (g *Guard) where() placeholder.Where {
	return placeholder.Where{Client: g.Client, DeclaredAt: g.DeclaredAt}
}

func (g *Guard) compileCallers() error {
	callers := g.Callers
	if len(callers) == 0 {
		callers = []string{"loopback"}
	}
	for _, caller := range callers {
		r := placeholder.Resolver{Where: g.where()}
		if caller = r.Value("callers", caller); r.Err != nil {
			return r.Err
		}
		if len(r.Missing) > 0 {
			continue
		}
		switch caller {
		case "any":
			g.anybody = true
		case "loopback":
			g.sockets = true
			g.callers = append(g.callers, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
		case "private_ranges":
			g.sockets = true
			for _, private := range caddyhttp.PrivateRangesCIDR() {
				prefix, err := target.ParsePrefix(private)
				if err != nil {
					return err
				}
				g.callers = append(g.callers, prefix)
			}
		default:
			prefix, err := target.ParsePrefix(caller)
			if err != nil {
				return fmt.Errorf("callers: %q is unknown%s: use loopback, private_ranges, an address, a range such as 10.0.0.0/8, or any", caller, nearest.Hint(caller, "loopback", "private_ranges", "any"))
			}
			g.callers = append(g.callers, prefix)
		}
	}
	return nil
}

// ServeHTTP lets a request on, or says why not.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	KeepOutOfLog(r)
	p := g.refusal(r)
	if p == nil {
		return next.ServeHTTP(w, r)
	}
	g.tell(r, p)
	return p.Write(w)
}

// tell counts a refusal, and logs it.
func (g *Guard) tell(r *http.Request, p *problem.Problem) {
	g.counts.Requests.Count(observe.Refused, p.Cause)
	g.values.Set(r.Context(), observe.Refused, 0)
	g.refused.Log(zap.WarnLevel, p.Cause, "refused a request", zap.String("caller", redact.Text(r.RemoteAddr)), zap.String("remedy", p.Remedy))
}

// refusal says why a request is refused, nil if it is not.
func (g *Guard) refusal(r *http.Request) *problem.Problem {
	if p := Unfit(r); p != nil {
		return p
	}
	if !g.mayCall(r) {
		return problem.Refused(http.StatusForbidden, g.because("caller_refused"))
	}
	if p := g.astray(r); p != nil {
		return p
	}
	return g.secret.refusal(r, g.refused)
}

// astray refuses what a web page sends from elsewhere, or to a name that it made point here.
func (g *Guard) astray(r *http.Request) *problem.Problem {
	if !g.hosts.pass(r) {
		host := redact.Word(requestHost(r.Host))
		return problem.Refused(http.StatusMisdirectedRequest, g.because("unknown_host", "host", host))
	}
	if origin, ok := g.foreign(r); ok {
		return problem.Refused(http.StatusForbidden, g.because("browser_refused", "origin", redact.Word(origin)))
	}
	return nil
}

// because is a cause whose remedy is a line in the guard's block.
func (g *Guard) because(name string, facts ...string) cause.Cause {
	return cause.Of(name).With(append(facts, "block", g.block)...)
}

// mayCall looks at the address of the connection itself.
func (g *Guard) mayCall(r *http.Request) bool {
	if g.anybody {
		return true
	}
	if overSocket(r) {
		return g.sockets
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	addr := remote.Addr().Unmap().WithZone("")
	return slices.ContainsFunc(g.callers, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Guard)(nil)
	_ caddy.CleanerUpper          = (*Guard)(nil)
	_ caddyhttp.MiddlewareHandler = (*Guard)(nil)
)
