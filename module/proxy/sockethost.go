package proxy

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module/destination"
)

// keepHost gives a request to a unix socket the Host that it came with, as
// reverse_proxy does. What upstream_oauth sends otherwise, the upstream's own, would
// be the path of the socket here, which is no host.
func keepHost(out *http.Request) {
	info, ok := reverseproxy.GetDialInfo(out.Context())
	if !ok || !destination.IsSocket(info.Network) || out.Host != info.Address {
		return
	}
	if repl, ok := out.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		out.Host, _ = repl.GetString("http.request.hostport")
	}
}
