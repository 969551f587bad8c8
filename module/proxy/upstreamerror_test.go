package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func TestEachTroubleWithAnUpstreamIsCalledWhatItIs(t *testing.T) {
	dial := func(err error) error {
		return reverseproxy.NewDialError(&net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, Err: err})
	}
	look := func(err net.DNSError) error {
		err.Name = "api.example.com"
		return dial(&err)
	}
	expired := func(from, until time.Duration) error {
		now := time.Now()
		return x509.CertificateInvalidError{Cert: &x509.Certificate{NotBefore: now.Add(from), NotAfter: now.Add(until)}, Reason: x509.Expired}
	}
	proved := func(err error) error { return &tls.CertificateVerificationError{Err: err} }
	for name, test := range map[string]struct {
		err              error
		detail, remedy   string
		proxyError, nots string // nots is what the words must not say
	}{
		"refused":           {dial(syscall.ECONNREFUSED), "refused the connection", "start the upstream", "connection_refused", "name servers"},
		"no route":          {dial(syscall.EHOSTUNREACH), "no way leads", "VPN", "destination_ip_unroutable", "name servers"},
		"no network":        {dial(syscall.ENETUNREACH), "no way leads", "IPv6", "destination_ip_unroutable", "name servers"},
		"forbidden":         {dial(syscall.EPERM), "lets the sidecar not", "IPAddressDeny", "destination_ip_prohibited", "name servers"},
		"nobody answers":    {dial(context.DeadlineExceeded), "no connection in time", "dial_timeout", "connection_timeout", "name servers"},
		"the system's own":  {dial(syscall.ETIMEDOUT), "no connection in time", "dial_timeout", "connection_timeout", "name servers"},
		"NXDOMAIN":          {look(net.DNSError{Err: "no such host", IsNotFound: true}), "nor its name servers know", "/etc/hosts", "dns_error", "refused"},
		"no name server":    {look(net.DNSError{Err: "i/o timeout", Server: "10.0.0.2:53", IsTimeout: true}), "give no answer", "resolv.conf", "dns_error", "refused"},
		"refused by DNS":    {look(net.DNSError{Err: "read udp 127.0.0.1:1->127.0.0.1:53: read: connection refused", Server: "127.0.0.1:53"}), "give no answer", "resolv.conf", "dns_error", "refused"},
		"SERVFAIL":          {look(net.DNSError{Err: "server misbehaving", Server: "10.0.0.2:53"}), "give no answer", "resolv.conf", "dns_error", "refused"},
		"no proxy":          {&net.OpError{Op: "proxyconnect", Net: "tcp", Err: dial(syscall.ECONNREFUSED)}, "behind a forward proxy", "network_proxy", "destination_unavailable", "start the upstream"},
		"what nobody knew":  {dial(errors.New("strange")), "cannot be reached", "correct its address", "destination_unavailable", "refused"},
		"a private CA":      {proved(x509.UnknownAuthorityError{}), "authority that is not known", "tls_trust_pool file", "tls_certificate_error", "expired"},
		"an old one":        {proved(expired(-2*time.Hour, -time.Hour)), "has expired", "renew", "tls_certificate_error", "tls_trust_pool"},
		"one of tomorrow":   {proved(expired(time.Hour, 2*time.Hour)), "not valid yet", "clock", "tls_certificate_error", "tls_trust_pool"},
		"another's":         {proved(x509.HostnameError{Certificate: new(x509.Certificate), Host: "api.example.com"}), "for other names", "tls_server_name", "tls_certificate_error", "tls_trust_pool"},
		"an odd one":        {proved(x509.CertificateInvalidError{Cert: new(x509.Certificate), Reason: x509.NotAuthorizedToSign}), "cannot be trusted", "replace", "tls_certificate_error", "tls_trust_pool"},
		"no TLS":            {tls.RecordHeaderError{}, "does not speak TLS", "http://", "tls_protocol_error", "tls_trust_pool"},
		"no common version": {&net.OpError{Op: "remote error", Err: tls.AlertError(70)}, "no way to speak TLS", "TLS 1.2", "tls_", "tls_trust_pool"},
		"reset":             {&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, "gave no answer", "the log", "http_response_incomplete", "refused"},
	} {
		why, proxyError := upstreamFailure(caddyhttp.HandlerError{StatusCode: http.StatusBadGateway, Err: test.err})
		said := did(why) + "; " + why.Remedy
		if !strings.Contains(did(why), test.detail) || !strings.Contains(why.Remedy, test.remedy) || !strings.HasPrefix(proxyError, test.proxyError) {
			t.Errorf("%s: %s, %s, %s", name, why.Name, proxyError, said)
		}
		if strings.Contains(said, test.nots) || strings.HasPrefix(did(why), "the upstream") {
			t.Errorf("%s: %s", name, said)
		}
	}
}
