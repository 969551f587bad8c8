package authservers

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"
	"golang.org/x/crypto/bcrypt"
)

// startFosite starts ory/fosite, the library of Ory Hydra. It ends the whole grant
// when a refresh token is presented twice.
func startFosite(t *testing.T) *server {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(clientSecret), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	build := func() fosite.OAuth2Provider {
		config := &fosite.Config{
			AccessTokenLifespan: lifetime * time.Second, GlobalSecret: []byte("a secret of exactly 32 bytes len"),
			SendDebugMessagesToClients: true, RefreshTokenScopes: []string{}, ScopeStrategy: fosite.ExactScopeStrategy,
		}
		store := storage.NewMemoryStore()
		store.Clients[clientID] = &fosite.DefaultClient{
			ID: clientID, Secret: hash, RedirectURIs: []string{redirectURI, "http://127.0.0.1/callback", "http://127.0.0.1/"},
			ResponseTypes: []string{"code"}, GrantTypes: []string{"authorization_code", "refresh_token"}, Scopes: []string{"orders", "offline"},
		}
		return compose.ComposeAllEnabled(config, store, key)
	}
	provider := build()
	current := func() fosite.OAuth2Provider {
		mu.Lock()
		defer mu.Unlock()
		return provider
	}
	session := func() *openid.DefaultSession {
		return &openid.DefaultSession{Claims: &jwt.IDTokenClaims{Subject: "erika"}, Headers: new(jwt.Headers), Subject: "erika"}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/fosite/authorize", func(w http.ResponseWriter, r *http.Request) {
		p := current()
		request, err := p.NewAuthorizeRequest(r.Context(), r)
		if err != nil {
			p.WriteAuthorizeError(r.Context(), w, request, err)
			return
		}
		for _, scope := range request.GetRequestedScopes() {
			request.GrantScope(scope)
		}
		response, err := p.NewAuthorizeResponse(r.Context(), request, session())
		if err != nil {
			p.WriteAuthorizeError(r.Context(), w, request, err)
			return
		}
		p.WriteAuthorizeResponse(r.Context(), w, request, response)
	})
	mux.HandleFunc("/fosite/token", func(w http.ResponseWriter, r *http.Request) {
		p := current()
		request, err := p.NewAccessRequest(r.Context(), r, session())
		if err != nil {
			p.WriteAccessError(r.Context(), w, request, err)
			return
		}
		response, err := p.NewAccessResponse(r.Context(), request)
		if err != nil {
			p.WriteAccessError(r.Context(), w, request, err)
			return
		}
		p.WriteAccessResponse(r.Context(), w, request, response)
	})
	mux.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := current().IntrospectToken(r.Context(), fosite.AccessTokenFromRequest(r), fosite.AccessToken, session()); err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"orders":[]}`))
	})
	mux.HandleFunc("/_test/revoke", func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		provider = build()
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return &server{
		AuthorizationEndpoint: s.URL + "/fosite/authorize", TokenEndpoint: s.URL + "/fosite/token", API: s.URL, Origin: s.URL,
		way: newWay(t, s.URL+"/fosite/token"),
	}
}
