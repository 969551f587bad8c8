package caddyfile

import (
	"cmp"
	"encoding/json"
	"net/http"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module/guard"
	"lamplighter/module/proxy"
	"lamplighter/module/settings"
)

func init() {
	registerHandler("serve_token", parseServeToken)
	httpcaddyfile.RegisterDirective("upstream_oauth", parseUpstream)
	for _, directive := range []string{"serve_token", "upstream_oauth"} { // in this order
		httpcaddyfile.RegisterDirectiveOrder(directive, httpcaddyfile.Before, "reverse_proxy")
	}
}

// parseUpstream expands to a reverse_proxy whose transport injects a client's
// access token, with the upstream's own Host, behind a guard against callers that
// must not use it and a gate that keeps requests without a token away. Syntax:
//
//	upstream_oauth [<matcher>] <upstreams...> {
//	    client <name> [{
//	        <settings>
//	    }]
//	    scope              <scopes...>
//	    audience           <audiences...>
//	    resource           <uris...>
//	    callers            loopback|private_ranges|any|<addresses...>
//	    caller_secret      <secret>
//	    allow_host         <hosts...>
//	    allow_origin       <origins...>
//	    allow_insecure_tls
//	    audit
//	    transport http {
//	        <options of the transport http>
//	    }
//	    <any other subdirective of reverse_proxy>
//	}
func parseUpstream(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // directive name
	matcher, err := matched(h)
	if err != nil {
		return nil, err
	}
	u := upstream{helper: h}
	handler, err := u.handler()
	if err != nil {
		return nil, err
	}
	warnOfHTTPS(h, u.name.Text)
	u.guard.DeclaredAt, u.guard.Client = u.declaredAt, u.scope.Of(u.name.Text)
	values := h.NewRoute(matcher, &u.guard)
	route := values[0].Value.(caddyhttp.Route)
	gate := &proxy.Gate{Client: u.name.Text, RouteScope: u.scope, DeclaredAt: u.declaredAt}
	route.HandlersRaw = append(route.HandlersRaw,
		caddyconfig.JSONModuleObject(gate, "handler", gate.CaddyModule().ID.Name(), nil),
		caddyconfig.JSONModuleObject(handler, "handler", "reverse_proxy", nil))
	values[0].Value = route
	return values, nil
}

// handler reads the directive and returns the reverse_proxy that it stands for.
func (u *upstream) handler() (*reverseproxy.Handler, error) {
	h := u.helper
	d := h.Dispenser
	if err := u.read(d); err != nil {
		return nil, err
	}
	handler := new(reverseproxy.Handler)
	if err := handler.UnmarshalCaddyfile(caddyfile.NewDispenser(u.tokens())); err != nil {
		return nil, err
	}
	if err := handler.FinalizeUnmarshalCaddyfile(h); err != nil {
		return nil, err
	}
	transport := &proxy.Transport{HTTPTransport: new(reverseproxy.HTTPTransport)}
	type plain proxy.Transport // without what is said of unknown members: "protocol" is one
	if err := json.Unmarshal(handler.TransportRaw, (*plain)(transport)); err != nil {
		return nil, err
	}
	transport.Config = u.settings
	transport.RouteScope = u.scope
	transport.Audit = transport.Audit || u.audit
	transport.DeclaredAt = u.declaredAt
	transport.AllowInsecureTLS = transport.AllowInsecureTLS || u.insecureTLS
	handler.TransportRaw = caddyconfig.JSONModuleObject(transport, "protocol", "oauth2", nil)
	if !transport.TLSEnabled() {
		setHost(handler)
	}
	return handler, nil
}

// upstream is the directive's block, taken apart.
type upstream struct {
	helper      httpcaddyfile.Helper
	head        []caddyfile.Token   // the directive and its upstreams
	segments    [][]caddyfile.Token // subdirectives for reverse_proxy
	last        caddyfile.Token     // the closing brace
	clientAt    int                 // the segment that stands for the client
	name        caddyfile.Token
	settings    *settings.Client
	declaredAt  string
	transport   int // the segment of the transport, -1 if there is none
	insecureTLS bool
	audit       bool
	guard       guard.Guard
	scope       settings.RouteScope
}

func (u *upstream) read(d *caddyfile.Dispenser) error {
	d.Next() // directive name
	u.head = append(u.head, d.Token())
	for d.NextArg() {
		u.head = append(u.head, d.Token())
	}
	u.transport = -1
	for d.NextBlock(0) {
		var err error
		switch d.Val() {
		case "client":
			err = u.client(d)
		case "transport":
			err = u.httpTransport(d)
		case "callers", "caller_secret", "allow_host", "allow_origin":
			err = readGuard(d, &u.guard)
		case "audit":
			u.audit = true
			err = end(d)
		case "scope":
			err = list(d, &u.scope.Scope)
		case "audience":
			err = list(d, &u.scope.Audience)
		case "resource":
			err = list(d, &u.scope.Resource)
		case "allow_insecure_tls":
			u.insecureTLS = true
			err = end(d)
		default:
			err = ofUpstream(d)
			u.segments = append(u.segments, d.NextSegment())
		}
		if err != nil {
			return err
		}
	}
	u.last = d.Token()
	if u.name.Text == "" {
		return d.Errf("upstream_oauth needs a client: 'client <name>' for one that the global option oauth2_client declares, or 'client <name> { … }'")
	}
	return nil
}

