package proxy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lamplighter/module/moduletest"
)

// binding is an authorization server that binds its tokens to the certificates that
// they are asked for with, and an API that wants to see that certificate again.
type binding struct {
	tokens, api *httptest.Server
	lifetime    atomic.Int64

	mu      sync.Mutex
	asked   map[string]int // token requests by certificate
	refused int            // requests to the API on a connection of another certificate
	serial  int
	dead    int          // the last serial that is refused
	open    atomic.Int64 // connections to the API
}

func newBinding(t *testing.T, kind string) *binding {
	b := &binding{asked: make(map[string]int)}
	b.lifetime.Store(3600)
	b.tokens = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		thumb := thumbprint(r)
		b.mu.Lock()
		b.asked[thumb]++
		b.serial++
		serial := b.serial
		b.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": fmt.Sprintf("%s-%d", thumb, serial), "token_type": "Bearer", "expires_in": b.lifetime.Load(),
		})
	}))
	b.api = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // Caddy races with itself over a body that is not read
		var serial int
		_, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer "+thumbprint(r)+"-%d", &serial)
		b.mu.Lock()
		if err != nil {
			b.refused++
		}
		dead := b.dead
		b.mu.Unlock()
		if serial <= dead {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Header.Get("Upgrade") != "" {
			echo(t, w, r)
			return
		}
		fmt.Fprint(w, r.Proto, " ", thumbprint(r))
	}))
	b.api.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			b.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			b.open.Add(-1)
		default: // as open as before
		}
	}
	b.api.EnableHTTP2 = kind == "https with http/2"
	for _, s := range []*httptest.Server{b.tokens, b.api} {
		s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
		s.StartTLS()
		t.Cleanup(s.Close)
	}
	return b
}

// echo answers an upgrade, and then sends everything back.
func echo(t *testing.T, w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
	_ = rw.Flush()
	for {
		c, err := rw.ReadByte()
		if err != nil || rw.WriteByte(c) != nil || rw.Flush() != nil {
			return
		}
	}
}

func thumbprint(r *http.Request) string {
	if len(r.TLS.PeerCertificates) == 0 {
		return "none"
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:8])
}

func (b *binding) count(thumb string) (asked, refused int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked[thumb], b.refused
}

