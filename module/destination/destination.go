// Package destination answers where a token may go: whether what a reverse_proxy sends,
// the health checks included, goes to what the client's `allow` names, or else to its
// own static upstreams.
//
// It knows Caddy's reverse_proxy and rules about origins. It must not know clients or
// tokens.
package destination

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module/internal/target"
)

// Destinations decides where a transport may send its client's token: to the
// client's `allow` origins, or else to the static upstreams of the reverse_proxy
// that the transport belongs to.
type Destinations struct {
	rules    []target.Rule
	explicit bool
	tls      *reverseproxy.TLSConfig
	// What is allowed for certain, so that the hot path is one look into a map.
	// It stays empty if the server's name depends on the request.
	known map[destination]struct{}
}

// destination is what the address of a request says about where it goes.
type destination struct{ scheme, network, address string }

// New checks the enclosing reverse_proxy as far as it can be known before there is a
// request. Without rules its static upstreams are what is allowed.
func New(rules []target.Rule, tls *reverseproxy.TLSConfig, proxy *reverseproxy.Handler) (*Destinations, error) {
	d := &Destinations{rules: rules, explicit: len(rules) > 0, tls: tls, known: make(map[destination]struct{})}
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
func (d *Destinations) addUpstream(dial string, checks *reverseproxy.HealthChecks) error {
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
func (d *Destinations) addChecks(upstream target.Origin, checks *reverseproxy.ActiveHealthChecks) error {
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
func (d *Destinations) permit(what string, o target.Origin) error {
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

func (d *Destinations) matches(o target.Origin) bool {
	return slices.ContainsFunc(d.rules, func(r target.Rule) bool { return r.Matches(o) })
}

// provenName is the name that a server must prove in place of its host's, if there
// is one. Where nobody checks the certificate nothing is proven.
func (d *Destinations) provenName() string {
	if d.tls == nil || d.tls.InsecureSkipVerify {
		return ""
	}
	return d.tls.ServerName
}

// nameDepends reports whether the name that a server must prove is only known
// with the request.
func (d *Destinations) nameDepends() bool { return strings.Contains(d.provenName(), "{") }

// scheme is the one that Caddy's transport will use for an address.
func (d *Destinations) scheme(address string) string {
	if d.tls == nil {
		return "http"
	}
	if _, port, err := net.SplitHostPort(address); err == nil && slices.Contains(d.tls.ExceptPorts, port) {
		return "http"
	}
	return "https"
}

func (d *Destinations) origin(to destination, serverName string) target.Origin {
	if IsSocket(to.network) {
		return target.Origin{Scheme: to.scheme, Socket: to.address}
	}
	host, port, err := net.SplitHostPort(to.address)
	if err != nil {
		host, port = to.address, ""
	}
	if serverName == "" {
		serverName = d.provenName()
	}
	return target.TCP(to.scheme, host, port, serverName)
}

// Allows reports whether a request may carry the token, and where it would go.
func (d *Destinations) Allows(req *http.Request, proxyProtocol bool) (bool, target.Origin) {
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
		return true, target.Origin{}
	}
	return d.allowsDestination(req.Context(), destination{scheme: to.scheme, network: "tcp", address: req.URL.Host})
}

func sameAddress(u *url.URL, info reverseproxy.DialInfo) bool {
	if u.Host == info.Address || u.Host == info.Host && info.Port == target.DefaultPort(u.Scheme) {
		return true
	}
	// What Caddy writes for the health checks of a unix socket.
	return u.Host == "localhost" && caddy.IsUnixNetwork(info.Network)
}

func (d *Destinations) allowsDestination(ctx context.Context, to destination) (bool, target.Origin) {
	if _, ok := d.known[to]; ok {
		return true, target.Origin{}
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

// Enclosing returns the reverse_proxy that a transport is provisioned for:
// the innermost, since the routes of handle_response may hold more of them.
func Enclosing(ctx caddy.Context) *reverseproxy.Handler {
	for _, m := range slices.Backward(ctx.Modules()) {
		if h, ok := m.(*reverseproxy.Handler); ok {
			return h
		}
	}
	return nil
}

// Rules are those of `allow`.
func (d *Destinations) Rules() []target.Rule { return d.rules }

// InTheClear yields the static upstreams that are reached by plain http over a network,
// with their addresses.
func (d *Destinations) InTheClear() iter.Seq2[string, target.Origin] {
	return func(yield func(string, target.Origin) bool) {
		for to := range d.known {
			if to.scheme == "http" && !IsSocket(to.network) && !yield(to.address, d.origin(to, "")) {
				return
			}
		}
	}
}

// IsSocket reports whether a network is none of hosts and ports.
func IsSocket(network string) bool { return caddy.IsUnixNetwork(network) || caddy.IsFdNetwork(network) }
