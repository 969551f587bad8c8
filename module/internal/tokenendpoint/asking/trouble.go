package asking

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"lamplighter/module/internal/tokenendpoint/reading"
)

// reasonOf tells an error without what net/http puts around it.
func reasonOf(err error) string {
	if isTimeout(err) {
		return "the timeout is over"
	}
	var op *net.OpError
	for errors.As(err, &op) && op.Op == "proxyconnect" {
		err = op.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the connection was closed"
	}
	if strings.HasPrefix(err.Error(), "malformed HTTP") {
		return "what came is no HTTP"
	}
	return err.Error()
}

// name finds the row of the table for an error, and which case of it.
func (w *way) name(err error) (name string, which []string) {
	op, _ := errors.AsType[*net.OpError](err)
	status, answered := errors.AsType[proxyStatus](err)
	atProxy := w.proxy != nil && (op != nil && op.Op == "proxyconnect" || !w.dialled.Load())
	inTunnel := w.proxy != nil && !atProxy && !w.tunnelled.Load() && !w.plain && !strings.HasPrefix(w.proxy.Scheme, "socks")
	switch {
	case errors.Is(err, errProxy):
		return "proxy_invalid", nil
	case atProxy:
		return proxyTrouble(connectionTrouble(err, w)), nil
	case answered && status == http.StatusProxyAuthRequired:
		return "proxy_auth_required", nil
	case answered && status < http.StatusInternalServerError && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout:
		return "proxy_refused", nil
	case answered:
		return "proxy_failed", nil
	case op != nil && strings.HasPrefix(op.Op, "socks"):
		return socksTrouble(op.Err.Error())
	case inTunnel && strings.HasPrefix(err.Error(), "malformed HTTP"):
		return "proxy_invalid", []string{"answer"}
	case inTunnel:
		return "proxy_failed", nil
	}
	name = connectionTrouble(err, w)
	if name == "unknown_authority" && w.proxy != nil {
		return name, []string{"proxy"}
	}
	return name, nil
}

// proxyTrouble is what a trouble of a connection is called if it is the one to the
// proxy.
func proxyTrouble(name string) string {
	switch {
	case name == "host_not_found":
		return "proxy_not_found"
	case strings.Contains(name, "certificate"), strings.Contains(name, "tls"), name == "unknown_authority", name == "http2_only":
		return "proxy_tls_failed"
	}
	return "proxy_unreachable"
}

// socksTrouble reads the words of net/http's SOCKS5 client, which has no types for
// them (RFC 1928 section 6).
func socksTrouble(words string) (name string, which []string) {
	switch {
	case strings.Contains(words, "authentication"):
		return "proxy_auth_required", nil
	case strings.Contains(words, "not allowed by ruleset"), strings.Contains(words, "command not supported"):
		return "proxy_refused", nil
	case strings.Contains(words, "unexpected protocol version"):
		return "proxy_invalid", []string{"answer"}
	}
	return "proxy_failed", nil
}

// connectionTrouble names why a connection, and TLS over it, did not come about.
func connectionTrouble(err error, w *way) string {
	if name := CertificateTrouble(err); name != "" {
		return name
	}
	if name := tlsTrouble(err, w); name != "" {
		return name
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return "host_not_found"
		}
		return "dns_failed"
	}
	for _, known := range []struct {
		name   string
		errors []error
	}{
		{"connection_refused", []error{syscall.ECONNREFUSED}},
		{"network_unreachable", []error{syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN, syscall.EADDRNOTAVAIL}},
		{"connection_forbidden", []error{syscall.EACCES, syscall.EPERM}},
		{"connection_closed", []error{syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF}},
	} {
		for _, of := range known.errors {
			if errors.Is(err, of) {
				return known.name
			}
		}
	}
	switch {
	case isTimeout(err) && w.resolving.Load():
		return "dns_failed"
	case isTimeout(err):
		return "connect_timeout"
	}
	return "unreachable"
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout()
}

// CertificateTrouble is the cause that is wrong with a server's certificate, "" if that is
// not it.
func CertificateTrouble(err error) string {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch {
		case invalid.Reason != x509.Expired:
			return "certificate_invalid"
		case invalid.Cert != nil && time.Now().Before(invalid.Cert.NotBefore):
			return "certificate_not_yet_valid"
		}
		return "certificate_expired"
	}
	switch {
	case is[x509.UnknownAuthorityError](err), is[x509.SystemRootsError](err):
		return "unknown_authority"
	case is[x509.HostnameError](err):
		return "certificate_name_mismatch"
	case is[*tls.CertificateVerificationError](err), is[x509.ConstraintViolationError](err), is[x509.InsecureAlgorithmError](err):
		return "certificate_invalid"
	}
	return ""
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// aboutCertificates are the alerts with which servers refuse the client's
// certificate, or demand one (RFC 8446 section 6.2).
var aboutCertificates = []tls.AlertError{42, 43, 44, 45, 46, 48, 49, 116}

// handshakeFailure is also what some servers say of a certificate that is missing.
const handshakeFailure = tls.AlertError(40)

// noApplicationProtocol is what a server says that does not speak HTTP/1.1 (RFC 7301
// section 3.2).
const noApplicationProtocol = tls.AlertError(120)

// tlsTrouble names why TLS did not come about, "" if that is not it.
func tlsTrouble(err error, w *way) string {
	if is[tls.RecordHeaderError](err) {
		return "not_tls"
	}
	if name := w.alert(err); name != "" {
		return name
	}
	if strings.HasPrefix(err.Error(), "tls: ") {
		return "tls_refused"
	}
	return ""
}

// alert names what a server says in an alert of TLS, "" if it is none. The type of
// alerts is not exported, so their words are compared.
func (w *way) alert(err error) string {
	op, ok := errors.AsType[*net.OpError](err)
	for ok && op.Op != "remote error" {
		op, ok = errors.AsType[*net.OpError](op.Err)
	}
	if !ok {
		return ""
	}
	for _, alert := range append(aboutCertificates, handshakeFailure) {
		switch {
		case op.Err.Error() == noApplicationProtocol.Error():
			return "http2_only"
		case op.Err.Error() != alert.Error():
		case alert == handshakeFailure && !w.asked.Load():
		case w.certificate:
			return "client_certificate_refused"
		case w.asked.Load():
			return "client_certificate_required"
		}
	}
	return "tls_refused"
}

// Reason tells why there is no answer, or only a part of one. Errors of parsing
// quote what they could not read, which may be a token: they are not printed.
func Reason(err error) string {
	var op *net.OpError
	var own reading.Unreadable
	var timeout net.Error
	switch {
	case errors.As(err, &own):
		return own.Error()
	case hasLongHeaders(err):
		return "its headers are longer than 2 MiB"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the timeout is over"
	case errors.Is(err, context.Canceled):
		return "it was called off"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.HasSuffix(err.Error(), "EOF"):
		return "the connection was closed"
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return "what came is no HTTP"
}
