package proxy_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lamplighter/module/moduletest"
)

// confirming is an authorization server whose JWTs name the certificate that they were
// asked for with, and an API that wants to see it again, and no other one.
type confirming struct {
	tokens, api *httptest.Server
	foreign     atomic.Bool // they name another one
	unbound     atomic.Bool // they name none
	lifetime    atomic.Int64
	issued      atomic.Int64
	refused     atomic.Int64
	presented   sync.Map // refresh tokens
}

func x5t(r *http.Request) string {
	if len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func newConfirming(t *testing.T) *confirming {
	c := new(confirming)
	c.lifetime.Store(3600)
	c.tokens = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.presented.Store(r.PostFormValue("refresh_token"), true)
		claims := map[string]any{"n": c.issued.Add(1)}
		switch named := x5t(r); {
		case c.foreign.Load():
			claims["cnf"] = map[string]string{"x5t#S256": strings.Repeat("A", 43)}
		case named != "" && !c.unbound.Load():
			claims["cnf"] = map[string]string{"x5t#S256": named}
		}
		payload, _ := json.Marshal(claims)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString(payload) + ".sig", "token_type": "Bearer",
			"expires_in": c.lifetime.Load(), "refresh_token": fmt.Sprintf("refresh-token-%d", c.issued.Load()),
		})
	}))
	c.api = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		var claims struct {
			Confirmation map[string]string `json:"cnf"`
		}
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(token+"..", ".")[1])
		if err := json.Unmarshal(payload, &claims); err != nil || claims.Confirmation["x5t#S256"] != x5t(r) {
			c.refused.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "%q", x5t(r))
	}))
	for _, s := range []*httptest.Server{c.tokens, c.api} {
		s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
		s.StartTLS()
		t.Cleanup(s.Close)
	}
	return c
}

