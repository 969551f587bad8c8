package authservers

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"lamplighter/test/internal/rig"
)

// fapi is npm's oidc-provider as FAPI 2.0 wants it, and an API that checks its tokens by
// npm's jose.
type fapi struct {
	*server
	t     *testing.T
	trust *x509.CertPool
	ca    string // PEM
}

// fapiStats is what happened there.
type fapiStats struct {
	Granted, Pushed, Refused, Certificates int
	Errors                                 []string

	// How many proofs came, came again, and had no nonce that is taken; how many keys they are
	// of; how many requests got no answer.
	Proofs, Repeated, Nonces, Keys, Broken int

	// PushedProven are those of Pushed that had a proof.
	PushedProven int

	// Protocols are how many requests came by which version of HTTP.
	Protocols map[string]int
}

const fapiResource = "https://orders.example.com"

func startFAPI(t *testing.T, key *ecdsa.PrivateKey) *fapi {
	t.Helper()
	client := signingClient(key)
	client["scope"], client["tls_client_certificate_bound_access_tokens"] = "orders", true
	return startProvider(t, "fapi.mjs", client, fapiResource)
}

// startProvider starts one of the programs that run oidc-provider, with one client.
func startProvider(t *testing.T, program string, client map[string]any, resource string) *fapi {
	t.Helper()
	cert, private := certificateFor(t, "login")
	s := &fapi{t: t, trust: x509.NewCertPool(), ca: cert}
	s.trust.AppendCertsFromPEM([]byte(cert))
	s.server = run(t, map[string]any{
		"resource": resource, "tls": map[string]string{"cert": cert, "key": private}, "client": client,
	}, npmInstall(t, "../../testdata/oidc-provider"), "node", program)
	return s
}

// signingClient is the metadata of a client that signs, and pushes its requests.
func signingClient(key *ecdsa.PrivateKey) map[string]any {
	return map[string]any{
		"client_id": clientID, "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
		"jwks":             jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Use: "sig"}}},
		"application_type": "native", "redirect_uris": []string{"http://127.0.0.1/callback"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"require_pushed_authorization_requests": true,
	}
}

func newECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemKey(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// certificateFor makes a certificate of its own authority, for loopback.
func certificateFor(t *testing.T, name string) (cert, private string) {
	t.Helper()
	key := newECKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), pemKey(t, key)
}

func (s *fapi) client() *http.Client {
	c := browser()
	c.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.trust, MinVersion: tls.VersionTLS12}}
	return c
}

func (s *fapi) stats() (stats fapiStats) {
	s.t.Helper()
	res, err := s.client().Get(s.API + "/_test/stats")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&stats); err != nil {
		s.t.Fatal(err)
	}
	return stats
}

// sidecar writes what a sidecar of this server needs, without starting it.
func (s *fapi) sidecar(key *ecdsa.PrivateKey, settings string) (home, address string) {
	s.t.Helper()
	home, address = rig.Home(s.t), rig.FreeAddress(s.t)
	_, port, _ := net.SplitHostPort(address)
	rig.Write(s.t, home, "ca.pem", s.ca)
	rig.Write(s.t, home, "key.pem", pemKey(s.t, key))
	replaceCertificate(s.t, home)
	rig.Write(s.t, home, "Caddyfile", fmt.Sprintf(`{
	grace_period 5s
}

http://:%s {
	bind 127.0.0.1
	upstream_oauth %s {
		client erp {
			issuer %s
			client_id %s
			token_endpoint_auth_method private_key_jwt
			private_key {file.key.pem}
			key_id 1
			grant_type refresh_token
			rotation required
			scope orders
			resource %s
			tls {
				trust_pool file ca.pem
				client_auth cert.pem cert-key.pem
			}
			certificate_bound
			%s
		}
		transport http {
			tls_trust_pool file ca.pem
		}
	}
}
`, port, s.API, s.Issuer, clientID, fapiResource, settings))
	return home, address
}

// replaceCertificate gives the client another certificate, one file after the other.
func replaceCertificate(t *testing.T, home string) {
	t.Helper()
	cert, key := certificateFor(t, "erp")
	for name, text := range map[string]string{"cert.pem": cert, "cert-key.pem": key} {
		if err := os.Rename(rig.Write(t, home, name+".new", text), filepath.Join(home, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// logIn lets a human log in, whose browser gets no more than a reference.
func (s *fapi) logIn(home string) {
	s.t.Helper()
	command := rig.Start(s.t, home, "tokens", "login", "erp", "--no-browser")
	address := command.Printed(`(?m)^  (https://\S+)$`)
	u, err := url.Parse(address)
	if err != nil {
		s.t.Fatal(err)
	}
	names := []string{}
	for name := range u.Query() {
		names = append(names, name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"client_id", "request_uri"}) {
		s.t.Errorf("through the browser goes %q", names)
	}
	res, err := s.client().Get(address)
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	command.WantExit(0, "erp: new token obtained: generation 1")
}

// load calls the API until over is closed, and counts.
func load(t *testing.T, address string, over <-chan struct{}) (calls, failed *atomic.Int64, first *atomic.Pointer[string], wait func()) {
	calls, failed, first = new(atomic.Int64), new(atomic.Int64), new(atomic.Pointer[string])
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				calls.Add(1)
				if got := rig.Get(t, address, "/orders"); got.Status != http.StatusOK {
					text := got.String()
					first.CompareAndSwap(nil, &text)
					failed.Add(1)
				}
			}
		})
	}
	return calls, failed, first, callers.Wait
}

// TestFAPI lets the binary live with a server that wants pushed requests, a signature of the
// client, resource indicators and certificates: a log-in, rotations and certificates that
// are replaced under load, and restarts.
func TestFAPI(t *testing.T) {
	for _, audience := range []string{"", "assertion_audience issuer", "assertion_audience token_endpoint"} {
		t.Run(cmp.Or(audience, "assertion_audience by default"), func(t *testing.T) {
			t.Parallel()
			key := newECKey(t)
			s := startFAPI(t, key)
			home, address := s.sidecar(key, audience)
			c := &sidecar{rig.RunSidecar(t, home, address), home}
			c.wantState(t, "awaiting_grant", "no_refresh_token")
			s.logIn(home)
			for range 2 { // lives of the process
				before := s.stats()
				over := make(chan struct{})
				calls, failed, first, wait := load(t, address, over)
				for i := range 3 {
					replaceCertificate(t, home)
					rig.Eventually(t, "a token of the new certificate is used", func() bool { return s.stats().Certificates >= before.Certificates+i+1 })
				}
				rig.Eventually(t, "four rotations", func() bool { return s.stats().Granted >= before.Granted+4 })
				close(over)
				wait()
				t.Logf("%d calls over %d rotations and three certificates", calls.Load(), s.stats().Granted-before.Granted)
				if failed.Load() > 0 {
					t.Errorf("%d of %d calls failed, the first with %s", failed.Load(), calls.Load(), *first.Load())
				}
				c.wantState(t, "ok", "")
				if err := c.End(rig.Terminate); err != nil {
					t.Errorf("it ended with %v", err)
				}
				c = &sidecar{rig.RunSidecar(t, home, address), home}
			}
			c.wantState(t, "ok", "")
			if stats := s.stats(); stats.Pushed != 1 || stats.Refused != 0 || len(stats.Errors) != 0 {
				t.Errorf("%+v", stats)
			}
		})
	}
}
