package authserver

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/settings"
)

// issuing is an issuer that answers for its metadata ("BASE" is its URL) as long
// as it does not hang, and grants every token request.
type issuing struct {
	*httptest.Server
	asked   atomic.Int32 // for metadata
	hanging atomic.Bool
	ended   chan struct{}
}

func newIssuing(t *testing.T, metadata string) *issuing {
	s := &issuing{ended: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			fmt.Fprint(w, `{"access_token":"at","expires_in":60}`)
			return
		}
		s.asked.Add(1)
		if s.hanging.Load() {
			<-s.ended
			return
		}
		fmt.Fprint(w, strings.ReplaceAll(metadata, "BASE", s.URL))
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(s.ended) })
	return s
}

func TestMetadataThatCannotBeReadAnewStopsNoTokenRequest(t *testing.T) {
	s := newIssuing(t, `{"issuer":"BASE","token_endpoint":"BASE/token"}`)
	c := made(t, &settings.Client{Issuer: s.URL, ClientID: "app", ClientSecret: "secret"})
	ask := func(when string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if a := c.Do(ctx, tokenendpoint.Request{ClientID: "app", ClientSecret: "secret"}); a.Outcome != tokenendpoint.Granted {
			t.Fatalf("%s: %+v", when, a)
		}
	}
	ask("at first")
	s.hanging.Store(true)
	c.discovery.readAt = time.Now().Add(-metadataKept)
	ask("a day later")
	ask("right after that")
	if n := s.asked.Load(); n != 2 {
		t.Errorf("the metadata was asked for %d times, want once at first and once a day later", n)
	}

	s.hanging.Store(false)
	c.discovery.readAt = c.discovery.readAt.Add(-metadataRetried)
	ask("an hour after that")
	if n := s.asked.Load(); n != 3 || time.Since(c.discovery.readAt) > time.Minute {
		t.Errorf("the metadata was asked for %d times, and read %s ago", n, time.Since(c.discovery.readAt))
	}
}

func TestMutualTLSGoesToTheEndpointsThatAskForACertificate(t *testing.T) {
	s := newIssuing(t, `{"issuer":"BASE","token_endpoint":"BASE/token","revocation_endpoint":"BASE/revoke",
		"mtls_endpoint_aliases":{"token_endpoint":"https://mtls.example.com/token"}}`)
	for method, want := range map[string]string{"none": s.URL + "/token", "tls_client_auth": "https://mtls.example.com/token"} {
		c := made(t, &settings.Client{Issuer: s.URL, ClientID: "app", TokenEndpointAuthMethod: "none"})
		c.cfg.TokenEndpointAuthMethod = method // which certificate it has is of no interest here
		m, err := c.issuerMetadata(t.Context())
		if err != nil || m.TokenEndpoint != want || m.RevocationEndpoint != s.URL+"/revoke" {
			t.Errorf("%s: %+v, %v", method, m, err)
		}
	}
}

// An alias is held to the same rules as the endpoint in whose place it stands.
func TestAnAliasWithoutTLSIsRefused(t *testing.T) {
	s := newIssuing(t, `{"issuer":"BASE","token_endpoint":"BASE/token","mtls_endpoint_aliases":{"token_endpoint":"http://as.example.com/token"}}`)
	c := made(t, &settings.Client{Issuer: s.URL, ClientID: "app", TokenEndpointAuthMethod: "none"})
	c.cfg.TokenEndpointAuthMethod = "tls_client_auth"
	if _, err := c.issuerMetadata(t.Context()); err == nil || !strings.Contains(err.Error(), "token_endpoint") {
		t.Errorf("got %v", err)
	}
}