// config is that of a client that authenticates by a secret, and has a certificate beside it.
func (c *confirming) config(t *testing.T, s *moduletest.Sidecar, settings string) string {
	t.Helper()
	for name, server := range map[string]*httptest.Server{"tokens-ca.pem": c.tokens, "api-ca.pem": c.api} {
		put(t, s.Dir, name, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	}
	_, port, _ := strings.Cut(s.Address, ":")
	return strings.NewReplacer("{dir}", s.Dir, "{port}", port, "{api}", c.api.URL, "{tokens}", c.tokens.URL, "{settings}", settings).Replace(`{
	admin off
	persist_config off
	log {
		output file {dir}/log
	}
	oauth2_client erp {
		token_endpoint {tokens}/token
		tls {
			trust_pool file {dir}/tokens-ca.pem
			client_auth {dir}/cert.pem {dir}/key.pem
		}
		allow {api}
		store file {
			path {dir}/records
		}
		{settings}
	}
}
http://:{port} {
	bind 127.0.0.1
	handle /handed {
		route {
			inject_token erp
			respond "it has {http.request.header.Authorization}"
		}
	}
	handle {
		upstream_oauth {api} {
			client erp
			transport http {
				tls_trust_pool file {dir}/api-ca.pem
			}
		}
	}
}
`)
}

const confidential = "client_id erp\nclient_secret 0123456789\n"

func newPairIn(t *testing.T, dir string) (thumb string) {
	t.Helper()
	cert, key, _ := newPair(t)
	put(t, dir, "cert.pem", cert)
	put(t, dir, "key.pem", key)
	block, _ := pem.Decode([]byte(cert))
	sum := sha256.Sum256(block.Bytes)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestATokenThatSaysThatItIsBoundTravelsWithItsCertificateAndNoOtherDoes(t *testing.T) {
	c, s := newConfirming(t), moduletest.NewSidecar(t, moduletest.NewRotating(t))
	thumb := newPairIn(t, s.Dir)
	config := c.config(t, s, confidential+"min_refresh_interval 10ms")
	s.Load(config)
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 || body != `"`+thumb+`"` {
		t.Errorf("a bound token: %s %s", res.Status, body)
	}
	if res, body := s.Do("GET", "/handed", ""); res.StatusCode != 503 || strings.Contains(body, "Bearer") {
		t.Errorf("one that is handed to others: %s %s", res.Status, body)
	}
	// The record knows no certificate, and the token names it.
	s.Load(strings.Replace(config, "10ms", "11ms", 1))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 || body != `"`+thumb+`"` {
		t.Errorf("after a reload: %s %s", res.Status, body)
	}
	c.unbound.Store(true)
	s.Load(c.config(t, s, confidential+"scope other"))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 || body != `""` {
		t.Errorf("a token that is bound to nothing: %s %s", res.Status, body)
	}
	if res, body := s.Do("GET", "/handed", ""); res.StatusCode != 200 || !strings.HasPrefix(body, "it has Bearer eyJ") {
		t.Errorf("one that is handed to others: %s %s", res.Status, body)
	}
	s.Load(c.config(t, s, confidential+"scope third\ncertificate_bound"))
	res, body := s.Do("GET", "/", "")
	if res.StatusCode != 503 || !strings.Contains(body, "token_not_bound") || !strings.Contains(body, "names no certificate") {
		t.Errorf("a token that was to be bound: %s %s", res.Status, body)
	}
	if c.refused.Load() != 0 {
		t.Errorf("%d requests travelled with the wrong certificate, or without", c.refused.Load())
	}
}

func TestATokenThatIsBoundMayBeHandedToWhoeverHasTheCertificate(t *testing.T) {
	c, s := newConfirming(t), moduletest.NewSidecar(t, moduletest.NewRotating(t))
	newPairIn(t, s.Dir)
	s.Load(c.config(t, s, confidential+"certificate_bound"))
	if res, body := s.Do("GET", "/handed", ""); res.StatusCode != 200 || !strings.HasPrefix(body, "it has Bearer eyJ") {
		t.Errorf("%s %s", res.Status, body)
	}
}

func TestATokenOfAnotherCertificateIsWithheldAndItsRefreshTokenKept(t *testing.T) {
	c, s := newConfirming(t), moduletest.NewSidecar(t, moduletest.NewRotating(t))
	newPairIn(t, s.Dir)
	c.foreign.Store(true)
	s.Load(c.config(t, s, confidential+"refresh_token the-first-one"))
	res, body := s.Do("GET", "/", "")
	if res.StatusCode != 503 || !strings.Contains(body, "token_not_bound") || !strings.Contains(body, "another certificate") {
		t.Errorf("%s %s", res.Status, body)
	}
	c.foreign.Store(false)
	s.Load(c.config(t, s, confidential+"refresh_token the-first-one\nscope other"))
	moduletest.Eventually(t, "a token with the refresh token of the answer", func() bool {
		res, _ := s.Do("GET", "/", "")
		return res.StatusCode == 200
	})
	if _, presented := c.presented.Load("refresh-token-1"); !presented {
		t.Error("the refresh token that came with it was thrown away")
	}
}

func TestARestoredTokenWhoseCertificateIsGoneIsReplacedBeforeItIsSent(t *testing.T) {
	c, s := newConfirming(t), moduletest.NewSidecar(t, moduletest.NewRotating(t))
	newPairIn(t, s.Dir)
	config := c.config(t, s, confidential)
	s.Load(config)
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Fatalf("%s %s", res.Status, body)
	}
	head, _, _ := strings.Cut(config, "oauth2_client erp")
	s.Load(head + "}\n")
	thumb := newPairIn(t, s.Dir)
	s.Load(config)
	if res, body := s.Do("POST", "/", "an order"); res.StatusCode != 200 || body != `"`+thumb+`"` {
		t.Errorf("%s %s", res.Status, body)
	}
	if c.refused.Load() != 0 || c.issued.Load() != 2 {
		t.Errorf("%d requests were refused, %d tokens issued", c.refused.Load(), c.issued.Load())
	}
}

// Each route makes connections of its own, so that the one that is asked for the first time
// learns of the certificate after it was replaced.
func TestARestoredTokenStaysWithTheCertificateThatTheClientHadAsItWasUsedFirst(t *testing.T) {
	for _, credentials := range []string{confidential, confidential + "certificate_bound", "client_id erp\ntoken_endpoint_auth_method tls_client_auth"} {
		t.Run(credentials, func(t *testing.T) {
			c, s := newConfirming(t), moduletest.NewSidecar(t, moduletest.NewRotating(t))
			thumb := newPairIn(t, s.Dir)
			head, route, _ := strings.Cut(c.config(t, s, credentials), "\thandle {\n")
			config := head + "\thandle /other {\n" + route[:len(route)-len("}\n")] + "\thandle {\n" + route
			s.Load(config)
			if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
				t.Fatalf("%s %s", res.Status, body)
			}
			options, _, _ := strings.Cut(config, "oauth2_client erp")
			s.Load(options + "}\n")
			s.Load(config)
			for _, path := range []string{"/", "/other"} {
				if res, body := s.Do("POST", path, "an order"); res.StatusCode != 200 || body != `"`+thumb+`"` {
					t.Errorf("%s: %s %s", path, res.Status, body)
				}
				newPairIn(t, s.Dir)
				c.api.CloseClientConnections()
			}
			if res, body := s.Do("POST", "/", "an order"); res.StatusCode != 200 || body != `"`+thumb+`"` {
				t.Errorf("on a new connection: %s %s", res.Status, body)
			}
			if c.refused.Load() != 0 || c.issued.Load() != 1 {
				t.Errorf("%d requests were refused, %d tokens issued", c.refused.Load(), c.issued.Load())
			}
		})
	}
}

