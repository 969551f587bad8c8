package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/settings"
)

// exchangingAt is a client with two secrets that exchanges its callers' tokens.
func exchangingAt(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return madeOf(t, &settings.Client{
		TokenEndpoint: server.URL + "/token", TokenEndpointAuthMethod: "client_secret_post", ClientID: "app",
		ClientSecret: "old-secret", ClientSecretNext: "new-secret",
		GrantType: "token_exchange", SubjectToken: "{http.request.header.Authorization}",
	})
}

// madeOf is a client of these settings, which nothing starts.
func madeOf(t *testing.T, settings *settings.Client) *Client {
	t.Helper()
	c, err := newClient(caddy.Context{Context: t.Context()}, nil, "api", settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// allAsk returns what callers are answered that ask at the same moment.
func allAsk(t *testing.T, c *Client, callers int) (list []tokenendpoint.Answer) {
	answers := make(chan tokenendpoint.Answer, callers)
	for i := range callers {
		go func() { answers <- c.askFor(t.Context(), fmt.Sprint("caller-", i)) }()
	}
	for range callers {
		list = append(list, <-answers)
	}
	return list
}

func refuseClient(w http.ResponseWriter) {
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprint(w, `{"error":"invalid_client"}`)
}

// Callers meet the change of a secret at the same moment: each of them gets its
// token, and none turns back to the old secret.
func TestEveryCallerIsServedWhileASecretIsReplaced(t *testing.T) {
	const callers = 8
	var arrived sync.WaitGroup
	arrived.Add(callers)
	var requests atomic.Int32
	c := exchangingAt(t, func(w http.ResponseWriter, r *http.Request) {
		if n := requests.Add(1); r.PostFormValue("client_secret") == "old-secret" && n <= callers {
			arrived.Done()
			arrived.Wait() // until all of them are asked with the old secret
		}
		if r.PostFormValue("client_secret") != "new-secret" {
			refuseClient(w)
			return
		}
		fmt.Fprint(w, `{"access_token":"at","expires_in":60}`)
	})
	for _, a := range append(allAsk(t, c, callers), c.askFor(t.Context(), "one-more")) {
		if a.Outcome != tokenendpoint.Granted {
			t.Errorf("%+v", a)
		}
	}
	if n := requests.Load(); n != 2*callers+1 {
		t.Errorf("%d requests, want one with the old secret of each caller that met the change", n)
	}
}

func TestNoCallersRequestIsRepeatedTwiceIfBothSecretsAreRefused(t *testing.T) {
	const callers = 8
	var requests atomic.Int32
	c := exchangingAt(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		refuseClient(w)
	})
	for _, a := range allAsk(t, c, callers) {
		if a.AccessToken != "" || a.Cause != "invalid_client" {
			t.Errorf("%+v", a)
		}
	}
	if n := requests.Load(); n > 2*callers {
		t.Errorf("%d requests for %d callers", n, callers)
	}
}
