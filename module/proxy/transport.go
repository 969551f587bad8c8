// Package proxy answers what happens to a request on its way: how it gets a token and is
// sent with it, whether it is held back, when it is sent again, and what its caller is told
// if that fails. It has the transport oauth2, the gate before a reverse_proxy, and the
// handler inject_token.
//
// It knows Caddy's reverse_proxy, and asks the app for a client and the client for a pass.
// It must not know how a token is obtained or kept.
package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"

	"lamplighter/module"
	"lamplighter/module/client"
	"lamplighter/module/destination"
	"lamplighter/module/guard"
	"lamplighter/module/inject"
	"lamplighter/module/internal/target"
	"lamplighter/module/keypair"
	"lamplighter/module/observe"
	"lamplighter/module/placeholder"
	"lamplighter/module/prover"
	"lamplighter/module/replay"
	"lamplighter/module/settings"
	"lamplighter/module/unavailable"
)

func init() {
	caddy.RegisterModule(Transport{})
}

// Transport is Caddy's HTTP transport with an access token in every request that
// it sends to an upstream, active health checks included. All options of the
// transport `http` apply.
//
// The token goes only to the client's `allow` origins, by default the static
// upstreams of the `reverse_proxy`. A request to anywhere else is answered 502
// and not sent. Upstreams that depend on the request, or on DNS, need `allow`.
//
// A request that finds no valid token waits for one and is then answered 503,
// with `Retry-After` and the reason as `application/problem+json`. After a 401
// to a token that was replaced meanwhile, a request is sent once more with the
// current one, if its body was small enough to be kept.
type Transport struct {
	// The name of the client whose token is injected.
	Client string `json:"client"`

	// The client's settings, if it is declared here. Without them the client is
	// one of the app `oauth2_client`.
	Config *settings.Client `json:"config,omitempty"`

	settings.RouteScope

	// Where the transport is configured, as `file:line`, for error messages. The
	// Caddyfile adapter sets it.
	DeclaredAt string `json:"declared_at,omitempty"`

	// Allows `insecure_skip_verify` in `tls`. Anybody on the way to the upstream
	// can then take the token. Default: `false`.
	AllowInsecureTLS bool `json:"allow_insecure_tls,omitempty"`

	// Logs a line for each request that carries a token, with the logger
	// `http.reverse_proxy.transport.oauth2.audit`: caller, client, generation of
	// the token, upstream, method and status. Default: `false`.
	Audit bool `json:"audit,omitempty"`

	*reverseproxy.HTTPTransport

	audit        *zap.Logger       // nil without Audit
	bound        *boundConnections // nil without a certificate
	client       *client.Client
	prover       *prover.Prover
	checks       *reverseproxy.ActiveHealthChecks
	destinations *destination.Destinations
	logger       *zap.Logger
	refusals     *observe.Refusals
	values       *observe.Placeholders
}

// CaddyModule returns the Caddy module information.
func (Transport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.reverse_proxy.transport.oauth2",
		New: func() caddy.Module { return &Transport{HTTPTransport: new(reverseproxy.HTTPTransport)} },
	}
}

func (t *Transport) where() placeholder.Where {
	return placeholder.Where{Client: t.Client, DeclaredAt: t.DeclaredAt}
}

// Provision sets up the transport and finds its client.
func (t *Transport) Provision(ctx caddy.Context) error {
	app, err := ctx.App("oauth2_client")
	if err != nil {
		return err
	}
	if t.client, err = app.(*module.App).Lookup(t.Client, t.Config, t.DeclaredAt); err != nil {
		return err
	}
	if t.client, err = app.(*module.App).Scoped(t.client, t.RouteScope, t.DeclaredAt); err != nil {
		return err
	}
	if t.prover, err = t.newProver(); err != nil {
		return placeholder.Located(t.DeclaredAt, fmt.Errorf("client %s: %w", t.Client, err))
	}
	t.logger, t.values = ctx.Logger(), observe.NewPlaceholders(t.client.Name())
	t.refusals = observe.NewRefusals(t.logger)
	if err := t.checkDestinations(ctx); err != nil {
		return err
	}
	networkProxy := t.NetworkProxyRaw // Caddy takes it away
	t.checks = activeChecks(ctx)
	if countsUnavailable(ctx) && !app.(*module.App).Gated(t.client.Name(), t.DeclaredAt) {
		t.logger.Warn("unhealthy_status counts the 503 of a request without a token against its upstream; use upstream_oauth in place of reverse_proxy, or leave 503 out",
			t.where().Fields()...)
	}
	if t.Audit {
		t.audit = t.logger.Named("audit").With(zap.String("client", t.client.Name()))
	}
	var own *keypair.Pair
	if t.TLS != nil {
		own = keypair.OfFiles(t.TLS, t.logger, t.where())
	}
	if err := t.HTTPTransport.Provision(ctx); err != nil {
		return err
	}
	t.guardProxy()
	if err := t.checkProxies(networkProxy); err != nil {
		return placeholder.Located(t.DeclaredAt, fmt.Errorf("client %s: %w", t.Client, err))
	}
	if err := t.presentCertificate(own); err != nil {
		return placeholder.Located(t.DeclaredAt, fmt.Errorf("client %s: tls_%w", t.Client, err))
	}
	return t.place(ctx, app.(*module.App))
}

