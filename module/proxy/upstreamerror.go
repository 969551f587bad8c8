package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"lamplighter/module/cause"
	"lamplighter/module/internal/redact"
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
	var what string
	p.Cause, p.ProxyError, what = upstreamFailure(failed)
	p.Detail = upstream + " " + what
	p.Remedy = cause.Of(p.Cause).Remedy
	return p
}

// upstreamFailure names a failure: its cause, its type in RFC 9209, and what the
// upstream did. Why it could not be dialled is not known: Caddy hides that.
func upstreamFailure(failed caddyhttp.HandlerError) (name, proxyError, what string) {
	err := failed.Err
	switch {
	case isA[reverseproxy.DialError](err), failed.StatusCode == http.StatusServiceUnavailable:
		return causeUnreachable, "destination_unavailable", "cannot be reached"
	case isA[*tls.CertificateVerificationError](err):
		return causeUnreachable, "tls_certificate_error", "has a certificate that is not trusted"
	case isA[tls.RecordHeaderError](err), isA[tls.AlertError](err):
		return causeUnreachable, "tls_protocol_error", "could not be spoken to over TLS"
	case tlsAlert(err) != "":
		return causeUnreachable, "tls_alert_received", "refused the TLS connection: " + tlsAlert(err)
	case breaksHTTP(err):
		return causeBroken, "http_protocol_error", "answered what is no valid HTTP"
	case failed.StatusCode == http.StatusGatewayTimeout:
		return causeNoReply, "http_response_timeout", "did not answer in time"
	}
	return causeNoReply, "http_response_incomplete", "gave no answer"
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
