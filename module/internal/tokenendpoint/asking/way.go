package asking

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"lamplighter/module/cause"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint/reading"
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

// Ended says why no request was sent: in a row of the table, and with the reason.
func (w *way) Ended(err error, secrets *redact.Secrets) (cause.Cause, string) {
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

// why finds the row.
func (w *way) why(err error) cause.Cause {
	if chosen, ok := errors.AsType[*ProxyError](err); ok {
		return chosen.Cause
	}
	name, which := w.name(err)
	return w.row(name, which...)
}

func (w *way) row(name string, which ...string) cause.Cause {
	bare := w.host
	if host, _, err := net.SplitHostPort(w.host); err == nil {
		bare = host
	}
	return cause.Of(name, which...).With("host", redact.Text(w.host), "name", redact.Text(bare), "proxy", w.proxyHost(), "setting", w.setting)
}

// Misdirected says of an answer that it is not the server's own, or of a server that
// was asked in the wrong way.
func (w *way) Misdirected(status int, body []byte) (cause.Cause, bool) {
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

// Unanswered says why a request that was sent has no answer. With TLS 1.3 a server
// demands or refuses the client's certificate only then.
func (w *way) Unanswered(err error) cause.Cause {
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
	return w.row("no_answer")
}

// errHTTP2 is the end of a connection on which the server speaks HTTP/2 unasked.
var errHTTP2 = reading.Unreadable("it is HTTP/2, in which nobody asked")

// hasLongHeaders recognises net/http's error, which has no type.
func hasLongHeaders(err error) bool {
	return strings.Contains(err.Error(), "response headers exceeded")
}

// isHTTP2 recognises the SETTINGS frame that a server begins with (RFC 9113 section
// 3.4). No HTTP/1.1 begins with a zero.
func isHTTP2(b []byte) bool {
	return len(b) > 4 && b[0] == 0 && b[3] == 4 && b[4] == 0
}

// Afterwards adds to such a request what may explain it.
func (w *way) Afterwards() string {
	switch {
	case w.plain && w.spokeTLS.Load():
		return ", but a record of TLS"
	case w.asked.Load():
		return " (the server asked for a client certificate before, and the client has none)"
	}
	return ""
}