// newPair makes a certificate and its key.
func newPair(t *testing.T) (cert, key, thumb string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), hex.EncodeToString(sum[:8])
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// config serves the API to a client whose certificate is in cert.pem and key.pem.
func (b *binding) config(s *moduletest.Sidecar, credentials, settings, subdirectives string) string {
	for name, server := range map[string]*httptest.Server{"tokens-ca.pem": b.tokens, "api-ca.pem": b.api} {
		put(s.T, s.Dir, name, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	}
	_, port, _ := strings.Cut(s.Address, ":")
	text := fmt.Sprintf(`{
	admin off
	persist_config off
	log {
		output file {dir}/log
	}
}
http://:%s {
	bind 127.0.0.1
	upstream_oauth %s {
		client erp {
			token_endpoint %s/token
			token_endpoint_auth_method tls_client_auth
			client_id erp
			%s
			%s
		}
		transport http {
			tls_trust_pool file {dir}/api-ca.pem
		}
		%s
	}
}
`, port, b.api.URL, b.tokens.URL, credentials, settings, subdirectives)
	return strings.ReplaceAll(text, "{dir}", s.Dir)
}

// The two ways to name a certificate.
var bindingCredentials = map[string]string{
	"certificate and private_key": "certificate {file.{dir}/cert.pem}\nprivate_key {file.{dir}/key.pem}\ntls {\ntrust_pool file {dir}/tokens-ca.pem\n}",
	"client_auth":                 "tls {\ntrust_pool file {dir}/tokens-ca.pem\nclient_auth {dir}/cert.pem {dir}/key.pem\n}",
}

// Faults D5 and D6.
func TestATokenTravelsOnAConnectionOfItsOwnCertificate(t *testing.T) {
	for way, credentials := range bindingCredentials {
		for _, kind := range []string{"https with http/1.1", "https with http/2"} {
			t.Run(way+", "+kind, func(t *testing.T) {
				b := newBinding(t, kind)
				s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
				cert, key, first := newPair(t)
				put(t, s.Dir, "cert.pem", cert)
				put(t, s.Dir, "key.pem", key)
				config := b.config(s, credentials, "min_refresh_interval 10ms", "")
				s.Load(config)
				works := func(thumb string) {
					t.Helper()
					for range 5 {
						if res, body := s.Do("POST", "/", "x"); res.StatusCode != 200 || !strings.HasSuffix(body, " "+thumb) {
							t.Fatalf("got %s %q, want %s", res.Status, body, thumb)
						}
					}
				}
				works(first)
				s.Upgrade()

				// Replaced in two steps, and not at once for a token that lives.
				cert, key, second := newPair(t)
				put(t, s.Dir, "cert.pem", cert)
				works(first)
				b.kill()
				if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 || !strings.HasSuffix(body, " "+first) {
					t.Errorf("got %s %q, want a new token of the last whole pair", res.Status, body)
				}
				put(t, s.Dir, "key.pem", key)
				works(first)
				s.Load(strings.Replace(config, "10ms", "11ms", 1))
				for range 5 { // at a reload Caddy resets connections that nobody has accepted yet
					s.Do("GET", "/", "")
				}
				works(first)
				socket := s.Upgrade() // Caddy closes the other one at a reload
				b.kill()
				moduletest.Eventually(t, "a token of the new certificate", func() bool { // a second forced refresh is not made at once
					res, body := s.Do("GET", "/", "")
					return res.StatusCode == 200 && strings.HasSuffix(body, " "+second)
				})
				works(second)
				if _, refused := b.count(second); refused != 0 {
					t.Errorf("%d requests travelled with the wrong certificate", refused)
				}
				socket("still there")
				moduletest.Eventually(t, "the connections of the old certificate are closed", func() bool { return b.open.Load() == 1 })
			})
		}
	}
}

// Fault D5.
func TestCallersTokensTravelOnConnectionsOfTheirOwnCertificates(t *testing.T) {
	b := newBinding(t, "https with http/2")
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	cert, key, first := newPair(t)
	put(t, s.Dir, "cert.pem", cert)
	put(t, s.Dir, "key.pem", key)
	s.Load(b.config(s, bindingCredentials["client_auth"], "grant_type token_exchange\nsubject_token {http.request.header.X-User}", ""))
	works := func(user, thumb string) {
		t.Helper()
		if res, body := s.Do("GET", "/", "", "X-User", user); res.StatusCode != 200 || !strings.HasSuffix(body, " "+thumb) {
			t.Errorf("%s: got %s %q, want %s", user, res.Status, body, thumb)
		}
	}
	works("erika", first)
	cert, key, second := newPair(t)
	put(t, s.Dir, "cert.pem", cert)
	put(t, s.Dir, "key.pem", key)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 5 {
				works("erika", first)
				works("max", second)
			}
		})
	}
	callers.Wait()
	if _, refused := b.count(second); refused != 0 {
		t.Errorf("%d requests travelled with the wrong certificate", refused)
	}
}

// Fault D6: of the transport's own certificate, too.
func TestACertificateOfTheTransportIsReadAgain(t *testing.T) {
	b := newBinding(t, "https with http/1.1")
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	cert, key, first := newPair(t)
	put(t, s.Dir, "cert.pem", cert)
	put(t, s.Dir, "key.pem", key)
	config := b.config(s, bindingCredentials["client_auth"], "upstream_certificate off\nmin_refresh_interval 10ms", "")
	config = strings.Replace(config, "tls_trust_pool file", "tls_client_auth "+s.Dir+"/cert.pem "+s.Dir+"/key.pem\ntls_trust_pool file", 1)
	s.Load(config)
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 || !strings.HasSuffix(body, " "+first) {
		t.Fatalf("got %s %q", res.Status, body)
	}
	cert, key, second := newPair(t)
	put(t, s.Dir, "cert.pem", cert)
	put(t, s.Dir, "key.pem", key)
	time.Sleep(20 * time.Millisecond)
	b.kill()
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 || !strings.HasSuffix(body, " "+second) {
		t.Errorf("got %s %q, want the new certificate", res.Status, body)
	}
	if _, refused := b.count(second); refused != 0 {
		t.Errorf("%d requests travelled with the wrong certificate", refused)
	}
}

// kill lets the API refuse all tokens that there are.
func (b *binding) kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dead = b.serial
}
