package tokenendpoint

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/internal/tokenendpoint/discovery"
	"lamplighter/module/moduletest/skip"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour * 24 * 365), NotAfter: time.Now().Add(time.Hour * 24 * 365), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue makes a certificate of 127.0.0.1 and localhost, if edit does not change it.
func (a *authority) issue(t *testing.T, edit func(*x509.Certificate)) tls.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if edit != nil {
		edit(template)
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serveTLS is a token endpoint, and an issuer of metadata, over TLS. It reads what a
// client sends after a failed handshake, so that no reset overtakes its alert.
func serveTLS(t *testing.T, config *tls.Config) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer raw.Close()
				conn := tls.Server(raw, config)
				if conn.Handshake() != nil {
					_ = raw.SetReadDeadline(time.Now().Add(5 * time.Second))
					_, _ = io.Copy(io.Discard, raw)
					return
				}
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, httpAnswer(eiamAnswer))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// told is what both a token request and a look for metadata say.
type told struct {
	cause, detail, remedy string
	passes                bool
}

// askedBoth asks a place for a token and for its metadata.
func askedBoth(t *testing.T, base string, how asking.Connection) map[string]told {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := newOver(eiam, how, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	r := refresh
	r.URL = base + "/token"
	a := c.Do(ctx, r)
	all := map[string]told{"a token": {a.Cause, a.Detail, a.Remedy, a.Passes}}
	_, err = discovery.Discover(ctx, base, how)
	if none, ok := errors.AsType[*discovery.Undiscovered](err); ok {
		all["metadata"] = told{none.Cause, none.Detail, none.Remedy, none.Passes}
	}
	return all
}

// want checks that both say the same, truly and without harm.
func want(t *testing.T, all map[string]told, cause string, passes bool, says ...string) {
	t.Helper()
	if len(all) != 2 {
		t.Fatalf("only %v", all)
	}
	for what, got := range all {
		if got.cause != cause || got.passes != passes || strings.Contains(got.remedy, "none needed") != passes || strings.Contains(got.remedy, "does not pass by itself") == passes {
			t.Errorf("%s: want %s, passes %v: %+v", what, cause, passes, got)
		}
		for _, word := range says {
			if !strings.Contains(got.detail+" "+got.remedy, word) {
				t.Errorf("%s: does not say %q: %+v", what, word, got)
			}
		}
		for _, never := range []string{"\x1b", "proxy-password", "proxy-user", "the-client-secret", "the-refresh-token"} {
			if strings.Contains(got.detail+got.remedy, never) {
				t.Errorf("%s: says %q: %+v", what, never, got)
			}
		}
	}
}

// Fault A11.
func TestEachTroubleWithTLSHasItsOwnCauseAndRemedy(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	trusting := asking.Connection{TLS: &tls.Config{RootCAs: ours.pool()}}
	shown := others.issue(t, nil)
	showing := asking.Connection{TLS: &tls.Config{RootCAs: ours.pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &shown, nil
	}}}
	serving := func(edit func(*x509.Certificate)) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ours.issue(t, edit)}}
	}
	demanding := func(version uint16) *tls.Config {
		config := serving(nil)
		config.ClientAuth, config.ClientCAs, config.MaxVersion = tls.RequireAndVerifyClientCert, ours.pool(), version
		return config
	}
	for name, test := range map[string]struct {
		server *tls.Config
		how    asking.Connection
		cause  string
		says   []string
	}{
		"an unknown authority": {serving(nil), asking.Connection{}, "unknown_authority", []string{"trust_pool", "127.0.0.1"}},
		"another name": {serving(func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"a\x1b[2J.example.com"}
		}), trusting, "certificate_name_mismatch", []string{"server_name"}},
		"an expired certificate":     {serving(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), trusting, "certificate_expired", []string{"renew"}},
		"a certificate of tomorrow":  {serving(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), trusting, "certificate_not_yet_valid", []string{"clock"}},
		"a certificate of a client":  {serving(func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] }), trusting, "certificate_invalid", []string{"replace"}},
		"a demand, TLS 1.2":          {demanding(tls.VersionTLS12), trusting, "client_certificate_required", []string{"tls_client_auth", "client_auth"}},
		"a refusal, TLS 1.2":         {demanding(tls.VersionTLS12), showing, "client_certificate_refused", []string{"certificate"}},
		"only old versions":          {&tls.Config{Certificates: serving(nil).Certificates, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, trusting, "tls_refused", []string{"TLS 1.2"}},
		"no certificate for a name":  {&tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }}, trusting, "tls_refused", []string{"that very name"}},
		"a demand, TLS 1.3":          {demanding(0), trusting, "client_certificate_required", []string{"tls_client_auth"}},
		"a refusal, TLS 1.3":         {demanding(0), showing, "client_certificate_refused", []string{"certificate"}},
		"an authority of the system": {serving(nil), asking.Connection{TLS: &tls.Config{RootCAs: others.pool()}}, "unknown_authority", []string{"authority"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.how.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
			want(t, askedBoth(t, "https://"+serveTLS(t, test.server), test.how), test.cause, false, test.says...)
		})
	}
}

