package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/sandbox"
)

func TestAPIShowsWhatItSawButNoToken(t *testing.T) {
	r := newRig(t)
	first := r.refresh(r.sandbox.Seed())
	status, body, _ := r.call("Bearer " + first.AccessToken)
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"method": "POST", "path": "/orders/7", "host": strings.TrimPrefix(r.api.URL, "http://"),
		"body_bytes": 5.0, "generation": 1.0, "request": 1.0,
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %v, want %v", name, got[name], value)
		}
	}
	if status != http.StatusOK || len(got) != len(want) || strings.Contains(body, first.AccessToken) {
		t.Errorf("%d %s", status, body)
	}
}

func TestAPIRefusesAnythingButOneCurrentAccessToken(t *testing.T) {
	r := newRig(t)
	first := r.refresh(r.sandbox.Seed())
	good := "Bearer " + first.AccessToken
	for name, values := range map[string][]string{
		"no token":        nil,
		"another scheme":  {"Basic " + first.AccessToken},
		"two tokens":      {good, good},
		"a refresh token": {"Bearer " + first.RefreshToken},
		"an ID token":     {"Bearer " + first.IDToken},
		"nothing":         {"Bearer "},
	} {
		t.Run(name, func(t *testing.T) {
			status, body, header := r.call(values...)
			if status != http.StatusUnauthorized || !strings.HasPrefix(header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	r.accepts(first.AccessToken, true)
	if stats := r.sandbox.Stats(); stats.APIUnauthorized != 6 || stats.APIOK != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestAccessTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := sandbox.New(sandbox.Options{ClientID: clientID, ClientSecret: clientSecret, Lifetime: 15 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		answer := httptest.NewRecorder()
		s.AuthorizationServer().ServeHTTP(answer, httptest.NewRequest("POST", "/auth/oauth2/token?"+query(s.Seed()).Encode(), nil))
		var got tokens
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		call := func() int {
			req := httptest.NewRequest("GET", "/", nil)
			req.Header.Set("Authorization", "Bearer "+got.AccessToken)
			out := httptest.NewRecorder()
			s.API().ServeHTTP(out, req)
			return out.Code
		}
		time.Sleep(15*time.Second - 1)
		if code := call(); code != http.StatusOK {
			t.Errorf("refused too early: %d", code)
		}
		time.Sleep(time.Nanosecond)
		if code := call(); code != http.StatusUnauthorized {
			t.Errorf("accepted after its expiry: %d", code)
		}
		if left := s.Stats().ExpiresIn; left != 0 {
			t.Errorf("%v s left", left)
		}
	})
}
