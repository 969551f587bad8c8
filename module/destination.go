package module

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"

	"lamplighter/module/cause"
	"lamplighter/module/internal/origin"
	"lamplighter/module/internal/redact"
	"lamplighter/module/placeholder"
	"lamplighter/module/problem"
)

// destinations decides where a transport may send its client's token: to the
// client's `allow` origins, or else to the static upstreams of the reverse_proxy
// that the transport belongs to.
type destinations struct {
	rules    []origin.Rule
	explicit bool
	tls      *reverseproxy.TLSConfig
	// What is allowed for certain, so that the hot path is one look into a map.
	// It stays empty if the server's name depends on the request.
	known map[destination]struct{}
}

// destination is what the address of a request says about where it goes.
type destination struct{ scheme, network, address string }

// newDestinations checks the enclosing reverse_proxy as far as it can be known
// before there is a request.
func newDestinations(c *client, t *reverseproxy.HTTPTransport, proxy *reverseproxy.Handler) (*destinations, error) {
	rules, err := compileAllow(c.cfg.Allow, true)
	if err != nil {
		return nil, err
	}
	d := &destinations{rules: rules, explicit: len(rules) > 0, tls: t.TLS, known: make(map[destination]struct{})}
	if proxy == nil {
		if !d.explicit {
			return nil, errors.New("it cannot be known where its token goes: add 'allow https://<host>' to the client's settings")
		}
		return d, nil
	}
	if proxy.DynamicUpstreamsRaw != nil && !d.explicit {
		return nil, errors.New("dynamic upstreams could be anywhere, and its token would go there: add 'allow https://<host>' (or *.domain, or a network such as 10.0.0.0/8) to the client's settings")
	}
	for _, upstream := range proxy.Upstreams {
		if err := d.addUpstream(upstream.Dial, proxy.HealthChecks); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// addUpstream checks a static upstream, and where its health is checked.
func (d *destinations) addUpstream(dial string, checks *reverseproxy.HealthChecks) error {
	resolved := caddy.NewReplacer().ReplaceKnown(dial, "")
	if strings.Contains(resolved, "{") || d.nameDepends() {
		if d.explicit {
			return nil
		}
		what := "upstream " + dial
		if d.nameDepends() {
			what = "tls_server_name " + d.tls.ServerName
		}
		return fmt.Errorf("%s depends on the request, and its token would go wherever that says: add 'allow https://<host>' (or *.domain, or a network such as 10.0.0.0/8) to the client's settings", what)
	}
	addr, err := caddy.ParseNetworkAddress(resolved)
	if err != nil || addr.PortRangeSize() != 1 {
		return nil // Caddy says what is wrong with it
	}
	to := destination{network: addr.Network, address: addr.JoinHostPort(0)}
	to.scheme = d.scheme(to.address)
	o := d.origin(to, "")
	if err := d.permit("upstream", o); err != nil {
		return err
	}
	d.known[to] = struct{}{}
	if checks == nil || checks.Active == nil || !checks.Active.IsEnabled() {
		return nil
	}
	return d.addChecks(o, checks.Active)
}

// addChecks checks where the health of a static upstream is checked. Another port
// of the same server is the same party; another server is not.
func (d *destinations) addChecks(upstream origin.Origin, checks *reverseproxy.ActiveHealthChecks) error {
	setting, to := "health_port", destination{network: "tcp"}
	switch {
	case checks.Upstream != "":
		setting = "health_upstream"
		addr, err := caddy.ParseNetworkAddress(caddy.NewReplacer().ReplaceKnown(checks.Upstream, ""))
		if err != nil || addr.PortRangeSize() != 1 {
			return fmt.Errorf("health_upstream %s is not host:port", checks.Upstream)
		}
		to.network, to.address = addr.Network, addr.JoinHostPort(0)
		// Caddy takes the scheme of the upstream's own port.
		to.scheme = d.scheme(net.JoinHostPort(upstream.Host, upstream.Port))
	case checks.Port != 0 && upstream.Socket == "":
		to.address = net.JoinHostPort(upstream.Host, fmt.Sprint(checks.Port))
		to.scheme = d.scheme(to.address)
	default:
		return nil
	}
	o := d.origin(to, "")
	if o.Scheme != upstream.Scheme || o.Name != upstream.Name {
		if !d.explicit {
			return fmt.Errorf("%s %s is not an upstream, and health checks carry the token there: add 'allow %s' and 'allow %s' to the client's settings", setting, o, upstream, o)
		}
		if err := d.permit(setting, o); err != nil {
			return err
		}
	}
	d.known[to] = struct{}{}
	return nil
}

// permit returns an error, with the line to add, for an origin that the token may
// not go to.
func (d *destinations) permit(what string, o origin.Origin) error {
	if d.explicit {
		if d.matches(o) {
			return nil
		}
		return fmt.Errorf("%s %s is not among the origins that its token may go to: add 'allow %s' to the client's settings", what, o, o)
	}
	if o.InTheClear() {
		return fmt.Errorf("%s %s is plain http, so that others on that network could read the token: use https, or add 'allow %s' to the client's settings if the network is trusted", what, o, o)
	}
	return nil
}

func (d *destinations) matches(o origin.Origin) bool {
	return slices.ContainsFunc(d.rules, func(r origin.Rule) bool { return r.Matches(o) })
}

// provenName is the name that a server must prove in place of its host's, if there
// is one. Where nobody checks the certificate nothing is proven.
func (d *destinations) provenName() string {
	if d.tls == nil || d.tls.InsecureSkipVerify {
		return ""
	}
	return d.tls.ServerName
}

// nameDepends reports whether the name that a server must prove is only known
// with the request.
func (d *destinations) nameDepends() bool { return strings.Contains(d.provenName(), "{") }

// scheme is the one that Caddy's transport will use for an address.
func (d *destinations) scheme(address string) string {
	if d.tls == nil {
		return "http"
	}
	if _, port, err := net.SplitHostPort(address); err == nil && slices.Contains(d.tls.ExceptPorts, port) {
		return "http"
	}
	return "https"
}

func (d *destinations) origin(to destination, serverName string) origin.Origin {
	if isSocket(to.network) {
		return origin.Origin{Scheme: to.scheme, Socket: to.address}
	}
	host, port, err := net.SplitHostPort(to.address)
	if err != nil {
		host, port = to.address, ""
	}
	if serverName == "" {
		serverName = d.provenName()
	}
	return origin.TCP(to.scheme, host, port, serverName)
}

// allows reports whether a request may carry the token, and where it would go.
func (d *destinations) allows(req *http.Request, proxyProtocol bool) (bool, origin.Origin) {
	info, dialled := reverseproxy.GetDialInfo(req.Context())
	to := destination{scheme: req.URL.Scheme, network: info.Network, address: info.Address}
	if !dialled {
		to.network, to.address = "tcp", req.URL.Host
	}
	if to.scheme == "" {
		to.scheme = d.scheme(req.URL.Host)
	}
	if ok, o := d.allowsDestination(req.Context(), to); !ok {
		return false, o
	}
	// The URL says what name the server must prove, and where a forward proxy
	// goes. It is the address that is dialled, unless a health check follows a
	// redirect. With the PROXY protocol it is not a host at all.
	if !dialled || proxyProtocol || sameAddress(req.URL, info) {
		return true, origin.Origin{}
	}
	return d.allowsDestination(req.Context(), destination{scheme: to.scheme, network: "tcp", address: req.URL.Host})
}

func sameAddress(u *url.URL, info reverseproxy.DialInfo) bool {
	if u.Host == info.Address || u.Host == info.Host && info.Port == origin.DefaultPort(u.Scheme) {
		return true
	}
	// What Caddy writes for the health checks of a unix socket.
	return u.Host == "localhost" && caddy.IsUnixNetwork(info.Network)
}

func (d *destinations) allowsDestination(ctx context.Context, to destination) (bool, origin.Origin) {
	if _, ok := d.known[to]; ok {
		return true, origin.Origin{}
	}
	name := ""
	if d.nameDepends() {
		repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		if !ok {
			return false, d.origin(to, "")
		}
		name = repl.ReplaceAll(d.tls.ServerName, "")
	}
	o := d.origin(to, name)
	return d.matches(o), o
}

// enclosingProxy returns the reverse_proxy that a transport is provisioned for:
// the innermost, since the routes of handle_response may hold more of them.
func enclosingProxy(ctx caddy.Context) *reverseproxy.Handler {
	for _, m := range slices.Backward(ctx.Modules()) {
		if h, ok := m.(*reverseproxy.Handler); ok {
			return h
		}
	}
	return nil
}

// checkDestinations makes sure that the token can only go where it may, and over
// a connection that proves where that is.
func (t *Transport) checkDestinations(ctx caddy.Context) (err error) {
	if t.TLS != nil && t.TLS.InsecureSkipVerify && !t.AllowInsecureTLS {
		return placeholder.Located(t.DeclaredAt, fmt.Errorf("client %s: with tls_insecure_skip_verify anybody on the way to the upstream can take the token: use 'tls_trust_pool' with the upstream's authority, or add 'allow_insecure_tls' if this is only a test", t.Client))
	}
	t.destinations, err = newDestinations(t.client, t.HTTPTransport, enclosingProxy(ctx))
	if err == nil {
		err = t.resolveProxy()
	}
	if err != nil {
		return placeholder.Located(t.DeclaredAt, fmt.Errorf("client %s: %w", t.Client, err))
	}
	return nil
}

// denied answers a request whose token must not go where it is directed to.
func (t *Transport) denied(req *http.Request, to origin.Origin) *http.Response {
	return t.notSent(req, cause.Of("token_destination_denied").With("origin", redact.Word(to.String()), "client", t.Client))
}

// deniedProxy answers a request whose token would pass a forward proxy in clear.
func (t *Transport) deniedProxy(req *http.Request, denied *proxyDenied) *http.Response {
	return t.notSent(req, cause.Of("token_destination_denied", "proxy").With("proxy", redact.Word(denied.proxy.String()), "client", t.Client))
}

func (t *Transport) notSent(req *http.Request, why cause.Cause) *http.Response {
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
	})
}

// refuse answers a request that is not sent.
func (t *Transport) refuse(req *http.Request, p *problem.Problem) *http.Response {
	if req.Body != nil {
		_ = req.Body.Close()
	}
	return p.Response(req)
}
