package tokenendpoint

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/redact"
)

// way is how a request gets to a server, for a word about where it ended.
type way struct {
	host    string // of the server, with its port if it is not the usual one
	setting string // that names the server
	plain   bool   // without TLS

	proxy *url.URL // nil if there is none

	resolving   atomic.Bool // a name is being looked up
	dialled     atomic.Bool // a connection is there: to the proxy, if there is one
	tunnelled   atomic.Bool // the proxy has connected us to the server
	asked       atomic.Bool // the server asked for a certificate of the client
	certificate bool        // the client has one
	spokeTLS    atomic.Bool // the server answered with a record of TLS, though asked without
}

// errProxy is a forward proxy that cannot be used. What is wrong with its URL is not
// told: there may be a password in it.
var errProxy = errors.New("the forward proxy is no URL that can be used")

// ProxyError is why a Connection's Proxy yields none, in a row of the table and in
// words that hold no secret.
type ProxyError struct {
	Cause cause.Cause
	Err   error
}

func (e *ProxyError) Error() string { return e.Err.Error() }

func (e *ProxyError) Unwrap() error { return e.Err }

// proxyStatus is a proxy's answer to CONNECT that is no success.
type proxyStatus int

func (s proxyStatus) Error() string { return "it answered " + strconv.Itoa(int(s)) }

// watch makes a transport tell the way.
func (w *way) watch(t *http.Transport, req *http.Request) {
	w.host, w.plain = req.URL.Host, req.URL.Scheme == "http"
	if w.setting == "" {
		w.setting = "token_endpoint"
	}
	choose := t.Proxy
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		proxy, err := choose(r)
		if is[*ProxyError](err) {
			return nil, err
		}
		if err != nil {
			return nil, errProxy
		}
		w.proxy = proxy
		return proxy, checkProxy(proxy)
	}
	t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
		if res.StatusCode != http.StatusOK {
			return proxyStatus(res.StatusCode)
		}
		w.tunnelled.Store(true)
		return nil
	}
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = new(tls.Config)
	}
	// Most servers without it say so then, before they are sent anything (RFC 7301
	// section 3.2).
	t.TLSClientConfig.NextProtos = []string{"http/1.1"}
	w.certificate = len(t.TLSClientConfig.Certificates) > 0 || t.TLSClientConfig.GetClientCertificate != nil
	if !w.certificate {
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			w.asked.Store(true)
			return new(tls.Certificate), nil // none, as without this function
		}
	}
}

// trace notes when names are looked up.
func (w *way) trace(t *httptrace.ClientTrace) {
	t.DNSStart = func(httptrace.DNSStartInfo) { w.resolving.Store(true) }
	t.DNSDone = func(httptrace.DNSDoneInfo) { w.resolving.Store(false) }
}

// checkProxy returns an error for what net/http would take for a proxy of HTTP
// without a word, or would ask for nothing.
func checkProxy(proxy *url.URL) error {
	if proxy == nil {
		return nil
	}
	switch proxy.Scheme {
	case "http", "https", "socks5", "socks5h":
		if proxy.Hostname() != "" {
			return nil
		}
	}
	return errProxy
}

// proxyHost names the proxy without what it is told of us.
func (w *way) proxyHost() string {
	if w.proxy == nil {
		return ""
	}
	return redact.Text(w.proxy.Host)
}

// ended says why no request was sent: in a row of the table, and with the reason.
func (w *way) ended(err error, secrets *redact.Secrets) (cause.Cause, string) {
	if withURL, ok := errors.AsType[*url.Error](err); ok {
		err = withURL.Err // it may be full of secrets
	}
	why := w.why(err)
	reason := ""
	if !errors.Is(err, errProxy) {
		reason = ": " + secrets.Text(reasonOf(err))
	}
	through := ""
	if w.proxy != nil && why.Source != cause.Proxy && why.Case != "proxy" {
		through = " (through the forward proxy " + w.proxyHost() + ")"
	}
	return why, why.Sentence + through + reason
}

// reasonOf tells an error without what net/http puts around it.
func reasonOf(err error) string {
	if isTimeout(err) {
		return "the timeout is over"
	}
	var op *net.OpError
	for errors.As(err, &op) && op.Op == "proxyconnect" {
		err = op.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection was closed"
	}
	if strings.HasPrefix(err.Error(), "malformed HTTP") {
		return "what came is no HTTP"
	}
	return err.Error()
}

