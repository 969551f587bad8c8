package authserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/keyfiles"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/settings"
)

// audiences are what the assertions name that a client sends to a server with metadata:
// to the token endpoint, and to the one for revocation.
func audiences(t *testing.T, edit func(c *settings.Client, issuer string)) (issuer string, named []string) {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q,"revocation_endpoint":%q}`, server.URL, server.URL+"/token", server.URL+"/revoke")
	})
	note := func(w http.ResponseWriter, r *http.Request) {
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(r.PostFormValue("client_assertion"), ".")[1])
		var claims struct{ Aud string }
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Error(err)
		}
		named = append(named, claims.Aud)
		fmt.Fprint(w, `{"access_token":"at","token_type":"Bearer","expires_in":60}`)
	}
	mux.HandleFunc("/token", note)
	mux.HandleFunc("/revoke", note)
	cfg := &settings.Client{
		TokenEndpointAuthMethod: "private_key_jwt", ClientID: "app", Issuer: server.URL,
		PrivateKey: "{file." + filepath.Join(keyfiles.Write(t), "mine.key") + "}",
	}
	edit(cfg, server.URL)
	c := made(t, cfg)
	req, err := c.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Do(t.Context(), *req); a.Outcome != tokenendpoint.Granted {
		t.Fatalf("%+v", a)
	}
	if err := c.Revocation(nil)(t.Context(), "the-refresh-token"); err != nil {
		t.Fatal(err)
	}
	return server.URL, named
}

func TestAssertionsCallTheServerByItsIssuerWhereThatIsConfigured(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*settings.Client, string)
		path string // of the audience, below the issuer
	}{
		"an issuer":          {func(*settings.Client, string) {}, ""},
		"an issuer, by name": {func(c *settings.Client, _ string) { c.AssertionAudience = "issuer" }, ""},
		"token_endpoint":     {func(c *settings.Client, _ string) { c.AssertionAudience = "token_endpoint" }, "/token"},
		"no issuer": {func(c *settings.Client, base string) {
			c.Issuer, c.TokenEndpoint, c.RevocationEndpoint = "", base+"/token", base+"/revoke"
		}, "/token"},
	} {
		issuer, named := audiences(t, tt.edit)
		if want := issuer + tt.path; len(named) != 2 || named[0] != want || named[1] != want {
			t.Errorf("%s: they name %q, want %q", name, named, want)
		}
	}
}

// elsewhere writes an assertion that somebody else made, with that exp.
func elsewhere(t *testing.T, path string, exp time.Time) {
	t.Helper()
	claims := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, exp.Unix()))
	if err := os.WriteFile(path, []byte("eyJhbGciOiJSUzI1NiJ9."+claims+".c2ln\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAnAssertionIsReadAnewForEachRequestAndLookedAtBeforeOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	var sent []url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		sent = append(sent, r.PostForm)
		fmt.Fprint(w, `{"access_token":"at","token_type":"Bearer","expires_in":60}`)
	}))
	t.Cleanup(server.Close)
	elsewhere(t, path, time.Now().Add(time.Hour))
	c := made(t, &settings.Client{TokenEndpoint: server.URL, ClientAssertion: "{file." + path + "}", ClientAssertionType: "jwt-spiffe"})
	req, err := c.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Do(t.Context(), *req)
	elsewhere(t, path, time.Now().Add(2*time.Hour))
	c.Do(t.Context(), *req)
	if len(sent) != 2 || sent[0].Get("client_assertion") == sent[1].Get("client_assertion") {
		t.Errorf("it was not read anew: %v", sent)
	}
	if got := sent[0].Get("client_assertion_type"); got != "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe" {
		t.Errorf("its type is %q", got)
	}
	if f := c.outdated(req); f != nil {
		t.Errorf("it is out of date: %+v", f)
	}
	elsewhere(t, path, time.Now().Add(-time.Minute))
	f := c.outdated(req)
	if f == nil || !strings.Contains(f.Detail, path) || f.Remedy == "" {
		t.Errorf("it is not out of date: %+v", f)
	}
	if err := c.CheckResolved(""); err != nil {
		t.Errorf("an assertion that may be renewed at any moment is an error of the settings: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Resolve(nil); err == nil || !strings.Contains(err.Error(), "client_assertion: ") || !strings.Contains(err.Error(), path) {
		t.Errorf("without the file: %v", err)
	}
}

// oidc-provider tells no client why it is refused.
func TestTheRefusalOfAnAssertionThatWasAcceptedIsProbablyThatItIsTakenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	refuses := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if refuses {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"client authentication failed"}`)
			return
		}
		fmt.Fprint(w, `{"access_token":"at","token_type":"Bearer","expires_in":60}`)
	}))
	t.Cleanup(server.Close)
	elsewhere(t, path, time.Now().Add(time.Hour))
	c := made(t, &settings.Client{TokenEndpoint: server.URL, ClientAssertion: "{file." + path + "}"})
	ask := func() tokenendpoint.Answer {
		req, err := c.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Do(t.Context(), *req)
	}
	refuses = true
	if a := ask(); a.Cause != "invalid_client" || !strings.Contains(a.Remedy, path) {
		t.Errorf("one that was never accepted: %q, %q", a.Cause, a.Remedy)
	}
	refuses = false
	ask()
	refuses = true
	if a := ask(); a.Cause != tokenendpoint.CauseAssertionReused || !strings.Contains(a.Remedy, path) || !strings.Contains(a.Detail, "client authentication failed") {
		t.Errorf("one that was accepted: %q, %q, %q", a.Cause, a.Detail, a.Remedy)
	}
	elsewhere(t, path, time.Now().Add(2*time.Hour))
	if a := ask(); a.Cause != "invalid_client" {
		t.Errorf("its successor: %q", a.Cause)
	}
}