// RFC 8705 section 4.
func TestTheGrantOfAPublicClientStaysWithItsCertificate(t *testing.T) {
	c, s := newConfirming(t), moduletest.NewSidecar(t, moduletest.NewRotating(t))
	newPairIn(t, s.Dir)
	public := "client_id erp\ntoken_endpoint_auth_method none\ncertificate_bound\nrefresh_token the-first-one\nmin_refresh_interval 10ms\n"
	config := c.config(t, s, public)
	s.Load(config)
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Fatalf("%s %s", res.Status, body)
	}
	for _, file := range []string{"cert.pem", "key.pem"} {
		put(t, s.Dir, "former-"+file, read(t, s.Dir, file))
	}
	newPairIn(t, s.Dir)
	asked := c.issued.Load()
	s.Load(strings.Replace(config, "10ms", "11ms", 1))
	moduletest.Eventually(t, "it is told of the other certificate", func() bool {
		res, body := s.Do("GET", "/", "")
		return res.StatusCode == 503 && strings.Contains(body, "configuration_changed") && strings.Contains(body, "another client certificate")
	})
	if c.issued.Load() != asked {
		t.Error("the refresh token was presented with another certificate")
	}
	for _, file := range []string{"cert.pem", "key.pem"} {
		put(t, s.Dir, file, read(t, s.Dir, "former-"+file))
	}
	s.Load(strings.Replace(config, "10ms", "12ms", 1))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("with the former one again: %s %s", res.Status, body)
	}
}

// Each token lives for two seconds, and the certificate is replaced five times.
func TestACertificateThatIsReplacedUnderLoadFailsNoRequest(t *testing.T) {
	c, s := newConfirming(t), moduletest.NewSidecar(t, moduletest.NewRotating(t))
	newPairIn(t, s.Dir)
	c.lifetime.Store(2)
	s.Load(c.config(t, s, confidential+"certificate_bound\nmin_refresh_interval 10ms\nrefresh_window_ratio 0.9"))
	over := make(chan struct{})
	var calls, failed atomic.Int64
	seen := sync.Map{}
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				res, body := s.Do("POST", "/", "x")
				calls.Add(1)
				if seen.Store(body, true); res.StatusCode != http.StatusOK {
					failed.Add(1)
				}
			}
		})
	}
	for range 5 {
		thumb := newPairIn(t, s.Dir)
		moduletest.Eventually(t, "requests with the new certificate", func() bool {
			_, there := seen.Load(`"` + thumb + `"`)
			return there
		})
	}
	close(over)
	callers.Wait()
	t.Logf("%d calls over %d tokens", calls.Load(), c.issued.Load())
	if failed.Load() > 0 || c.refused.Load() > 0 {
		t.Errorf("%d of %d calls failed, and %d travelled with the wrong certificate", failed.Load(), calls.Load(), c.refused.Load())
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