// Fault A11. Servers say it in words, with an alert, or with nothing.
func TestPlainHTTPAndTLSAreNotMistakenForEachOther(t *testing.T) {
	plain := answering(t, 200, nil, eiamAnswer)
	want(t, askedBoth(t, strings.Replace(plain, "http:", "https:", 1), asking.Connection{}), "not_tls", false, "port", "http://")

	inTLS := httptest.NewUnstartedServer(http.NotFoundHandler())
	inTLS.Config.ErrorLog = log.New(io.Discard, "", 0)
	inTLS.StartTLS()
	t.Cleanup(inTLS.Close)
	want(t, askedBoth(t, strings.Replace(inTLS.URL, "https:", "http:", 1), asking.Connection{}), "https_expected", false, "https://")

	for _, said := range []string{
		"<center>The plain HTTP request was sent to HTTPS port</center>",
		"Reason: You're speaking plain HTTP to an SSL-enabled server port.",
		"Bad Request\nThis combination of host and port requires TLS.",
	} {
		want(t, askedBoth(t, answering(t, 400, nil, said), asking.Connection{}), "https_expected", false, "https://")
	}
	alert := serveRaw(t, func(conn net.Conn, _ string) { _, _ = conn.Write([]byte{0x15, 3, 1, 0, 2, 2, 70}) })
	want(t, askedBoth(t, "http://"+alert.address, asking.Connection{}), "https_expected", false, "https://")
}

// Fault A11.
func TestEachTroubleOfTheNetworkHasItsOwnCauseAndRemedy(t *testing.T) {
	failing := func(err error) asking.Connection {
		return asking.Connection{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, err }}
	}
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for name, test := range map[string]struct {
		err    error
		cause  string
		passes bool
		says   string
	}{
		"refused":          {dial(syscall.ECONNREFUSED), "connection_refused", true, "as.example.com"},
		"no route":         {dial(syscall.EHOSTUNREACH), "network_unreachable", true, "VPN"},
		"no network":       {dial(syscall.ENETUNREACH), "network_unreachable", true, "IPv6"},
		"forbidden":        {dial(syscall.EPERM), "connection_forbidden", false, "IPAddressDeny"},
		"NXDOMAIN":         {dial(&net.DNSError{Err: "no such host", Name: "as.example.com", IsNotFound: true}), "host_not_found", false, "correct the host"},
		"SERVFAIL":         {dial(&net.DNSError{Err: "server misbehaving", Name: "as.example.com", IsTemporary: true}), "dns_failed", true, "resolv.conf"},
		"no name server":   {dial(&net.DNSError{Err: "i/o timeout", Name: "as.example.com", IsTimeout: true}), "dns_failed", true, "resolv.conf"},
		"nobody answers":   {dial(context.DeadlineExceeded), "connect_timeout", true, "firewall"},
		"the system's own": {dial(syscall.ETIMEDOUT), "connect_timeout", true, "firewall"},
		"reset":            {dial(syscall.ECONNRESET), "connection_closed", true, "load balancer"},
		"cut":              {io.ErrUnexpectedEOF, "connection_closed", true, "load balancer"},
		"what nobody knew": {errors.New("strange"), "unreachable", true, "strange"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, askedBoth(t, "https://as.example.com", failing(test.err)), test.cause, test.passes, test.says)
		})
	}
}

// serveProxy is a forward proxy that answers every request with the same.
func serveProxy(t *testing.T, answer string) *url.URL {
	s := serveRaw(t, func(conn net.Conn, _ string) { _, _ = io.WriteString(conn, answer) })
	return &url.URL{Scheme: "http", Host: s.address, User: url.UserPassword("proxy-user", "proxy-password")}
}