// end makes sure that the line holds nothing more.
func end(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// list reads the values of a subdirective that may be repeated.
func list(d *caddyfile.Dispenser, field *[]string) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	*field = append(*field, args...)
	return nil
}

// readGuard reads who may call.
func readGuard(d *caddyfile.Dispenser, g *guard.Guard) error {
	setting, args := d.Val(), d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	switch setting {
	case "callers":
		g.Callers = append(g.Callers, args...)
	case "allow_host":
		g.AllowHost = append(g.AllowHost, args...)
	case "allow_origin":
		g.AllowOrigin = append(g.AllowOrigin, args...)
	case "caller_secret":
		if g.CallerSecret != "" {
			return d.Errf("caller_secret already specified")
		}
		if len(args) != 1 || args[0] == "" {
			return d.Errf("caller_secret takes one value, such as {file./run/secrets/caller_secret}")
		}
		g.CallerSecret = fileShorthand(args[0])
	}
	return nil
}

// client reads 'client <name>', with or without a block.
func (u *upstream) client(d *caddyfile.Dispenser) error {
	if u.name.Text != "" {
		return d.Errf("client already specified")
	}
	if !d.NextArg() {
		return d.Errf("client needs a name")
	}
	u.name = d.Token()
	u.declaredAt = position(d)
	here := *d

	// The client's place among the segments is kept for the transport: line
	// numbers must not go back.
	u.clientAt = len(u.segments)
	u.segments = append(u.segments, nil)

	global, err := globalClients(u.helper)
	if err != nil {
		return err
	}
	known := global[u.name.Text]
	if !hasBlock(*d) {
		if known == nil {
			return here.Errf("%s, or give the client a block here", undeclared(u.name.Text, global))
		}
		return nil
	}
	if known != nil {
		return here.Errf("client %s is a global option already (%s): refer to it without a block, or choose another name", u.name.Text, known.DeclaredAt)
	}
	if _, u.settings, err = parseClient(d); err != nil {
		return err
	}
	return u.declare(&here)
}

// hasBlock reports whether a block is opened behind the current token. It looks
// with a copy, which moves nothing.
func hasBlock(look caddyfile.Dispenser) bool { return look.NextBlock(look.Nesting()) }

// declare makes sure that all declarations of one name are equal.
func (u *upstream) declare(here *caddyfile.Dispenser) error {
	const key = "oauth2_client.declared"
	declared, _ := u.helper.State[key].(map[string]*settings.Client)
	if declared == nil {
		declared = make(map[string]*settings.Client)
		u.helper.State[key] = declared
	}
	known := declared[u.name.Text]
	if known != nil && !known.Equal(u.settings) {
		return here.Errf("client %s is declared with other settings at %s already: make the declarations equal, or declare it once as a global option", u.name.Text, known.DeclaredAt)
	}
	declared[u.name.Text] = u.settings
	return nil
}

// httpTransport reads 'transport http { … }', whose options are ours too.
func (u *upstream) httpTransport(d *caddyfile.Dispenser) error {
	if u.transport >= 0 {
		return d.Errf("transport already specified")
	}
	segment := d.NextSegment()
	if len(segment) < 2 || segment[1].Text != "http" {
		return d.Errf("client %s: the transport of upstream_oauth is http with a token; another one cannot be used here: use the directive of that transport, and inject the token there", cmp.Or(u.name.Text, "of this block"))
	}
	u.transport = len(u.segments)
	u.segments = append(u.segments, segment)
	return nil
}

// tokens are the tokens of the reverse_proxy that the directive stands for.
func (u *upstream) tokens() []caddyfile.Token {
	if u.transport >= 0 {
		segment := u.segments[u.transport]
		http := segment[1]
		u.segments[u.transport] = append([]caddyfile.Token{segment[0], with(http, "oauth2"), with(http, u.name.Text)}, segment[2:]...)
	} else {
		u.segments[u.clientAt] = []caddyfile.Token{with(u.name, "transport"), with(u.name, "oauth2"), u.name}
	}
	tokens := append([]caddyfile.Token{}, u.head...)
	tokens[0].Text = "reverse_proxy"
	tokens = append(tokens, with(u.head[len(u.head)-1], "{"))
	for _, segment := range u.segments {
		tokens = append(tokens, segment...)
	}
	return append(tokens, u.last)
}

// setHost sends the upstream its own name, as Caddy does for https upstreams.
func setHost(proxy *reverseproxy.Handler) {
	if proxy.Headers == nil {
		proxy.Headers = new(headers.Handler)
	}
	if proxy.Headers.Request == nil {
		proxy.Headers.Request = new(headers.HeaderOps)
	}
	ops := proxy.Headers.Request
	if ops.Set == nil {
		ops.Set = make(http.Header)
	}
	if ops.Set.Get("Host") == "" {
		ops.Set.Set("Host", "{http.reverse_proxy.upstream.hostport}")
	}
}
