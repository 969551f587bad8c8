package tokenendpoint

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// mutualTLS reports whether the client authenticates by a certificate.
func (d *Dialect) mutualTLS() bool {
	return d.AuthMethod == "tls_client_auth" || d.AuthMethod == "self_signed_tls_client_auth"
}

// CaseCertificate is the case of token_not_bound that is about the client's certificate.
const CaseCertificate = "certificate"

// Confirmation is the thumbprint of the certificate that an access token is bound to, as it
// says itself (RFC 8705 section 3.1), "" if it does not. Only a JWT can say anything.
func Confirmation(accessToken string) (x5t string, isJWT bool) {
	parts := strings.Split(accessToken, ".")
	if len(parts) != 3 {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	var claims struct {
		Confirmation struct {
			Thumbprint string `json:"x5t#S256"`
		} `json:"cnf"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return "", false
	}
	return strings.TrimRight(claims.Confirmation.Thumbprint, "="), true
}

// Thumbprint is that of a certificate, as tokens have it (RFC 8705 section 3.1).
func Thumbprint(certificate *tls.Certificate) string {
	sum := sha256.Sum256(certificate.Certificate[0])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// checkCertificate withholds an access token that is bound to another certificate than was
// presented, or not bound although it was to be. What else the answer holds is kept.
func (c *Client) checkCertificate(a *Answer) {
	if a.Outcome != Granted || a.Unusable != "" {
		return
	}
	x5t, isJWT := Confirmation(a.AccessToken)
	trouble := ""
	switch {
	case a.Certificate != nil && x5t != "" && x5t != Thumbprint(a.Certificate):
		trouble = "it is bound to another certificate than the one that was presented"
	case c.dialect.CertificateBound && a.Certificate == nil:
		trouble = "the server asked for no certificate, so that the token is bound to none"
	case c.dialect.CertificateBound && isJWT && x5t == "":
		trouble = "it names no certificate that it is bound to"
	case a.Certificate == nil && x5t != "":
		a.remark("the access token is bound to a certificate, and none was presented, so that an API may refuse it", "give the client that certificate with 'tls { client_auth … }'")
	}
	if trouble != "" {
		a.Unusable, a.Cause, a.Case = trouble, CauseNotBound, CaseCertificate
	}
}
