package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/settings"
)

// refusing is a client with two secrets, at a server that answers every token
// request alike. It returns the outcomes of the first requests, and the secrets
// that they held.
func refusing(t *testing.T, status int, body string, requests int) (outcomes []tokenendpoint.Outcome, secrets []string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secrets = append(secrets, r.PostFormValue("client_secret"))
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	defer server.Close()
	c, err := newClient(caddy.Context{Context: t.Context()}, nil, "api", &settings.Client{
		TokenEndpoint: server.URL, TokenEndpointAuthMethod: "client_secret_post", ClientID: "app",
		ClientSecret: "first-secret", ClientSecretNext: "second-secret", RefreshToken: "the-refresh-token",
	})
	if err != nil {
		t.Fatal(err)
	}
	for range requests {
		inputs, err := c.inputs()
		if err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, inputs.Ask(t.Context(), keeper.Request{RefreshToken: "the-refresh-token", BeforeSend: func() error { return nil }}).Outcome)
	}
	return outcomes, secrets
}

func TestTheSecondSecretIsTriedOnceSoonAndThenSlowly(t *testing.T) {
	outcomes, secrets := refusing(t, http.StatusUnauthorized, `{"error":"invalid_client"}`, 4)
	want := fmt.Sprint([]tokenendpoint.Outcome{
		tokenendpoint.Unavailable, tokenendpoint.Misconfigured, tokenendpoint.Misconfigured, tokenendpoint.Misconfigured,
	})
	if fmt.Sprint(outcomes) != want || fmt.Sprint(secrets) != "[first-secret second-secret first-secret second-secret]" {
		t.Errorf("outcomes %v, want %s; secrets %v", outcomes, want, secrets)
	}
}

// A refused grant stays refused: with another secret the server would see a
// refresh token again that it has refused, and may end the whole family.
func TestTheSecondSecretNeverFollowsARefusalOfTheGrant(t *testing.T) {
	for name, body := range map[string]string{
		"by its description": `{"error":"invalid_grant","error_description":"Invalid client or refresh token"}`,
		"by its code":        `{"error":"invalid_grant"}`,
	} {
		t.Run(name, func(t *testing.T) {
			outcomes, secrets := refusing(t, http.StatusBadRequest, body, 1)
			if outcomes[0] != tokenendpoint.Refused || len(secrets) != 1 {
				t.Errorf("outcome %v of %d requests, want %v", outcomes, len(secrets), tokenendpoint.Refused)
			}
		})
	}
}

// A gateway that says invalid_client with a 5xx does not tell whether the server
// saw the refresh token.
func TestTheSecondSecretNeverFollowsAnAmbiguousAnswer(t *testing.T) {
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"server error": {http.StatusBadGateway, `{"error":"invalid_client"}`},
		"rate limit":   {http.StatusTooManyRequests, `{"error":"slow_down","error_description":"invalid client rate"}`},
		"no answer":    {http.StatusOK, ``},
	} {
		t.Run(name, func(t *testing.T) {
			_, secrets := refusing(t, answer.status, answer.body, 2)
			if fmt.Sprint(secrets) != "[first-secret first-secret]" {
				t.Errorf("secrets %v", secrets)
			}
		})
	}
}
