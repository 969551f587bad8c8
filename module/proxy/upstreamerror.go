package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module/cause"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/problem"
)

// What a caller is told of an upstream that gave no answer. It was an error within
// reverse_proxy, which tries other upstreams and counts failures by errors; only what
// is left of it at the end becomes an answer.
const (
	causeUnreachable = "upstream_unreachable" // no connection came about
	causeNoReply     = "upstream_no_answer"   // one was there, and no answer came
	causeBroken      = "upstream_broken_answer"
)

// upstreamProblem explains the error with which a reverse_proxy ended, nil if it is
// none of an upstream. Its words are ours: the error may quote what a server said.
func upstreamProblem(req *http.Request, client string, err error) *problem.Problem {
	failed, ok := errors.AsType[caddyhttp.HandlerError](err)
	if !ok || failed.StatusCode < http.StatusInternalServerError {
		return nil
	}
	p := &problem.Problem{
		Type:   "about:blank",
		Title:  http.StatusText(failed.StatusCode),
		Status: failed.StatusCode,
		Client: client,
	}
	upstream := "the upstream"
	if repl, ok := req.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		if address, ok := repl.GetString("http.reverse_proxy.upstream.hostport"); ok {
			upstream += " " + redact.Text(address)
		}
	}
	why, proxyError := upstreamFailure(failed)
	p.Cause, p.ProxyError, p.Remedy = why.Name, proxyError, why.Remedy
	p.Detail = upstream + " " + did(why)
	return p
}

// did is what the upstream of a row did, or is, in words that follow its name.
func did(why cause.Cause) string { return strings.TrimPrefix(why.Sentence, "the upstream ") }

// upstreamFailure names a failure: its row of the table, and its type in RFC 9209.
func upstreamFailure(failed caddyhttp.HandlerError) (why cause.Cause, proxyError string) {
	err := failed.Err
	certificate := asking.CertificateTrouble(err)
	switch {
	case isA[reverseproxy.DialError](err):
		return undialled(err)
	case failed.StatusCode == http.StatusServiceUnavailable:
		return cause.Of(causeUnreachable), "destination_unavailable"
	case certificate != "":
		return cause.Of(causeUnreachable, certificate), "tls_certificate_error"
	case isA[tls.RecordHeaderError](err):
		return cause.Of(causeUnreachable, "not_tls"), "tls_protocol_error"
	case isA[tls.AlertError](err):
		return cause.Of(causeUnreachable, "tls_refused"), "tls_protocol_error"
	case tlsAlert(err) != "":
		return refusedOverTLS(tlsAlert(err)), "tls_alert_received"
	case breaksHTTP(err):
		return cause.Of(causeBroken), "http_protocol_error"
	case failed.StatusCode == http.StatusGatewayTimeout:
		return cause.Of(causeNoReply, "in time"), "http_response_timeout"
	}
	return cause.Of(causeNoReply), "http_response_incomplete"
}

// refusedOverTLS is the row of an upstream that says in an alert why it does not go on.
func refusedOverTLS(alert string) cause.Cause {
	which := "tls_refused"
	if strings.Contains(alert, "certificate") {
		which = "client_certificate_required"
	}
	why := cause.Of(causeUnreachable, which)
	why.Sentence += ": " + alert
	return why
}

// undialled is the row of an upstream to which no connection came about. Caddy hides the
// error itself, and shows its words.
func undialled(err error) (why cause.Cause, proxyError string) {
	words := err.Error()
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return cause.Of(causeUnreachable, "proxy"), "destination_unavailable"
	}
	for _, known := range dialErrors {
		if strings.Contains(words, known.words) {
			return cause.Of(causeUnreachable, known.which), known.proxyError
		}
	}
	return cause.Of(causeUnreachable), "destination_unavailable"
}

// dialErrors are the words of errors for which no connection came about, and what they mean.
var dialErrors = []struct{ words, which, proxyError string }{
	{": no such host", "host_not_found", "dns_error"},
	{"lookup ", "dns_failed", "dns_error"},
	{syscall.ECONNREFUSED.Error(), "connection_refused", "connection_refused"},
	{syscall.EHOSTUNREACH.Error(), "network_unreachable", "destination_ip_unroutable"},
	{syscall.ENETUNREACH.Error(), "network_unreachable", "destination_ip_unroutable"},
	{syscall.EADDRNOTAVAIL.Error(), "network_unreachable", "destination_ip_unroutable"},
	{syscall.EACCES.Error(), "connection_forbidden", "destination_ip_prohibited"},
	{syscall.EPERM.Error(), "connection_forbidden", "destination_ip_prohibited"},
	{"dial unix ", "socket", "destination_unavailable"},
	{syscall.ETIMEDOUT.Error(), "connect_timeout", "connection_timeout"},
	{": i/o timeout", "connect_timeout", "connection_timeout"},
	{"context deadline exceeded", "connect_timeout", "connection_timeout"},
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// handlesErrors reports whether error routes of the operator's answer a request that
// failed: those of the server, as the Caddyfile's handle_errors makes them.
func handlesErrors(req *http.Request, err error) bool {
	server, ok := req.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Errors == nil {
		return false
	}
	return anyHandles(server.Errors.Routes, server.Errors.WithError(asItCame(req), err))
}

// asItCame undoes rewrites, as Caddy does before it looks for an error route.
func asItCame(req *http.Request) *http.Request {
	original, ok := req.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil {
		return req
	}
	out := req.WithContext(req.Context())
	out.Method, out.RequestURI = original.Method, original.RequestURI
	u := *original.URL
	out.URL = &u
	return out
}

func anyHandles(routes caddyhttp.RouteList, req *http.Request) bool {
	for i := range routes {
		if ok, err := routes[i].MatcherSets.AnyMatchWithError(req); !ok || err != nil {
			continue
		}
		for _, handler := range routes[i].Handlers {
			if sub, ok := handler.(*caddyhttp.Subroute); !ok || anyHandles(sub.Routes, req) {
				return true
			}
		}
	}
	return false
}

// hasErrorRoutes reports whether a handler stands in a subroute with error routes.
func hasErrorRoutes(ctx caddy.Context) bool {
	for _, m := range ctx.Modules() {
		if sub, ok := m.(*caddyhttp.Subroute); ok && sub.Errors != nil && len(sub.Errors.Routes) > 0 {
			return true
		}
	}
	return false
}

// writeWatcher knows whether something of an answer was written.
type writeWatcher struct {
	caddyhttp.ResponseWriterWrapper
	written bool
}

// WriteHeader passes a status on. Informational ones are no answer yet.
func (w *writeWatcher) WriteHeader(status int) {
	w.written = w.written || status >= http.StatusOK || status == http.StatusSwitchingProtocols
	w.ResponseWriterWrapper.WriteHeader(status)
}

// Write is an answer even if nobody wrote a status.
func (w *writeWatcher) Write(b []byte) (int, error) {
	w.written = true
	return w.ResponseWriterWrapper.Write(b)
}

// ReadFrom copies what is written, as the writer below likes it.
func (w *writeWatcher) ReadFrom(r io.Reader) (int64, error) {
	w.written = true
	return w.ResponseWriterWrapper.ReadFrom(r)
}