// why finds the row.
func (w *way) why(err error) cause.Cause {
	if chosen, ok := errors.AsType[*ProxyError](err); ok {
		return chosen.Cause
	}
	name, which := w.name(err)
	return w.row(name, which...)
}

func (w *way) row(name string, which ...string) cause.Cause {
	return cause.Of(name, which...).With("host", redact.Text(w.host), "proxy", w.proxyHost(), "setting", w.setting)
}

// misdirected says of an answer that it is not the server's own, or of a server that
// was asked in the wrong way.
func (w *way) misdirected(status int, body []byte) (cause.Cause, bool) {
	switch {
	case status == http.StatusProxyAuthRequired && w.proxy != nil:
		return w.row("proxy_auth_required"), true
	case status == http.StatusBadRequest && w.plain && w.proxy == nil && wantsTLS(body):
		return w.row("https_expected"), true
	}
	return cause.Cause{}, false
}

// wantsTLS recognises what servers say to a request without TLS at a port for it.
func wantsTLS(body []byte) bool {
	said := bytes.ToLower(body)
	for _, words := range []string{
		"an http request to an https server",             // Go, Caddy
		"plain http request was sent to https port",      // nginx
		"speaking plain http to an ssl-enabled server",   // Apache
		"this combination of host and port requires tls", // Tomcat
	} {
		if bytes.Contains(said, []byte(words)) {
			return true
		}
	}
	return false
}

// unanswered says why a request that was sent has no answer. With TLS 1.3 a server
// demands or refuses the client's certificate only then.
func (w *way) unanswered(err error) cause.Cause {
	switch alert := w.alert(err); {
	case w.plain && w.spokeTLS.Load():
		return w.row("https_expected")
	case strings.HasPrefix(alert, "client_certificate"):
		return w.row(alert)
	case errors.Is(err, errHTTP2), strings.Contains(err.Error(), `malformed HTTP response "\x00\x00`):
		return w.row("http2_only")
	case hasLongHeaders(err):
		return w.row("headers_too_long")
	}
	return w.row(CauseNoAnswer)
}

// errHTTP2 is the end of a connection on which the server speaks HTTP/2 unasked.
var errHTTP2 = unreadable("it is HTTP/2, in which nobody asked")

// hasLongHeaders recognises net/http's error, which has no type.
func hasLongHeaders(err error) bool {
	return strings.Contains(err.Error(), "response headers exceeded")
}

// isHTTP2 recognises the SETTINGS frame that a server begins with (RFC 9113 section
// 3.4). No HTTP/1.1 begins with a zero.
func isHTTP2(b []byte) bool {
	return len(b) > 4 && b[0] == 0 && b[3] == 4 && b[4] == 0
}

// afterwards adds to such a request what may explain it.
func (w *way) afterwards() string {
	switch {
	case w.plain && w.spokeTLS.Load():
		return ", but a record of TLS"
	case w.asked.Load():
		return " (the server asked for a client certificate before, and the client has none)"
	}
	return ""
}

func (w *way) name(err error) (name string, which []string) {
	op, _ := errors.AsType[*net.OpError](err)
	status, answered := errors.AsType[proxyStatus](err)
	atProxy := w.proxy != nil && (op != nil && op.Op == "proxyconnect" || !w.dialled.Load())
	inTunnel := w.proxy != nil && !atProxy && !w.tunnelled.Load() && !w.plain && !strings.HasPrefix(w.proxy.Scheme, "socks")
	switch {
	case errors.Is(err, errProxy):
		return "proxy_invalid", nil
	case atProxy:
		return proxyTrouble(connectionTrouble(err, w)), nil
	case answered && status == http.StatusProxyAuthRequired:
		return "proxy_auth_required", nil
	case answered && status < http.StatusInternalServerError && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout:
		return "proxy_refused", nil
	case answered:
		return "proxy_failed", nil
	case op != nil && strings.HasPrefix(op.Op, "socks"):
		return socksTrouble(op.Err.Error())
	case inTunnel && strings.HasPrefix(err.Error(), "malformed HTTP"):
		return "proxy_invalid", []string{"answer"}
	case inTunnel:
		return "proxy_failed", nil
	}
	name = connectionTrouble(err, w)
	if name == "unknown_authority" && w.proxy != nil {
		return name, []string{"proxy"}
	}
	return name, nil
}

