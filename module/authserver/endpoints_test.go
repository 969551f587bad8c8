package authserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/keyfiles"
	"lamplighter/module/settings"
)

// revoking is a revocation endpoint, and a client that revokes there.
func revoking(t *testing.T, cfg settings.Client, answer func(form url.Values) (status int, body string)) (c *Client, requests *[]url.Values) {
	t.Helper()
	requests = new([]url.Values)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		*requests = append(*requests, r.PostForm)
		status, body := answer(r.PostForm)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	cfg.RevocationEndpoint = server.URL + "/revoke"
	cfg.TokenEndpoint = server.URL + "/token?tenant=1"
	return made(t, &cfg), requests
}

func TestRevocationTriesTheSecondSecretToo(t *testing.T) {
	c, requests := revoking(t, settings.Client{
		TokenEndpointAuthMethod: "client_secret_post", ClientID: "app", RefreshToken: "seed-token",
		ClientSecret: "first-secret", ClientSecretNext: "second-secret",
	}, func(form url.Values) (int, string) {
		if form.Get("client_secret") != "second-secret" {
			return http.StatusUnauthorized, `{"error":"invalid_client"}`
		}
		return http.StatusOK, ""
	})
	if err := c.Revocation(nil)(t.Context(), "the-refresh-token"); err != nil || len(*requests) != 2 {
		t.Errorf("%v after %d requests", err, len(*requests))
	}
	if err := c.Revocation(nil)(t.Context(), "the-refresh-token"); err != nil || len(*requests) != 3 {
		t.Errorf("%v after %d requests: the secret that works is not remembered", err, len(*requests))
	}
}

func TestRevocationGivesUpWhenBothSecretsAreRefused(t *testing.T) {
	c, requests := revoking(t, settings.Client{
		TokenEndpointAuthMethod: "client_secret_post", ClientID: "app", RefreshToken: "seed-token",
		ClientSecret: "first-secret", ClientSecretNext: "second-secret",
	}, func(url.Values) (int, string) { return http.StatusUnauthorized, `{"error":"invalid_client"}` })
	if err := c.Revocation(nil)(t.Context(), "the-refresh-token"); err == nil || len(*requests) != 2 {
		t.Errorf("%v after %d requests", err, len(*requests))
	}
}

// Servers compare the audience with their issuer or token endpoint, wherever the
// assertion is presented.
func TestAssertionsNameTheTokenEndpointWhereverTheyGo(t *testing.T) {
	dir := keyfiles.Write(t)
	c, requests := revoking(t, settings.Client{
		TokenEndpointAuthMethod: "private_key_jwt", ClientID: "app", RefreshToken: "seed-token",
		PrivateKey: "{file." + filepath.Join(dir, "mine.key") + "}",
	}, func(url.Values) (int, string) { return http.StatusOK, "" })
	if err := c.Revocation(nil)(t.Context(), "the-refresh-token"); err != nil {
		t.Fatal(err)
	}
	form := (*requests)[0]
	parts := strings.Split(form.Get("client_assertion"), ".")
	if len(parts) != 3 || form.Get("token") != "the-refresh-token" {
		t.Fatalf("it sent %v", form)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Aud string }
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Aud != strings.TrimSuffix(c.id.TokenEndpoint, "?tenant=1") {
		t.Errorf("the audience is %q, want the token endpoint of %s", claims.Aud, c.id.TokenEndpoint)
	}
}

// made is a client of these settings.
func made(t *testing.T, cfg *settings.Client) *Client {
	t.Helper()
	c, err := tryToMake(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryToMake(t *testing.T, cfg *settings.Client) (*Client, error) {
	t.Helper()
	effective, err := cfg.Effective()
	if err != nil {
		return nil, err
	}
	compiled, err := effective.Compile()
	if err != nil {
		return nil, err
	}
	rest, id := effective.Split()
	server, err := New(caddy.Context{Context: t.Context()}, effective, rest, compiled.Dialect)
	if err != nil {
		return nil, err
	}
	c := server.Of("api", id)
	return c, c.CheckResolved("")
}
