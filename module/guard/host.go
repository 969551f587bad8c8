package guard

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"golang.org/x/net/publicsuffix"

	"lamplighter/module/internal/target"
	"lamplighter/module/placeholder"
)

// hostRules decide which names a request may be for.
type hostRules struct {
	all     bool
	ours    bool // only names of this machine and its cluster pass by themselves
	names   []string
	domains []string // with a leading dot
	routes  []*caddyhttp.MatchHost
}

func compileHosts(where placeholder.Where, list []string) (rules hostRules, err error) {
	for _, text := range list {
		r := placeholder.Resolver{Where: where}
		host := strings.ToLower(strings.TrimRight(r.Value("allow_host", text), "."))
		if r.Err != nil {
			return rules, r.Err
		}
		if len(r.Missing) > 0 {
			continue
		}
		domain, wild := strings.CutPrefix(host, "*.")
		switch {
		case host == "*":
			rules.all = true
		case !target.IsHostname(domain):
			return rules, fmt.Errorf("allow_host: %q is not a host name such as erp.example.com", text)
		case wild:
			rules.domains = append(rules.domains, "."+domain)
		default:
			rules.names = append(rules.names, target.PlainHost(host))
		}
	}
	return rules, nil
}

// routeHosts returns the host matchers of the configuration's sites: whoever
// wrote those names has them.
func routeHosts(ctx caddy.Context) (hosts []*caddyhttp.MatchHost) {
	for _, m := range ctx.Modules() {
		app, ok := m.(*caddyhttp.App)
		if !ok {
			continue
		}
		for _, server := range app.Servers {
			for _, route := range server.Routes {
				for _, set := range route.MatcherSets {
					for _, matcher := range set {
						if host, ok := matcher.(*caddyhttp.MatchHost); ok {
							hosts = append(hosts, host)
						}
					}
				}
			}
		}
	}
	return hosts
}

// pass reports whether the Host of a request is one that nobody else can have. What is
// no name at all may be read as any.
func (h *hostRules) pass(r *http.Request) bool {
	host := requestHost(r.Host)
	if h.all || host == "" || target.IsHostname(host) && !h.anybodys(host) || slices.Contains(h.names, host) ||
		slices.ContainsFunc(h.domains, func(domain string) bool { return strings.HasSuffix(host, domain) }) {
		return true
	}
	return slices.ContainsFunc(h.routes, func(m *caddyhttp.MatchHost) bool {
		match, err := m.MatchWithError(r)
		return match && err == nil
	})
}

// clusterDomains are the domains that Kubernetes and clouds keep for themselves; ICANN
// has set .internal aside for that.
var clusterDomains = []string{".svc", ".svc.cluster.local", ".internal"}

// anybodys reports whether somebody else can have a name, and make it point here. Only
// names below a public suffix are registered; but other name systems sell further ones
// (.eth, .bit), and any machine of a network takes a name of its link (.local, .lan).
func (h *hostRules) anybodys(host string) bool {
	if !strings.Contains(host, ".") || target.IsLoopback(host) {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	if h.ours {
		return !slices.ContainsFunc(clusterDomains, func(domain string) bool { return strings.HasSuffix(host, domain) })
	}
	return registrable(host)
}

// registrable reports whether a name is below a public suffix: one that ICANN
// knows, or a domain below it whose owner gives names to everybody.
func registrable(host string) bool {
	if strings.HasSuffix(host, ".home.arpa") { // RFC 8375
		return false
	}
	suffix, icann := publicsuffix.PublicSuffix(host)
	return icann || strings.Contains(suffix, ".")
}

// requestHost is the name in a Host header.
func requestHost(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return target.PlainHost(host)
}
