package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/moduletest"
)

// nothingBut grants token requests, and answers others without a body.
func nothingBut(token string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			moduletest.Granted(w, token)
		}
	}
}

// towards is a configuration whose token endpoint is another one.
func towards(s *moduletest.Sidecar, endpoint, settings string) string {
	return strings.Replace(s.Config(settings, ""), "provider tencent_eiam "+s.AS.Tokens.URL, "token_endpoint "+endpoint, 1)
}

// certified is a server with a certificate of its own, in a file for who trusts it.
func certified(t *testing.T, s *moduletest.Sidecar, name string, from, until time.Time) (url string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the server"}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	moduletest.Write(t, s, "authority.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL + "/token"
}

func TestTheWayIsToldToWhereItEnds(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	now := time.Now()
	trusted := "tls {\ntrust_pool file " + s.Dir + "/authority.pem\n}"

	found := offline(t, towards(s, certified(t, s, "login.internal", now.Add(-48*time.Hour), now.Add(-24*time.Hour)), trusted), false)
	found.want("route", adminapi.VerdictOK, "connected to")
	found.want("tls", adminapi.VerdictFailed, "certificate_expired", "1. of 1 that it sent: certificate of CN=the server by CN=the server", "must renew it")
	found.want("clock", adminapi.VerdictSkipped, "see tls")

	found = offline(t, towards(s, certified(t, s, "login.internal", now.Add(-time.Hour), now.Add(400*24*time.Hour)), ""), false)
	found.want("tls", adminapi.VerdictFailed, "unknown_authority", "by CN=the server", "trust_pool file")

	found = offline(t, towards(s, certified(t, s, "login.internal", now.Add(-99*time.Hour), now.Add(time.Hour)), trusted), false)
	found.want("tls", adminapi.VerdictWarning, "TLS 1.3", "ends in 1h0m", "must renew it before")

	found = offline(t, towards(s, certified(t, s, "login.internal", now.Add(-time.Hour), now.Add(400*24*time.Hour)), trusted), false)
	found.want("tls", adminapi.VerdictOK, "TLS 1.3", "CN=the server")

	found = offline(t, towards(s, strings.Replace(s.AS.Tokens.URL, "http:", "https:", 1)+"/token", ""), false)
	found.want("tls", adminapi.VerdictFailed, "not_tls")

	found = offline(t, towards(s, "https://login.invalid/token", ""), false)
	found.want("name_resolution", adminapi.VerdictFailed, "login.invalid")
	found.want("route", adminapi.VerdictSkipped, "see name_resolution")

	found = offline(t, towards(s, "http://"+closed(t)+"/token", ""), false)
	found.want("name_resolution", adminapi.VerdictOK, "127.0.0.1")
	found.want("route", adminapi.VerdictFailed, "connection_refused")
}

// closed is an address at which nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestAForwardProxyIsNamedWhereItIsInTheWay(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	proxy := closed(t)
	found := offline(t, towards(s, "https://login.example.com/token", "proxy http://user:{env.PROXY_PASSWORD}@"+proxy), false)
	found.want("secrets", adminapi.VerdictFailed, "PROXY_PASSWORD")

	t.Setenv("PROXY_PASSWORD", "xyzzy-of-the-proxy")
	found = offline(t, towards(s, "https://login.example.com/token", "proxy http://user:{env.PROXY_PASSWORD}@"+proxy), false)
	found.want("name_resolution", adminapi.VerdictSkipped, "looked up by the forward proxy "+proxy)
	found.want("route", adminapi.VerdictFailed, "proxy_unreachable", proxy)
	found.withholds("xyzzy")

	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(refusing.Close)
	found = offline(t, towards(s, "https://login.example.com/token", "proxy "+refusing.URL), false)
	found.want("route", adminapi.VerdictFailed, "proxy_refused", "allow CONNECT to login.example.com")
}

func TestAClockThatIsOffIsNoticed(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	for off, verdict := range map[time.Duration]string{
		0: adminapi.VerdictOK, 2 * time.Minute: adminapi.VerdictWarning, time.Hour: adminapi.VerdictFailed, -time.Hour: adminapi.VerdictFailed,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-off).UTC().Format(http.TimeFormat))
		}))
		word := map[bool]string{true: "behind", false: "ahead of"}[off < 0]
		words := []string{"the clock of this machine is", word}
		if off == 0 {
			words = words[:1]
		}
		offline(t, towards(s, server.URL+"/token", ""), false).want("clock", verdict, words...)
		server.Close()
	}
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }))
	t.Cleanup(silent.Close)
	offline(t, towards(s, silent.URL+"/token", ""), false).want("clock", adminapi.VerdictSkipped, "no date")
}

func TestTheMetadataOfAnIssuerIsLookedAt(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	issuer, named := "", ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/.well-known/") {
			fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q}`, issuer, named)
		}
	}))
	t.Cleanup(server.Close)
	config := strings.Replace(s.Config("", ""), "provider tencent_eiam "+s.AS.Tokens.URL, "issuer "+server.URL, 1)

	issuer, named = "https://another.example.com", server.URL+"/token"
	offline(t, config, false).want("discovery", adminapi.VerdictFailed, "issuer_mismatch", "another.example.com")
	issuer, named = server.URL, server.URL+"/token"
	offline(t, config, false).want("discovery", adminapi.VerdictOK, named)
	named = "http://" + closed(t) + "/token"
	found := offline(t, config, false)
	found.want("discovery", adminapi.VerdictOK, named)
	found.want("route", adminapi.VerdictFailed, "connection_refused")
}

func TestAnUpstreamThatWantsAnotherHostIsNoticed(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	for _, status := range []int{http.StatusMisdirectedRequest, http.StatusBadRequest} {
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("a token was sent")
			}
			if r.Host == "localhost" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.WriteHeader(status)
		}))
		offline(t, s.Upstreams(api.URL, "", ""), false).want("upstream", adminapi.VerdictWarning, fmt.Sprintf("answers %d", status), "401 for localhost", "header_up Host localhost")
		found := offline(t, s.Upstreams(api.URL, "", "header_up Host localhost"), false)
		found.want("upstream", adminapi.VerdictOK, "answers 401 to a request without a token for the host localhost")
		api.Close()
	}
	found := offline(t, s.Upstreams("http://"+closed(t), "", ""), false)
	found.want("upstream", adminapi.VerdictFailed, "upstream_unreachable", "connection refused")
}
