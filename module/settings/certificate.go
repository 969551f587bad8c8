package settings

import (
	"errors"
	"fmt"
	"strings"

	"lamplighter/module/nearest"
)

// MutualTLS reports whether the client authenticates by a certificate (RFC 8705 section 2).
func (c *Client) MutualTLS() bool {
	return c.TokenEndpointAuthMethod == "tls_client_auth" || c.TokenEndpointAuthMethod == "self_signed_tls_client_auth"
}

// HasCertificate reports whether the client has a certificate to show in TLS handshakes.
func (c *Client) HasCertificate() bool {
	return c.MutualTLS() || c.TLS != nil && (c.TLS.ClientCertificateFile != "" || c.TLS.ClientCertificateAutomate != "")
}

// GrantIsBound reports whether the refresh token is bound to the certificate, too: that of a
// public client is (RFC 8705 section 4).
func (c *Client) GrantIsBound() bool {
	return c.CertificateBound && c.TokenEndpointAuthMethod == "none"
}

// checkCertificate is about the certificate, and what is bound to it.
func (c *Client) checkCertificate() error {
	method := c.TokenEndpointAuthMethod
	if c.MutualTLS() {
		if (c.Certificate == "") != (c.PrivateKey == "") {
			return fmt.Errorf("certificate and private_key belong together: token_endpoint_auth_method %s needs both", method)
		}
		if c.Certificate == "" && (c.TLS == nil || c.TLS.ClientCertificateFile == "" && c.TLS.ClientCertificateAutomate == "") {
			return fmt.Errorf("certificate is missing: token_endpoint_auth_method %s presents it: add 'certificate {file./path/to/cert.pem}' and 'private_key {file./path/to/key.pem}'", method)
		}
	}
	switch c.UpstreamCertificate {
	case "", "on", "off":
	default:
		return fmt.Errorf("upstream_certificate %q is unknown%s: use on or off", c.UpstreamCertificate, nearest.Hint(c.UpstreamCertificate, "on", "off"))
	}
	switch {
	case c.UpstreamCertificate != "" && !c.HasCertificate():
		return fmt.Errorf("upstream_certificate is of no use with token_endpoint_auth_method %s: there is no certificate", method)
	case c.CertificateBound && !c.HasCertificate():
		return errors.New("certificate_bound needs a certificate to bind to: add 'tls { client_auth <cert.pem> <key.pem> }', or token_endpoint_auth_method tls_client_auth with certificate and private_key")
	case len(c.TokenFile) > 0 && c.HasCertificate() && !c.CertificateBound && c.UpstreamCertificate != "off":
		return errors.New("token_file: the tokens of a client with a certificate may be bound to it, and of no use to whoever reads the file: add 'certificate_bound' if they are and the readers have that certificate, or 'upstream_certificate off' if they are not")
	case c.CertificateBound && strings.HasPrefix(c.TokenEndpoint, "http://"):
		return errors.New("certificate_bound needs https, and token_endpoint is plain http, where no certificate is presented")
	case c.GrantIsBound() && c.TLS.ClientCertificateFile == "":
		return errors.New("certificate_bound of a public client needs 'tls { client_auth <cert.pem> <key.pem> }': the grant is bound to that certificate")
	}
	return nil
}
