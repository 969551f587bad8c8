package listen

import (
	"net"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// NarrowSite is a site whose address was meant to say where to listen, and says which Host
// is answered.
type NarrowSite struct {
	Host string // that is answered
	Port string // as a Caddyfile has it: ":8080"
	Bind string // where it was meant to listen
}

// Narrow are those of a server: it listens on every interface, and a route is for an address
// or for localhost alone.
func Narrow(server *caddyhttp.Server) (all []NarrowSite) {
	port := ""
	for _, text := range server.Listen {
		address, err := caddy.ParseNetworkAddress(text)
		if err == nil && address.Host == "" && strings.HasPrefix(address.Network, "tcp") {
			_, number, _ := net.SplitHostPort(address.JoinHostPort(0))
			port = ":" + number
		}
	}
	if port == "" {
		return nil
	}
	for _, route := range server.Routes {
		for _, set := range route.MatcherSets {
			for _, matcher := range set {
				if host, ok := matcher.(*caddyhttp.MatchHost); ok {
					all = append(all, narrow(*host, port)...)
				}
			}
		}
	}
	return all
}

func narrow(hosts caddyhttp.MatchHost, port string) (all []NarrowSite) {
	for _, host := range hosts {
		site := NarrowSite{Host: host, Port: port, Bind: host}
		if host == "localhost" {
			site.Bind = "127.0.0.1 [::1]"
		} else if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil {
			return nil // a name of others, for whom it is
		}
		all = append(all, site)
	}
	return all
}