// Cleanup closes idle connections.
func (t *Transport) Cleanup() error {
	t.bound.close()
	return t.HTTPTransport.Cleanup()
}

// UnmarshalCaddyfile sets up the transport from Caddyfile tokens. Syntax:
//
//	transport oauth2 <client> {
//	    allow_insecure_tls
//	    audit
//	    scope    <scopes...>
//	    audience <audiences...>
//	    resource <uris...>
//	    <options of the transport http>
//	}
func (t *Transport) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // transport name
	if !d.NextArg() {
		return d.Errf("transport oauth2 needs the name of a client: 'transport oauth2 <client>'")
	}
	t.Client = d.Val()
	if err := settings.CheckName(t.Client); err != nil {
		return d.WrapErr(err)
	}
	t.DeclaredAt = fmt.Sprintf("%s:%d", d.File(), d.Line())
	d.Delete()
	flags := map[string]*bool{"allow_insecure_tls": &t.AllowInsecureTLS, "audit": &t.Audit}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		mine := d.Nesting() == nesting+1
		name := d.Val()
		args := d.RemainingArgs()
		list := t.RouteScope.Field(name)
		switch {
		case mine && list != nil && len(args) > 0:
			*list = append(*list, args...)
			d.DeleteN(len(args) + 1)
		case mine && flags[name] != nil && len(args) == 0:
			*flags[name] = true
			d.Delete()
		case mine && (list != nil || flags[name] != nil):
			return d.ArgErr()
		}
	}
	d.Reset()
	err := t.HTTPTransport.UnmarshalCaddyfile(d)
	// In a site block Caddy takes {file.name} for a part of the request's path.
	t.NetworkProxyRaw = bytes.ReplaceAll(t.NetworkProxyRaw, []byte("{http.request.uri.path.file."), []byte("{file."))
	return err
}

// RoundTrip sends a request with the client's current token.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var o outcome
	res, err := t.roundTrip(req, &o)
	if !isHealthCheck(req) {
		o.tell(t.client, t.values, req)
	}
	return res, err
}

func (t *Transport) roundTrip(req *http.Request, o *outcome) (*http.Response, error) {
	c := t.client
	ctx := req.Context()
	c.See(ctx)
	guard.KeepOutOfLog(req)
	wait := time.Duration(c.Settings().Wait)
	// Upgrades stay open for long and health checks have little time: neither
	// is held back for a rotation.
	holdable := !inject.IsUpgrade(req) && !isHealthCheck(req)
	if isHealthCheck(req) {
		wait = checkWait(ctx, wait)
	}

	if p := guard.Unfit(req); p != nil {
		return t.refuse(req, p, o), nil
	}
	if other, ok := caddyhttp.GetVar(ctx, injectedVar).(string); ok {
		return t.refuse(req, injectedTwice(t.Client, other), o), nil
	}
	if ok, to := t.destinations.Allows(req, t.ProxyProtocol != ""); !ok {
		return t.denied(req, to, o), nil
	}
	p, err := c.Pass(req, wait, holdable)
	if err != nil {
		return t.withoutToken(req, err, o)
	}
	req, callers := watchBody(req)
	first, body := replay.Record(req, *c.Settings().ReplayBuffer)
	defer body.End()
	if replay.HasBody(req) && (body == nil || req.ContentLength < 0) { // or perhaps, of a length that nobody knows
		p.Prove()
	}

	t.askFirst(req, &p, body)
	res, rejected, err := t.send(first, &p, body, o)
	if rejected {
		res, rejected, err = t.replay(req, res, &p, body, o)
	}
	switch {
	case err != nil, o.generation == 0, o.ofProof, isHealthCheck(req): // nobody's answer, or none about the token
	case rejected:
		p.Denied(req, res, t.upstream(req))
	default:
		p.Accepted(req)
	}
	return t.answer(req, callers, res, err, o)
}

// upstream is where a request went, for people.
func (t *Transport) upstream(req *http.Request) string {
	if t.TLSEnabled() {
		return "https://" + req.URL.Host
	}
	return "http://" + req.URL.Host
}

// replay sends a request again, if that may help, whose token was rejected with that answer.
// It reports whether the answer that it returns is a rejection, too.
func (t *Transport) replay(req *http.Request, res *http.Response, p *client.Pass, body *replay.Body, o *outcome) (_ *http.Response, rejected bool, err error) {
	if former, ok := p.Former(); ok {
		if res, rejected, err = t.withFormer(req, res, former, body, o); !rejected {
			return res, false, err
		}
	}
	again, ok := replay.AfterRejection(req, res, p, body, p.Token().Key != nil) // whose proof may be refused, too
	if !ok {
		return res, true, nil
	}
	p.Replayed()
	if *p, err = p.Next(); err != nil {
		res, err = t.withoutToken(again, err, o)
		return res, false, err
	}
	return t.send(again, p, body, o)
}

