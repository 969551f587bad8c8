package module

import (
	"crypto/tls"
	"errors"
	"fmt"
)

// presentCertificate lets the transport show the client's certificate to
// upstreams: an access token that was obtained with it is bound to it (RFC 8705
// section 3). The files are read again for each handshake.
func (t *Transport) presentCertificate() {
	cfg := t.client.cfg
	config := t.HTTPTransport.Transport.TLSClientConfig
	if cfg.TokenEndpointAuthMethod != "tls_client_auth" || cfg.UpstreamCertificate == "off" || config == nil {
		return
	}
	if len(config.Certificates) > 0 || config.GetClientCertificate != nil {
		return // the transport's own options name one
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return t.client.certificate()
	}
}

// certificate reads the client's certificate: its own, or that of the tls options
// of the token endpoint.
func (c *client) certificate() (*tls.Certificate, error) {
	if c.cfg.Certificate == "" {
		if own := c.connection.TLS; own != nil && len(own.Certificates) > 0 {
			return &own.Certificates[0], nil
		}
		if own := c.connection.TLS; own != nil && own.GetClientCertificate != nil {
			return own.GetClientCertificate(new(tls.CertificateRequestInfo))
		}
		return new(tls.Certificate), nil
	}
	var r resolver
	chain, key := r.value("certificate", c.cfg.Certificate), r.value("private_key", c.cfg.PrivateKey)
	if r.err != nil {
		return nil, fmt.Errorf("client %s: %w", c.name, r.err)
	}
	pair, err := tls.X509KeyPair([]byte(chain), []byte(key))
	if err != nil {
		return nil, fmt.Errorf("client %s: %w", c.name, errPair)
	}
	return &pair, nil
}

var errPair = errors.New("certificate and private_key are no pair of PEM texts that belong together")
