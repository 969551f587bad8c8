package authserver

import (
	"crypto/tls"
	"fmt"

	"lamplighter/module/internal/tokenendpoint"
)

// Own is the certificate that the client shows now, nil if it has none in files.
func (s *Server) Own() (*tls.Certificate, error) {
	pair := s.tlsPair
	if s.cfg.MutualTLS() && s.pair != nil {
		pair = s.pair
	}
	loaded, err := pair.Load()
	if loaded == nil || err != nil {
		return nil, err
	}
	return loaded.Certificate, nil
}

// Binds reports whether an access token is bound to a certificate of the client (RFC 8705
// section 3), because it says so itself or is to be. presented is that of the request that
// brought it, nil if none was, or if nobody knows.
func (s *Server) Binds(accessToken string, presented *tls.Certificate) bool {
	if !s.cfg.HasCertificate() {
		return false
	}
	x5t, isJWT := tokenendpoint.Confirmation(accessToken)
	return s.cfg.CertificateBound || x5t != "" || !isJWT && s.binds.Load() && presented != nil
}

// Shows returns the certificate that an access token travels with of which is not known with
// which one it was obtained: the client's of now, nil if it has none that can be read. It
// reports false if the token names another one that it is bound to.
func (s *Server) Shows(accessToken string) (own *tls.Certificate, ok bool) {
	own, err := s.Own()
	if err != nil || own == nil {
		return nil, true
	}
	if x5t, _ := tokenendpoint.Confirmation(accessToken); x5t != "" && x5t != tokenendpoint.Thumbprint(own) {
		return nil, false
	}
	return own, true
}

// boundGrant is the thumbprint that a refresh token is bound to, "" if it is to none.
func (c *Client) boundGrant() (thumbprint string, err error) {
	if !c.cfg.GrantIsBound() {
		return "", nil
	}
	own, err := c.Own()
	if err != nil {
		return "", fmt.Errorf("tls: client_auth: %w", err)
	}
	if own == nil {
		return "", nil
	}
	return tokenendpoint.Thumbprint(own), nil
}