// Fault A11.
func TestFaultsOfAProxyNameTheProxy(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := nobody.Addr().String()
	nobody.Close()
	user := url.UserPassword("proxy-user", "proxy-password")
	socks := func(reply ...byte) *url.URL {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				b := make([]byte, 512)
				_, _ = conn.Read(b)
				_, _ = conn.Write(reply[:2])
				if len(reply) > 2 {
					_, _ = conn.Read(b)
					_, _ = conn.Write(reply[2:])
				}
				conn.Close()
			}
		}()
		return &url.URL{Scheme: "socks5", Host: listener.Addr().String()}
	}
	plain, err := url.Parse(answering(t, 200, nil, "x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		proxy  *url.URL
		cause  string
		passes bool
		says   string
	}{
		"nobody there":       {&url.URL{Scheme: "http", Host: free, User: user}, "proxy_unreachable", true, free},
		"an unknown name":    {&url.URL{Scheme: "http", Host: "proxy.invalid:3128", User: user}, "proxy_not_found", false, "proxy.invalid:3128"},
		"407":                {serveProxy(t, "HTTP/1.1 407 Proxy \x1b[2J Authentication Required\r\nContent-Length: 0\r\n\r\n"), "proxy_auth_required", false, "user:password"},
		"403":                {serveProxy(t, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "proxy_refused", false, "403"},
		"405":                {serveProxy(t, "HTTP/1.1 405 Method Not Allowed\r\n\r\n"), "proxy_refused", false, "CONNECT"},
		"502":                {serveProxy(t, "HTTP/1.1 502 Bad Gateway\r\n\r\n"), "proxy_failed", true, "502"},
		"503":                {serveProxy(t, "HTTP/1.1 503 Service Unavailable\r\n\r\n"), "proxy_failed", true, "as.example.com"},
		"429":                {serveProxy(t, "HTTP/1.1 429 Too Many Requests\r\n\r\n"), "proxy_failed", true, "429"},
		"no answer":          {serveProxy(t, ""), "proxy_failed", true, "as.example.com"},
		"no HTTP":            {serveProxy(t, "SSH-2.0-OpenSSH\r\n"), "proxy_invalid", false, "scheme"},
		"TLS, in an alert":   {serveProxy(t, "\x15\x03\x01\x00\x02\x02\x46"), "proxy_invalid", false, "scheme"},
		"an unknown scheme":  {&url.URL{Scheme: "ftp", Host: "proxy.example.com:21", User: user}, "proxy_invalid", false, "socks5"},
		"no host":            {&url.URL{Scheme: "http", Opaque: "proxy-user:proxy-password@x"}, "proxy_invalid", false, "http://"},
		"https of a plain":   {&url.URL{Scheme: "https", Host: plain.Host, User: user}, "proxy_tls_failed", false, plain.Host},
		"SOCKS unreachable":  {socks(5, 0, 5, 4, 0, 1, 0, 0, 0, 0, 0, 0), "proxy_failed", true, "as.example.com"},
		"SOCKS not allowed":  {socks(5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0), "proxy_refused", false, "as.example.com"},
		"SOCKS wants a user": {socks(5, 255), "proxy_auth_required", false, "password"},
		"SOCKS of version 4": {socks(4, 0), "proxy_invalid", false, "scheme"},
	} {
		t.Run(name, func(t *testing.T) {
			how := asking.Connection{Proxy: func(*http.Request) (*url.URL, error) { return test.proxy, nil }}
			says := []string{test.says}
			if test.proxy.Host != "" && test.cause != "proxy_invalid" {
				says = append(says, test.proxy.Host)
			}
			all := askedBoth(t, "https://as.example.com", how)
			if name == "an unknown name" && all["a token"].cause == "proxy_unreachable" {
				skip.Missing(t, "no name server answers here")
			}
			want(t, all, test.cause, test.passes, says...)
		})
	}
	t.Run("no URL", func(t *testing.T) {
		how := asking.Connection{Proxy: func(*http.Request) (*url.URL, error) {
			return nil, errors.New(`invalid proxy address "http://proxy-user:proxy-password@%zz"`)
		}}
		want(t, askedBoth(t, "https://as.example.com", how), "proxy_invalid", false, "HTTPS_PROXY")
	})
	t.Run("407 to a request without TLS", func(t *testing.T) {
		proxy := serveProxy(t, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
		how := asking.Connection{Proxy: func(*http.Request) (*url.URL, error) { return proxy, nil }}
		want(t, askedBoth(t, "http://as.example.com", how), "proxy_auth_required", false, "user:password", proxy.Host)
	})
}

// Fault A11. A proxy that looks into TLS has an authority of its own.
func TestAnUnknownAuthorityBehindAProxyNamesBoth(t *testing.T) {
	target := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, nil)}})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		// By hand, and with what was read ahead: the first byte of the handshake may be.
		conn, ahead, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(to, ahead); to.Close() }()
		_, _ = io.Copy(conn, to)
		conn.Close()
	}))
	t.Cleanup(proxy.Close)
	through, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	how := asking.Connection{Proxy: func(*http.Request) (*url.URL, error) { return through, nil }}
	want(t, askedBoth(t, "https://"+target, how), "unknown_authority", false, target, through.Host, "looks into TLS")
}

// A reset may overtake the alert of TLS 1.3.
func TestARequestForACertificateIsToldIfNoAnswerComes(t *testing.T) {
	ours := newAuthority(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ours.issue(t, nil)}, ClientAuth: tls.RequestClientCert})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			conn.Close()
		}
	}()
	c, err := newOver(eiam, asking.Connection{TLS: &tls.Config{RootCAs: ours.pool()}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	r := refresh
	r.URL = fmt.Sprintf("https://%s/", listener.Addr())
	if a := c.Do(t.Context(), r); a.Outcome != Unanswered || a.Cause != CauseNoAnswer || !strings.Contains(a.Detail, "client certificate") {
		t.Errorf("%+v", a)
	}
}
