package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/proxy"
)

func init() {
	registerHandler("inject_token", parseInjectToken)
	httpcaddyfile.RegisterDirectiveOrder("inject_token", httpcaddyfile.Before, "reverse_proxy")
}

// parseInjectToken puts a global client's token into requests before the handlers
// that come after it, such as php_fastcgi. Syntax:
//
//	inject_token [<matcher>] <client>
func parseInjectToken(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // directive name
	args := h.RemainingArgs()
	if len(args) != 1 || hasBlock(*h.Dispenser) {
		return nil, h.Errf("inject_token takes the name of a client and no block: 'inject_token <client>'")
	}
	global, err := globalClients(h)
	if err != nil {
		return nil, err
	}
	if global[args[0]] == nil {
		return nil, h.Err(undeclared(args[0], global))
	}
	warnOfHTTPS(h, args[0])
	return &proxy.InjectToken{Client: args[0], DeclaredAt: position(h.Dispenser)}, nil
}
