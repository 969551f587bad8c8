package asking

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"

	"lamplighter/module/cause"
)

// Connection says how to reach a server.
type Connection struct {
	// TLS configures https; nil means the system's defaults.
	TLS *tls.Config

	// Dial opens connections; nil means a net.Dialer. Tests replace it.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Proxy chooses a forward proxy; nil means http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)
}

// Watched returns the connection so that it tells which certificate the client
// presents, if it has one and is asked for it.
func (c Connection) Watched() (Connection, *atomic.Pointer[tls.Certificate]) {
	presented := new(atomic.Pointer[tls.Certificate])
	if c.TLS == nil || c.TLS.GetClientCertificate == nil {
		return c, presented
	}
	choose := c.TLS.GetClientCertificate
	c.TLS = c.TLS.Clone()
	c.TLS.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		cert, err := choose(asked)
		if err == nil && len(cert.Certificate) > 0 {
			presented.Store(cert)
		}
		return cert, err
	}
	return c, presented
}

// ProxyError is why a Connection's Proxy yields none, in a row of the table and in
// words that hold no secret.
type ProxyError struct {
	Cause cause.Cause
	Err   error
}

func (e *ProxyError) Error() string { return e.Err.Error() }

func (e *ProxyError) Unwrap() error { return e.Err }
