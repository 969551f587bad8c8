package proxy

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"

	"lamplighter/module/authserver"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/keypair"
)

// An access token may be bound to the certificate that it was obtained with (RFC 8705
// section 3). So a connection to an upstream belongs to the certificate of the tokens
// that it carries: each certificate has connections of its own. When it is replaced, the
// token that was obtained with the old one, and its connections, are used until there is
// a new token.

// presentCertificate lets the transport show a certificate to upstreams: that of its own
// options, or else the client's. Without one it does nothing, and costs nothing.
func (t *Transport) presentCertificate(own *keypair.Pair) error {
	base := t.HTTPTransport.Transport
	if t.TLS == nil {
		return nil
	}
	server, cfg := t.client.Server(), t.client.Settings()
	certificate := server.Certificate
	switch {
	case own != nil:
		config, err := own.PresentedBy(base.TLSClientConfig)
		if err != nil {
			return err
		}
		base.TLSClientConfig = config
		certificate = own.Present
	case !cfg.HasCertificate() || cfg.UpstreamCertificate == "off" || t.TLS.ClientCertificateAutomate != "":
		return nil
	case base.TLSClientConfig == nil:
		base.TLSClientConfig = new(tls.Config)
	}
	if always := own != nil || cfg.MutualTLS(); !always { // to whom a token travels that is bound to it, and to nobody else
		certificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return new(tls.Certificate), nil }
		t.bound = &boundConnections{base: base, server: server}
	} else {
		t.bound = &boundConnections{base: base, own: own}
	}
	base.TLSClientConfig.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if bound, ok := asked.Context().Value(boundTo{}).(*tls.Certificate); ok {
			return bound, nil
		}
		return certificate(asked)
	}
	if slices.Contains(t.Versions, "3") { // which Caddy keeps for itself
		t.bound = nil
	}
	return nil
}

// boundTo is the key of the certificate that a connection is dialled for.
type boundTo struct{}

// maxBound is how many certificates have connections at the same time: the present one,
// those before it whose tokens callers still have, and one to come.
const maxBound = 4

// boundConnections are the connections of a transport by certificate.
type boundConnections struct {
	base *http.Transport
	own  *keypair.Pair // of the transport's options, nil if the client's certificate is presented

	// Where only tokens that are bound to the client's certificate travel with it, it says
	// which those are. Else nil.
	server *authserver.Client

	latest atomic.Pointer[boundToken]
	mu     sync.Mutex
	kept   []*boundTransport // the one that was used last is the first
}

// boundToken is a token, and the connections that it travels on.
type boundToken struct {
	token     *keeper.Token
	transport *http.Transport
	until     time.Time // the certificate's end
}

type boundTransport struct {
	*http.Transport
	certificate [sha256.Size]byte
}

// of returns the connections for a token. Those without a certificate are for tokens of
// which none is known; they present the certificate of the moment in which they are made.
func (b *boundConnections) of(t *keeper.Token) *http.Transport {
	if known := b.latest.Load(); known != nil && known.token == t && time.Now().Before(known.until) {
		return known.transport
	}
	certificate := t.Shown()
	if b.server != nil {
		if !b.server.Binds(t.AccessToken, t.Certificate) {
			b.latest.Store(&boundToken{t, b.base, t.ExpiresAt})
			return b.base
		}
		if certificate == nil { // the client has not the one that it is bound to: perhaps nobody looks
			certificate, _ = b.server.Own()
		}
	}
	if certificate == nil {
		return b.base
	}
	if b.own != nil {
		if pair, err := b.own.Load(); err == nil {
			certificate = pair.Certificate
		}
	}
	leaf := certificate.Leaf
	if leaf == nil {
		leaf, _ = x509.ParseCertificate(certificate.Certificate[0])
	}
	if leaf == nil || time.Now().After(leaf.NotAfter) {
		return b.base // nobody accepts it any more
	}
	bound := &boundToken{t, b.with(certificate), leaf.NotAfter}
	b.latest.Store(bound)
	return bound.transport
}

// with returns the connections of a certificate.
func (b *boundConnections) with(certificate *tls.Certificate) *http.Transport {
	sum := sha256.Sum256(certificate.Certificate[0])
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.IndexFunc(b.kept, func(k *boundTransport) bool { return k.certificate == sum }); i >= 0 {
		known := b.kept[i]
		b.kept = slices.Insert(slices.Delete(b.kept, i, i+1), 0, known)
		return known.Transport
	}
	// Whatever is idle was for a token that is replaced now. Requests under way go on,
	// and close their connections when they are through.
	b.closeIdle()
	made := &boundTransport{b.dialling(certificate), sum}
	b.kept = slices.Insert(b.kept, 0, made)
	b.kept = b.kept[:min(len(b.kept), maxBound)]
	return made.Transport
}

// dialling returns a transport like the base whose connections present a certificate.
func (b *boundConnections) dialling(certificate *tls.Certificate) *http.Transport {
	t := b.base.Clone()
	t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return certificate, nil
	}
	if dial := b.base.DialTLSContext; dial != nil { // Caddy's own, which has the base's configuration
		t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			return dial(context.WithValue(ctx, boundTo{}, certificate), network, address)
		}
	}
	if _, speaksH2 := t.TLSNextProto["h2"]; speaksH2 {
		// The clone's is the base's, with the base's connections.
		delete(t.TLSNextProto, "h2")
		if _, err := http2.ConfigureTransports(t); err != nil { //nolint:staticcheck // Protocols alone do not replace what the base had
			return b.base
		}
	}
	return t
}

// closeIdle closes what no request uses. Called with b.mu held.
func (b *boundConnections) closeIdle() {
	b.base.CloseIdleConnections()
	for _, k := range b.kept {
		k.CloseIdleConnections()
	}
}

// close closes all connections that no request uses. It may be called on nil.
func (b *boundConnections) close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closeIdle()
}
