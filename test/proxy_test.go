package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// TestTokenEndpointBehindAForwardProxyWithItsOwnAuthority asks a token endpoint
// that can only be reached through HTTPS_PROXY, whose certificate only an
// authority of our own vouches for, and that wants a certificate from us.
func TestTokenEndpointBehindAForwardProxyWithItsOwnAuthority(t *testing.T) {
	const name = "login.example.com"
	dir, address := rig.Home(t), rig.FreeAddress(t)
	authority := newAuthority(t)
	rig.Write(t, dir, "ca.pem", authority.pem)
	cert, key := authority.issue(t, "erp")
	rig.Write(t, dir, "client.pem", cert)
	rig.Write(t, dir, "client.key", key)
	rig.Write(t, dir, "secret", "sidecar-secret")

	presented := make(chan string, 10)
	endpoint := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		presented <- r.TLS.PeerCertificates[0].Subject.CommonName
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"A1","token_type":"Bearer","expires_in":3600}`)
	}))
	serverCert, serverKey := authority.issue(t, name)
	pair, err := tls.X509KeyPair([]byte(serverCert), []byte(serverKey))
	if err != nil {
		t.Fatal(err)
	}
	endpoint.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.pool}
	endpoint.StartTLS()
	t.Cleanup(endpoint.Close)

	connected := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connected <- r.Method + " " + r.Host
		tunnel(t, w, endpoint.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("Authorization"))
	}))
	t.Cleanup(api.Close)

	_, port, _ := strings.Cut(address, ":")
	rig.Write(t, dir, "Caddyfile", fmt.Sprintf(`{
	grace_period 5s
}

http://:%s {
	bind 127.0.0.1
	upstream_oauth %s {
		client erp {
			token_endpoint https://%s/token
			client_id erp
			client_secret {file.secret}
			tls {
				trust_pool file ca.pem
				client_auth client.pem client.key
			}
		}
	}
}
`, port, api.URL, name))
	s := rig.RunSidecar(t, dir, address, "HTTPS_PROXY="+proxy.URL)

	if got := rig.Get(t, s.Address, "/"); got.Status != 200 || got.Body != "Bearer A1" {
		t.Errorf("got %s", got)
	}
	if got := <-connected; got != "CONNECT "+name+":443" {
		t.Errorf("the forward proxy was asked to %s", got)
	}
	if got := <-presented; got != "erp" {
		t.Errorf("the token endpoint was shown the certificate of %s", got)
	}
}

// tunnel joins the connection of a CONNECT request to an address.
func tunnel(t *testing.T, w http.ResponseWriter, address string) {
	there, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer there.Close()
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer here.Close()
	fmt.Fprint(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(there, here) }()
	_, _ = io.Copy(here, there)
}

// authority is a certificate authority that nobody knows.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{cert: cert, key: key, pem: pemOf("CERTIFICATE", der), pool: x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

// issue returns a certificate and its key.
func (a *authority) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	private := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("CERTIFICATE", der), pemOf("PRIVATE KEY", encoded)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
