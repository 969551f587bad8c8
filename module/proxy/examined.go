package proxy

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module"
	"lamplighter/module/cause"
	"lamplighter/module/destination"
	"lamplighter/module/doctor"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/target"
	"lamplighter/module/placeholder"
)

// place tells the app where the transport is, and looks whether that is of use.
func (t *Transport) place(ctx caddy.Context, app *module.App) error {
	if proxy := destination.Enclosing(ctx); proxy != nil && len(proxy.Upstreams) == 0 && proxy.DynamicUpstreamsRaw == nil {
		t.logger.Warn("there is no upstream, so that every request is answered 503; name one behind upstream_oauth, or with 'to <upstreams>'",
			t.where().Fields()...)
	}
	for _, u := range t.examined(ctx) {
		app.Reaches(u)
	}
	if err := app.Within(ctx, t.where()); err != nil {
		return placeholder.Located(t.DeclaredAt, err)
	}
	return nil
}

// examined are the upstreams of the enclosing reverse_proxy, for who asks whether they are
// there.
func (t *Transport) examined(ctx caddy.Context) (all []doctor.Upstream) {
	proxy := destination.Enclosing(ctx)
	if proxy == nil {
		return nil
	}
	named := ""
	if proxy.Headers != nil && proxy.Headers.Request != nil {
		named = proxy.Headers.Request.Set.Get("Host")
	}
	if named == "" && t.TLSEnabled() { // as Caddy does
		named = upstreamHost
	}
	for _, upstream := range proxy.Upstreams {
		all = append(all, t.examinedUpstream(upstream.Dial, named))
	}
	if proxy.DynamicUpstreamsRaw != nil {
		all = append(all, doctor.Upstream{Client: t.client.Name(), Address: "what dynamic upstreams find", Why: "is known with each request only"})
	}
	return all
}

// upstreamHost is the placeholder of an upstream's own host and port.
const upstreamHost = "{http.reverse_proxy.upstream.hostport}"

// examinedUpstream is one of them. named is the Host that it is sent, "" if that is the
// caller's.
func (t *Transport) examinedUpstream(dial, named string) doctor.Upstream {
	u := doctor.Upstream{Client: t.client.Name(), Address: dial}
	dial = caddy.NewReplacer().ReplaceKnown(dial, "")
	address, err := caddy.ParseNetworkAddress(dial)
	if strings.Contains(dial, "{") || err != nil || address.PortRangeSize() != 1 {
		u.Why = "is known with each request only"
		return u
	}
	to := reverseproxy.DialInfo{Network: address.Network, Address: address.JoinHostPort(0), Host: address.Host, Port: address.JoinHostPort(0)}
	host, port, err := net.SplitHostPort(to.Address)
	if err == nil {
		to.Host, to.Port = host, port
	}
	own := to.Host
	if destination.IsSocket(to.Network) {
		own = "localhost"
	} else if port != target.DefaultPort(map[bool]string{true: "https", false: "http"}[t.TLSEnabled()]) {
		own = to.Address
	}
	sent := strings.ReplaceAll(named, upstreamHost, own)
	if strings.Contains(sent, "{") {
		sent = ""
	}
	u.Hosts = []string{cmp.Or(sent, "localhost"), own, to.Host, "localhost"}
	if t.TLS != nil && t.TLS.ServerName != "" && !strings.Contains(t.TLS.ServerName, "{") {
		u.Hosts = slices.Insert(u.Hosts, 1, t.TLS.ServerName)
	}
	u.Hosts = unique(u.Hosts)
	u.Ask = func(ctx context.Context, host string) (int, error) { return t.ask(ctx, to, own, host) }
	u.Explain = explained
	return u
}

func unique(list []string) (kept []string) {
	for _, one := range list {
		if one != "" && !slices.Contains(kept, one) {
			kept = append(kept, one)
		}
	}
	return kept
}

// ask makes a request without a token.
func (t *Transport) ask(ctx context.Context, to reverseproxy.DialInfo, own, host string) (status int, err error) {
	repl := caddy.NewReplacer()
	repl.Set("http.reverse_proxy.upstream.host", to.Host)
	repl.Set("http.reverse_proxy.upstream.hostport", to.Address)
	ctx = context.WithValue(ctx, caddy.ReplacerCtxKey, repl)
	ctx = context.WithValue(ctx, dialInfoKey, to)
	ctx = context.WithValue(ctx, caddyhttp.VarsCtxKey, make(map[string]any))
	at := to.Address
	if destination.IsSocket(to.Network) {
		at = own
	}
	req := (&http.Request{Method: http.MethodHead, URL: &url.URL{Host: at, Path: "/"}, Header: http.Header{"User-Agent": {"lamplighter"}}, Host: host}).WithContext(ctx)
	res, err := t.HTTPTransport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// dialInfoKey is where Caddy's transport looks for what to dial.
const dialInfoKey caddy.CtxKey = "reverse_proxy.dial_info"

// explained says why there was no answer.
func explained(err error) (name, detail, remedy string) {
	failed := caddyhttp.HandlerError{StatusCode: http.StatusBadGateway, Err: err}
	if timeout, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout() {
		failed.StatusCode = http.StatusGatewayTimeout
	}
	why, _ := upstreamFailure(failed)
	what := did(why)
	if denied, ok := errors.AsType[*target.ProxyDenied](err); ok {
		why = cause.Of("token_destination_denied", "proxy").With("proxy", redact.Word(denied.Proxy.String()))
	}
	return why.Name, what + ": " + redact.Text(err.Error()), why.Remedy
}
