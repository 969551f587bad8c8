package caddyfile

import (
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/nearest"
	"lamplighter/module/serve"
)

// parseServeToken answers requests with a global client's token. Syntax:
//
//	serve_token [<matcher>] <client> [{
//	    callers       loopback|private_ranges|any|<addresses...>
//	    caller_secret <secret>
//	    allow_host    <hosts...>
//	    allow_origin  <origins...>
//	    forwarded
//	    cache         [<max>] [feedback]
//	    scope         <scopes...>
//	    audience      <audiences...>
//	    resource      <uris...>
//	    audit
//	}]
func parseServeToken(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // directive name
	args := h.RemainingArgs()
	if len(args) != 1 {
		return nil, h.Errf("serve_token takes the name of a client: 'serve_token <client>'")
	}
	global, err := globalClients(h)
	if err != nil {
		return nil, err
	}
	if global[args[0]] == nil {
		return nil, h.Err(undeclared(args[0], global))
	}
	warnOfHTTPS(h, args[0])
	t := &serve.Token{Client: args[0]}
	t.DeclaredAt = position(h.Dispenser)
	for h.NextBlock(0) {
		if err := readServeToken(h.Dispenser, t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// ofServeToken are its subdirectives.
var ofServeToken = []string{"callers", "caller_secret", "allow_host", "allow_origin", "forwarded", "cache", "scope", "audience", "resource", "audit"}

// readServeToken reads a subdirective.
func readServeToken(d *caddyfile.Dispenser, t *serve.Token) error {
	switch name := d.Val(); name {
	case "callers", "caller_secret", "allow_host", "allow_origin":
		return readGuard(d, &t.Guard)
	case "scope", "audience", "resource":
		return list(d, t.Field(name))
	case "forwarded":
		t.Forwarded = true
		return end(d)
	case "audit":
		t.Audit = true
		return end(d)
	case "cache":
		return readCache(d, t)
	case "client":
		return d.Errf("serve_token takes its client by name: 'serve_token <client>', and the global option 'oauth2_client <client> { … }' declares it")
	default:
		if slices.Contains(ofClients, name) {
			return d.Errf("serve_token has no subdirective %s: that is a setting of a client, which belongs into the global option 'oauth2_client <client> { … }'", name)
		}
		return d.Errf("serve_token has no subdirective %s%s", name, nearest.Hint(name, ofServeToken...))
	}
}

func readCache(d *caddyfile.Dispenser, t *serve.Token) error {
	if t.Cache != nil {
		return d.Errf("cache already specified")
	}
	t.Cache = new(serve.Cache)
	args := d.RemainingArgs()
	if n := len(args); n > 0 && args[n-1] == "feedback" {
		t.Cache.Feedback, args = true, args[:n-1]
	}
	if len(args) == 0 {
		return nil
	}
	most, err := caddy.ParseDuration(args[0])
	if err != nil || len(args) > 1 || most <= 0 {
		return d.Errf("cache takes a duration, and whether there is feedback: 'cache 10s feedback'")
	}
	t.Cache.Max = caddy.Duration(most)
	return nil
}
