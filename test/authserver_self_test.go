package test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// TestTheAuthorizationServerRotates makes sure that the other tests would notice
// a spent refresh token, or an old access token.
func TestTheAuthorizationServerRotates(t *testing.T) {
	t.Parallel()
	client := &registration{
		id: "erp", secret: awkward, method: oidc.AuthMethodBasic,
		grants: []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken},
	}
	server := newAuthServer(t, time.Hour, client)
	api := newAPI(t, server)
	seed := server.login()
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {seed}}
	var tokens, newer struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	server.post(server.tokenEndpoint(), client, refresh, &tokens)
	if got := call(t, api.URL, tokens.AccessToken); got != http.StatusOK {
		t.Errorf("the API answered a new access token with %d", got)
	}
	refresh.Set("refresh_token", tokens.RefreshToken)
	server.post(server.tokenEndpoint(), client, refresh, &newer)
	if got := call(t, api.URL, tokens.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("the API answered an old access token with %d", got)
	}
	if got := call(t, api.URL, newer.AccessToken); got != http.StatusOK {
		t.Errorf("the API answered the newest access token with %d", got)
	}

	if issued, replays := server.seen(); issued != 3 || replays != 0 {
		t.Errorf("it issued %d tokens and saw %d spent ones", issued, replays)
	}
	res, err := http.PostForm(server.tokenEndpoint(), url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {seed},
		"client_id": {client.id}, "client_secret": {client.secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if _, replays := server.seen(); res.StatusCode == http.StatusOK || replays != 1 {
		t.Errorf("a spent refresh token was answered %d and counted %d times", res.StatusCode, replays)
	}
}

// call calls an API with an access token.
func call(t *testing.T, api, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}
