package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"
)

func TestAnAuthorizationCodeIsGoodOnceWithItsVerifier(t *testing.T) {
	s, err := New(Options{ClientID: "id", ClientSecret: "secret", Lifetime: time.Hour, StateFile: filepath.Join(t.TempDir(), "state")})
	if err != nil {
		t.Fatal(err)
	}
	as := s.AuthorizationServer()
	const verifier, back = "a-verifier-of-some-length", "http://127.0.0.1:9/callback"
	hash := sha256.Sum256([]byte(verifier))
	authorize := func(edit func(url.Values)) *httptest.ResponseRecorder {
		q := url.Values{"response_type": {"code"}, "client_id": {"id"}, "redirect_uri": {back}, "state": {"st"}, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(hash[:])}}
		edit(q)
		w := httptest.NewRecorder()
		as.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/auth/oauth2/authorize?"+q.Encode(), nil))
		return w
	}
	code := func() string {
		to, err := authorize(func(url.Values) {}).Result().Location()
		if err != nil || to.Query().Get("state") != "st" || to.Query().Get("code") == "" {
			t.Fatalf("sent to %v (%v)", to, err)
		}
		return to.Query().Get("code")
	}
	redeem := func(code, verifier, back string) int {
		q := url.Values{"grant_type": {"authorization_code"}, "client_id": {"id"}, "client_secret": {"secret"}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {back}}
		w := httptest.NewRecorder()
		as.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/auth/oauth2/token?"+q.Encode(), nil))
		return w.Code
	}
	good := code()
	if got := redeem(good, verifier, back); got != http.StatusOK {
		t.Errorf("a good code is answered %d", got)
	}
	for name, got := range map[string]int{
		"a used code":      redeem(good, verifier, back),
		"another verifier": redeem(code(), "guessed", back),
		"another redirect": redeem(code(), verifier, "http://127.0.0.1:8/"),
		"no code":          redeem("", verifier, back),
	} {
		if got != http.StatusUnauthorized {
			t.Errorf("%s is answered %d", name, got)
		}
	}
	for name, edit := range map[string]func(url.Values){
		"a redirect elsewhere": func(q url.Values) { q.Set("redirect_uri", "http://evil.example/") },
		"another client":       func(q url.Values) { q.Set("client_id", "other") },
	} {
		if got := authorize(edit).Code; got != http.StatusBadRequest {
			t.Errorf("%s is answered %d", name, got)
		}
	}
	if to, err := authorize(func(q url.Values) { q.Del("code_challenge") }).Result().Location(); err != nil || to.Query().Get("error") != "invalid_request" {
		t.Errorf("without PKCE the browser is sent to %v (%v)", to, err)
	}
}