// withFormer sends a request again whose token was rejected although it has only just
// come, with the one before: it was not acted on, so its method does not matter, and
// nothing else is done about it yet. It reports whether that was rejected, too: then the
// clock of the upstream was not to blame.
func (t *Transport) withFormer(req *http.Request, res *http.Response, former client.Pass, body *replay.Body, o *outcome) (*http.Response, bool, error) {
	again, ok := replay.Anew(req, res, body, true)
	if !ok {
		return res, false, nil
	}
	former.Replayed()
	return t.send(again, &former, body, o)
}

// answer is the outcome of a round trip, unless it failed for the caller's body.
func (t *Transport) answer(req *http.Request, callers *callersBody, res *http.Response, err error, o *outcome) (*http.Response, error) {
	if err == nil {
		return res, nil
	}
	if p := callers.problem(req); p != nil {
		return t.refuse(req, p, o), nil
	}
	return nil, err
}

// send sends a request with a token, and reports whether the answer rejects that. Where the token
// is bound to a key, it is sent again while an answer says what its proof is to say.
func (t *Transport) send(req *http.Request, p *client.Pass, body *replay.Body, o *outcome) (res *http.Response, rejected bool, err error) {
	o.sent(p.Token().Generation)
	proofs := t.proofsOf(p.Token())
	for {
		var verdict prover.Verdict
		res, verdict, err = t.once(req, p, proofs)
		if err == nil && verdict.Again {
			if again, ok := replay.Anew(req, res, body, true); ok {
				p.ProofRefused(verdict.Cause, true)
				req = again
				continue
			}
		}
		p.Answered()
		if err != nil {
			return t.failed(req, err, o)
		}
		if o.ofProof = verdict.Cause != ""; o.ofProof {
			p.ProofRefused(verdict.Cause, false)
			t.tellOfProof(verdict)
			return res, false, nil
		}
		return res, p.Rejects(req, res), nil
	}
}

// once makes one round trip. Nobody above sees the copy of the request that carries the token, so
// nobody can log it.
func (t *Transport) once(req *http.Request, p *client.Pass, proofs *prover.Proofs) (res *http.Response, v prover.Verdict, err error) {
	out := p.Into(req)
	keepHost(out)
	var bound *http.Transport
	if t.bound != nil {
		bound = t.bound.of(p.Token())
	}
	var l *late
	if proofs != nil || t.mayOutlast(p.Token()) {
		l = &late{transport: t, pass: p, out: out, bound: bound, proofs: proofs}
		out = l.watch()
	} else if t.client.Injections().Repeats() {
		out = t.watchEarly(out, p.Token())
	}
	if bound == nil {
		res, err = t.HTTPTransport.RoundTrip(out)
	} else {
		t.SetScheme(out)
		res, err = bound.RoundTrip(out)
	}
	if err != nil {
		err = withhold(err, p.Token())
	} else {
		res.Body, err = t.bodyOf(res, p.Token(), proofs != nil), checkAnswer(req, res)
	}
	if err != nil && l != nil && l.err != nil {
		return nil, v, &notChosen{l.err}
	}
	t.record(req, p.Token(), res, err)
	if err != nil {
		return nil, v, err
	}
	if proofs != nil {
		v = proofs.Read(out, res, p.Token())
	}
	t.takeBack(res, p.Token())
	res.Request = req
	return res, v, nil
}

// notChosen is the error of a request that was not written, since there was no token for it any
// more when its connection was there.
type notChosen struct{ error }

// failed is what becomes of a request that has no answer.
func (t *Transport) failed(req *http.Request, err error, o *outcome) (*http.Response, bool, error) {
	if none, ok := errors.AsType[*notChosen](err); ok {
		res, err := t.withoutToken(req, none.error, o)
		return res, false, err
	}
	if denied, ok := errors.AsType[*target.ProxyDenied](err); ok {
		return t.deniedProxy(req, denied, o), false, nil
	}
	return nil, false, err
}

// withoutToken answers a request for which there is no token.
func (t *Transport) withoutToken(req *http.Request, err error, o *outcome) (*http.Response, error) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
	if isHealthCheck(req) {
		return t.noVerdict(req)
	}
	p := unavailable.Problem(t.client, err)
	if p == nil {
		o.is = observe.Undecided
		return nil, err // the caller went away
	}
	o.unsent(p)
	return p.Response(req), nil
}

// Interface guards
var (
	_ caddy.Provisioner                                = (*Transport)(nil)
	_ caddy.CleanerUpper                               = (*Transport)(nil)
	_ caddyfile.Unmarshaler                            = (*Transport)(nil)
	_ http.RoundTripper                                = (*Transport)(nil)
	_ reverseproxy.TLSTransport                        = (*Transport)(nil)
	_ reverseproxy.H2CTransport                        = (*Transport)(nil)
	_ reverseproxy.HealthCheckSchemeOverriderTransport = (*Transport)(nil)
	_ reverseproxy.ProxyProtocolTransport              = (*Transport)(nil)
	_ reverseproxy.RequestHeaderOpsTransport           = (*Transport)(nil)
)
