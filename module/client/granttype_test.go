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
