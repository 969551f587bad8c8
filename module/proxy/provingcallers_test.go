package proxy_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"lamplighter/module/internal/dpop"
	"lamplighter/module/moduletest"
)

// boundExchange is an authorization server that binds what it exchanges callers' tokens for to the
// key of the proof, and an API that checks that.
type boundExchange struct {
	mu     sync.Mutex
	keys   map[string]string // thumbprints, by access token
	seen   map[string]bool   // proofs
	faults []string
}

// checked reads a proof, and notes what is wrong with it.
func (s *boundExchange) checked(r *http.Request, token string) (thumbprint, nonce string) {
	jws, err := jose.ParseSigned(r.Header.Get("DPoP"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		s.faults = append(s.faults, fmt.Sprintf("%s: %v", r.URL.Path, err))
		return "", ""
	}
	key := jws.Signatures[0].Protected.JSONWebKey
	payload, err := jws.Verify(key)
	var claims struct{ Jti, Htm, Htu, Ath, Nonce string }
	hash := ""
	if token != "" {
		hash = dpop.Hash(token)
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Htm != r.Method || claims.Htu != "http://"+r.Host+r.URL.Path || claims.Ath != hash || s.seen[claims.Jti] {
		s.faults = append(s.faults, fmt.Sprintf("%s: %v, %+v", r.URL.Path, err, claims))
	}
	s.seen[claims.Jti] = true
	sum, _ := key.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), claims.Nonce
}

func (s *boundExchange) exchange(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	thumbprint, nonce := s.checked(r, "")
	if nonce != "n-1" {
		w.Header().Set("DPoP-Nonce", "n-1")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"use_dpop_nonce"}`)
		return
	}
	token := "for-" + r.PostForm.Get("subject_token")
	s.keys[token] = thumbprint
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"DPoP","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","expires_in":3600}`, token)
}

func (s *boundExchange) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	thumbprint, nonce := s.checked(r, token)
	if scheme != "DPoP" || s.keys[token] != thumbprint {
		s.faults = append(s.faults, fmt.Sprintf("%s %s is bound to %q, and sent with %q", scheme, token, s.keys[token], thumbprint))
	}
	if nonce != "n-2" {
		w.Header().Set("DPoP-Nonce", "n-2")
		w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprint(w, token)
}

// Each caller's token is bound to the client's key, and sent with proofs. One that was obtained
// before a reload goes on with the key of then.
func TestTokensThatCallersTokensAreExchangedForAreProven(t *testing.T) {
	server := &boundExchange{keys: make(map[string]string), seen: make(map[string]bool)}
	s := moduletest.NewGranting(t, server.exchange)
	s.API.Close()
	s.API = httptest.NewServer(http.HandlerFunc(server.serve))
	t.Cleanup(s.API.Close)
	settings := s.ExchangeSettings("{http.request.header.Authorization}") + "\ndpop"
	sc := s.Serving(t, settings, "")
	call := func(user string) {
		for range 5 {
			res, body := sc.Do("POST", "/orders", "a body", "Authorization", "Bearer "+user, "DPoP", "the caller's own")
			if res.StatusCode != http.StatusOK || body != "for-"+user {
				t.Errorf("%s: %s %s", user, res.Status, body)
			}
		}
	}
	together := func(users ...string) {
		var callers sync.WaitGroup
		for _, user := range users {
			callers.Go(func() { call(user) })
		}
		callers.Wait()
	}
	together("user-1", "user-2", "user-3")
	sc.Load(s.Caddyfile(sc, settings+"\nwait 9s", "")) // other settings: another key
	together("user-1", "user-4")
	sc.Load(s.Caddyfile(sc, settings, ""))
	together("user-2", "user-5")

	if res, body := sc.Do("GET", "/orders", "", "Authorization", "DPoP user-6", "DPoP", "the caller's own"); res.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "no_subject_token") {
		t.Errorf("the caller's token is bound to the caller's key: %s %s", res.Status, body)
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	for _, fault := range server.faults {
		t.Error(fault)
	}
	if len(server.keys) != 5 || server.keys["for-user-1"] == "" {
		t.Errorf("%v", server.keys)
	}
}
