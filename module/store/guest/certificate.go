package guest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// Untrusted reports whether an error is that of a server's certificate: its authority is
// unknown, it has another name, or its time is over.
func Untrusted(err error) bool {
	return is[*tls.CertificateVerificationError](err) || is[x509.UnknownAuthorityError](err) || is[x509.HostnameError](err) ||
		is[x509.CertificateInvalidError](err) || is[x509.SystemRootsError](err)
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
