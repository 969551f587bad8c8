// Package authserver answers what a client asks of its authorization server: the values
// of a token request as they are now, the endpoints that an issuer names, the certificate
// and which of two secrets, and requests of revocation and log-in.
//
// It knows settings, and the token endpoint. It must not know keepers, records but for
// what a grant is bound to, or who wants a token.
package authserver

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/keypair"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// Server is what clients have in common whose settings differ in nothing but their
// identity.
type Server struct {
	cfg        *settings.Client // with preset and defaults, and without identity
	endpoint   *tokenendpoint.Client
	connection asking.Connection
	pair       *keypair.Pair // of certificate and private_key, nil without
	tlsPair    *keypair.Pair // of the tls options, nil without
	binds      atomic.Bool   // the metadata says that tokens are bound to certificates
}

// New loads what the settings name of a server. rest are the effective settings without
// their identity, and dialect is what they are compiled to.
func New(ctx caddy.Context, effective, rest *settings.Client, dialect *tokenendpoint.Compiled) (s *Server, err error) {
	s = &Server{cfg: rest}
	if effective.TLS != nil {
		// A copy: loading its modules empties it, and other clients' are compared with it.
		if s.connection.TLS, s.tlsPair, err = keypair.ClientTLSAndPair(ctx, *effective.TLS); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	if effective.Certificate != "" && effective.PrivateKey != "" {
		s.pair = keypair.New(ctx.Logger(), func() (string, string, error) {
			var r placeholder.Resolver
			chain, key := r.Value("certificate", rest.Certificate), r.Value("private_key", rest.PrivateKey)
			return chain, key, r.Err
		})
	}
	s.connection.Proxy = func(req *http.Request) (*url.URL, error) { return permittedProxy(rest, req) }
	s.endpoint = tokenendpoint.New(dialect, s.connection, time.Now)
	return s, nil
}

// Certificate is the client certificate that the server asks for, at a handshake: that of
// the settings, or of the tls options; none if there is none.
func (s *Server) Certificate(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if s.cfg.MutualTLS() && s.pair != nil {
		pair, err := s.pair.Load()
		if err != nil {
			return nil, err
		}
		return pair.Certificate, nil
	}
	if own := s.connection.TLS; own != nil && own.GetClientCertificate != nil {
		return own.GetClientCertificate(asked)
	}
	return new(tls.Certificate), nil
}

// Tokens looks up the access token of another client, for settings that hold one. nil
// leaves its placeholder as it is.
type Tokens func(client string) (string, error)

// Client is what one client asks.
type Client struct {
	*Server

	// ProofRefused is told of each proof that an endpoint refused: the error code, and whether
	// another one is sent. nil for nobody. It is set before the first request.
	ProofRefused func(code string, again bool)

	name      string
	id        settings.Identity
	discovery *discovered // nil without an issuer
	secret    secretChoice
	assertion lastAssertion
	proofs    proofs
}

// Identity is what tells the client from others of its server.
func (c *Client) Identity() settings.Identity { return c.id }

// Address names the server, which other clients may ask too: scheme, host and port of its
// token endpoint, or of its issuer.
func (c *Client) Address() string {
	var r placeholder.Resolver
	endpoint := cmp.Or(r.Value("token_endpoint", c.id.TokenEndpoint), c.cfg.Issuer)
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host
	}
	return endpoint
}

// Of returns the client of that name and identity.
func (s *Server) Of(name string, id settings.Identity) *Client {
	c := &Client{Server: s, name: name, id: id}
	if s.cfg.Issuer != "" {
		c.discovery = new(discovered)
	}
	return c
}
