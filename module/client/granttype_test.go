package client_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"lamplighter/module/moduletest"
)

// A token of a user and one of the application are two principals', whatever else is the same.
func TestAnotherGrantTypeIsAnotherRequest(t *testing.T) {
	s := moduletest.NewGranting(t, func(w http.ResponseWriter, r *http.Request) {
		answer := map[string]any{"access_token": "token-of-" + r.PostForm.Get("grant_type"), "token_type": "Bearer", "expires_in": 3600}
		if r.PostForm.Get("grant_type") == "refresh_token" {
			answer["refresh_token"] = "next-refresh-token-of-the-user"
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
	common := "token_endpoint " + s.Tokens.URL + "/token\nclient_id app\nclient_secret literal\nscope read\n"
	user := common + "refresh_token first-refresh-token-of-the-user\n"
	app := common + "grant_type client_credentials\n"
	for name, order := range map[string][2]string{"user then app": {user, app}, "app then user": {app, user}} {
		t.Run(name, func(t *testing.T) {
			sc := s.Serving(t, order[0], "")
			sc.Do("GET", "/", "")
			sc.Load(s.Caddyfile(sc, order[1], ""))
			_, body := sc.Do("GET", "/", "")
			if want := "token-of-" + map[bool]string{true: "client_credentials", false: "refresh_token"}[order[1] == app]; !strings.Contains(body, want) {
				t.Errorf("the upstream got %q, want %s", body, want)
			}
		})
	}
}

// A record of the application's own tokens is there, and holds no user's grant.
func TestARecordOfAnotherGrantTypeIsNotCalledMissing(t *testing.T) {
	s := moduletest.NewGranting(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "token-of-the-application", "token_type": "Bearer", "expires_in": 3600})
	})
	common := "token_endpoint " + s.Tokens.URL + "/token\nclient_id app\nclient_secret literal\nauthorization_endpoint " + s.Tokens.URL + "/authorize\n"
	sc := s.Serving(t, common+"grant_type client_credentials\n", "")
	sc.Do("GET", "/", "")
	sc.Load(s.Caddyfile(sc, common+"grant_type refresh_token\n", ""))
	_, body := sc.Do("GET", "/", "")
	for _, words := range []string{"no_refresh_token", "holds none", "another grant_type", "neither needs a restart"} {
		if !strings.Contains(body, words) {
			t.Errorf("no %q in %s", words, body)
		}
	}
	var shown struct {
		Token     string
		ExpiresAt string `json:"expires_at"`
	}
	if moduletest.Asked(t, "GET", "clients/api", &shown); shown.Token != "none" || shown.ExpiresAt != "" {
		t.Errorf("the token of the application, which is sent no more, is shown as %+v", shown)
	}
	if strings.Contains(body, "there is no record") || strings.Contains(body, "into the file") {
		t.Errorf("it says %s", body)
	}
}