// proxyTrouble is what a trouble of a connection is called if it is the one to the
// proxy.
func proxyTrouble(name string) string {
	switch {
	case name == "host_not_found":
		return "proxy_not_found"
	case strings.Contains(name, "certificate"), strings.Contains(name, "tls"), name == "unknown_authority", name == "http2_only":
		return "proxy_tls_failed"
	}
	return "proxy_unreachable"
}

// socksTrouble reads the words of net/http's SOCKS5 client, which has no types for
// them (RFC 1928 section 6).
func socksTrouble(words string) (name string, which []string) {
	switch {
	case strings.Contains(words, "authentication"):
		return "proxy_auth_required", nil
	case strings.Contains(words, "not allowed by ruleset"), strings.Contains(words, "command not supported"):
		return "proxy_refused", nil
	case strings.Contains(words, "unexpected protocol version"):
		return "proxy_invalid", []string{"answer"}
	}
	return "proxy_failed", nil
}

// connectionTrouble names why a connection, and TLS over it, did not come about.
func connectionTrouble(err error, w *way) string {
	if name := certificateTrouble(err); name != "" {
		return name
	}
	if name := tlsTrouble(err, w); name != "" {
		return name
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return "host_not_found"
		}
		return "dns_failed"
	}
	for _, known := range []struct {
		name   string
		errors []error
	}{
		{"connection_refused", []error{syscall.ECONNREFUSED}},
		{"network_unreachable", []error{syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EADDRNOTAVAIL}},
		{"connection_forbidden", []error{syscall.EACCES, syscall.EPERM}},
		{"connection_closed", []error{syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF}},
	} {
		for _, of := range known.errors {
			if errors.Is(err, of) {
				return known.name
			}
		}
	}
	switch {
	case isTimeout(err) && w.resolving.Load():
		return "dns_failed"
	case isTimeout(err):
		return "connect_timeout"
	}
	return "unreachable"
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout()
}

// certificateTrouble names what is wrong with a server's certificate, "" if that is
// not it.
func certificateTrouble(err error) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch {
		case invalid.Reason != x509.Expired:
			return "certificate_invalid"
		case invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
			return "certificate_not_yet_valid"
		}
		return "certificate_expired"
	}
	switch {
	case is[x509.UnknownAuthorityError](err), is[x509.SystemRootsError](err):
		return "unknown_authority"
	case is[x509.HostnameError](err):
		return "certificate_name_mismatch"
	case is[*tls.CertificateVerificationError](err), is[x509.ConstraintViolationError](err), is[x509.InsecureAlgorithmError](err):
		return "certificate_invalid"
	}
	return ""
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// aboutCertificates are the alerts with which servers refuse the client's
// certificate, or demand one (RFC 8446 section 6.2).
var aboutCertificates = []tls.AlertError{42, 43, 44, 45, 46, 48, 49, 116}

// handshakeFailure is also what some servers say of a certificate that is missing.
const handshakeFailure = tls.AlertError(40)

// noApplicationProtocol is what a server says that does not speak HTTP/1.1 (RFC 7301
// section 3.2).
const noApplicationProtocol = tls.AlertError(120)

// tlsTrouble names why TLS did not come about, "" if that is not it.
func tlsTrouble(err error, w *way) string {
	if is[tls.RecordHeaderError](err) {
		return "not_tls"
	}
	if name := w.alert(err); name != "" {
		return name
	}
	if strings.HasPrefix(err.Error(), "tls: ") {
		return "tls_refused"
	}
	return ""
}

// alert names what a server says in an alert of TLS, "" if it is none. The type of
// alerts is not exported, so their words are compared.
func (w *way) alert(err error) string {
	op, ok := errors.AsType[*net.OpError](err)
	for ok && op.Op != "remote error" {
		op, ok = errors.AsType[*net.OpError](op.Err)
	}
	if !ok {
		return ""
	}
	for _, alert := range append(aboutCertificates, handshakeFailure) {
		switch {
		case op.Err.Error() == noApplicationProtocol.Error():
			return "http2_only"
		case op.Err.Error() != alert.Error():
		case alert == handshakeFailure && !w.asked.Load():
		case w.certificate:
			return "client_certificate_refused"
		case w.asked.Load():
			return "client_certificate_required"
		}
	}
	return "tls_refused"
}
