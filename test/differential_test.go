package test

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"lamplighter/test/internal/rig"
)

// oracle asks a token endpoint with x/oauth2.
type oracle func(ctx context.Context, endpoint string, style oauth2.AuthStyle) (*oauth2.Token, error)

func oracleConfig(endpoint string, style oauth2.AuthStyle, scopes ...string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: "erp:side car", ClientSecret: awkward, Scopes: scopes,
		Endpoint: oauth2.Endpoint{TokenURL: endpoint + "/token", AuthStyle: style},
	}
}

func oracleClientCredentials(ctx context.Context, endpoint string, style oauth2.AuthStyle) (*oauth2.Token, error) {
	config := clientcredentials.Config{
		ClientID: "erp:side car", ClientSecret: awkward, Scopes: []string{"orders.read", "orders/write+%"},
		TokenURL: endpoint + "/token", AuthStyle: style, EndpointParams: url.Values{"tenant": {awkward}},
	}
	return config.Token(ctx)
}

func oracleRefresh(ctx context.Context, endpoint string, style oauth2.AuthStyle) (*oauth2.Token, error) {
	config := oracleConfig(endpoint, style, "orders.read")
	return config.TokenSource(ctx, &oauth2.Token{RefreshToken: "R0 " + awkward}).Token()
}

func oraclePassword(ctx context.Context, endpoint string, style oauth2.AuthStyle) (*oauth2.Token, error) {
	return oracleConfig(endpoint, style, "orders.read").PasswordCredentialsToken(ctx, "erika mustermann", awkward)
}

const clientCredentialsSettings = `
	scope orders.read orders/write+%
	param tenant "` + awkward + `"`

// TestTokenRequestsAreThoseOfXOAuth2 compares what x/oauth2 and the binary send
// for the grants of RFC 6749: method, target, content type, parameters and
// Authorization. The test below lists where they differ on purpose.
func TestTokenRequestsAreThoseOfXOAuth2(t *testing.T) {
	t.Parallel()
	const basic, post = "\ntoken_endpoint_auth_method client_secret_basic", "\ntoken_endpoint_auth_method client_secret_post"
	const refresh = "refresh_token {file.seed}"
	const password = "grant_type password\nusername \"erika mustermann\"\npassword {file.secret}\nscope orders.read"
	for name, tt := range map[string]struct {
		ask      oracle
		style    oauth2.AuthStyle
		settings string
		grant    string
	}{
		"client_credentials basic": {oracleClientCredentials, oauth2.AuthStyleInHeader, clientCredentialsSettings + basic, "client_credentials"},
		"client_credentials post":  {oracleClientCredentials, oauth2.AuthStyleInParams, clientCredentialsSettings + post, "client_credentials"},
		"refresh_token basic":      {oracleRefresh, oauth2.AuthStyleInHeader, refresh + basic, "refresh_token"},
		"refresh_token post":       {oracleRefresh, oauth2.AuthStyleInParams, refresh + post, "refresh_token"},
		"password basic":           {oraclePassword, oauth2.AuthStyleInHeader, password + basic, "password"},
		"password post":            {oraclePassword, oauth2.AuthStyleInParams, password + post, "password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := func(w http.ResponseWriter, _ *http.Request, _ int) {
				answerJSON(w, 200, `{"access_token":"A1","token_type":"Bearer","expires_in":3600}`)
			}
			theirs, ours := newRecorder(t, good), newRecorder(t, good)
			token, err := tt.ask(t.Context(), theirs.URL, tt.style)
			if err != nil || token.AccessToken != "A1" {
				t.Fatalf("x/oauth2 got %v: %v", token, err)
			}
			if _, got := askWithBinary(t, ours.URL, tt.settings); got.Status != 200 || got.Body != "Bearer A1" {
				t.Fatalf("the call was answered %v", got)
			}

			want, got := theirs.only(t), ours.only(t)
			if got.method != want.method || got.target != want.target {
				t.Errorf("%s %s, x/oauth2: %s %s", got.method, got.target, want.method, want.target)
			}
			for _, name := range []string{"Content-Type", "Authorization"} {
				if !slices.Equal(got.header.Values(name), want.header.Values(name)) {
					t.Errorf("%s is %q, x/oauth2: %q", name, got.header.Values(name), want.header.Values(name))
				}
			}
			gotForm, wantForm := got.form(t), want.form(t)
			if !maps.EqualFunc(gotForm, wantForm, slices.Equal) {
				t.Errorf("the parameters are %q, x/oauth2: %q", gotForm, wantForm)
			}
			if gotForm.Get("grant_type") != tt.grant {
				t.Errorf("the grant is %q", gotForm.Get("grant_type"))
			}
		})
	}
}

// TestDifferencesFromXOAuth2AreOnPurpose lists what the binary does otherwise, and
// holds that x/oauth2 still does it its way.
func TestDifferencesFromXOAuth2AreOnPurpose(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ask      oracle
		style    oauth2.AuthStyle
		settings string
		answer   func(w http.ResponseWriter, r *http.Request, n int)
		theirs   func(t *testing.T, rec *recorder, token *oauth2.Token, err error)
		ours     func(t *testing.T, rec *recorder, s *rig.Sidecar, got rig.Answer)
	}{
		// Some servers take a plus sign literally; all read %20.
		"a space is %20": {
			oracleClientCredentials, oauth2.AuthStyleInHeader, clientCredentialsSettings, always(200, `{"access_token":"A1"}`),
			func(t *testing.T, rec *recorder, _ *oauth2.Token, _ error) {
				contains(t, rec.only(t).body, "scope=orders.read+orders%2Fwrite%2B%25")
			},
			func(t *testing.T, rec *recorder, _ *rig.Sidecar, _ rig.Answer) {
				contains(t, rec.only(t).body, "scope=orders.read%20orders%2Fwrite%2B%25")
			},
		},
		// GitHub answers with a form, unless asked for JSON.
		"JSON is asked for": {
			oracleClientCredentials, oauth2.AuthStyleInHeader, clientCredentialsSettings, always(200, `{"access_token":"A1"}`),
			func(t *testing.T, rec *recorder, _ *oauth2.Token, _ error) {
				equal(t, rec.only(t).header.Get("Accept"), "")
			},
			func(t *testing.T, rec *recorder, _ *rig.Sidecar, _ rig.Answer) {
				equal(t, rec.only(t).header.Get("Accept"), "application/json")
			},
		},
		// A scope that is set is asked for at a refresh too (RFC 6749 section 6).
		"a refresh asks for its scope": {
			oracleRefresh, oauth2.AuthStyleInHeader, "refresh_token {file.seed}\nscope orders.read", always(200, `{"access_token":"A1"}`),
			func(t *testing.T, rec *recorder, _ *oauth2.Token, _ error) {
				equal(t, rec.only(t).form(t).Has("scope"), false)
			},
			func(t *testing.T, rec *recorder, _ *rig.Sidecar, _ rig.Answer) {
				equal(t, rec.only(t).form(t).Get("scope"), "orders.read")
			},
		},
		// A second attempt would put the secret where it was not meant to be, and
		// present the refresh token once more.
		"no other authentication method is tried": {
			oracleRefresh, oauth2.AuthStyleAutoDetect, "refresh_token {file.seed}", always(401, `{"error":"invalid_client"}`),
			func(t *testing.T, rec *recorder, _ *oauth2.Token, err error) {
				requests := rec.recorded()
				if err == nil || len(requests) != 2 || !requests[1].form(t).Has("client_secret") {
					t.Errorf("%v after %v", err, requests)
				}
			},
			func(t *testing.T, rec *recorder, _ *rig.Sidecar, got rig.Answer) {
				equal(t, got.Status, 503)
				r := rec.only(t)
				equal(t, r.form(t).Has("client_secret"), false)
				equal(t, r.header.Get("Authorization"), "Basic "+basicHeader("erp:side car", awkward))
			},
		},
		// Whoever can redirect would be sent the refresh token.
		"no redirect is followed": {
			oracleRefresh, oauth2.AuthStyleInHeader, "refresh_token {file.seed}", redirectOnce,
			func(t *testing.T, rec *recorder, _ *oauth2.Token, err error) {
				requests := rec.recorded()
				if err != nil || len(requests) != 2 || requests[1].target != "/elsewhere" || !requests[1].form(t).Has("refresh_token") {
					t.Errorf("%v after %v", err, requests)
				}
			},
			func(t *testing.T, rec *recorder, _ *rig.Sidecar, got rig.Answer) {
				equal(t, got.Status, 503)
				for _, r := range rec.recorded() {
					equal(t, r.target, "/token")
				}
			},
		},
		// The old refresh token is spent when this answer arrives, so that nothing
		// about the lifetime may cost the new one.
		"a fractional expires_in keeps the rotated refresh token": {
			oracleRefresh, oauth2.AuthStyleInHeader, "refresh_token {file.seed}", always(200, `{"access_token":"A1","refresh_token":"R1","expires_in":3.0}`),
			losesAnswer, keepsRotated,
		},
		"an unreadable expires_in keeps the rotated refresh token": {
			oracleRefresh, oauth2.AuthStyleInHeader, "refresh_token {file.seed}\ndefault_expires_in 3s", always(200, `{"access_token":"A1","refresh_token":"R1","expires_in":"soon"}`),
			losesAnswer, keepsRotated,
		},
		"JSON that claims to be text keeps the rotated refresh token": {
			oracleRefresh, oauth2.AuthStyleInHeader, "refresh_token {file.seed}",
			func(w http.ResponseWriter, _ *http.Request, _ int) {
				w.Header().Set("Content-Type", "text/plain")
				_, _ = w.Write([]byte(`{"access_token":"A1","refresh_token":"R1","expires_in":3}`))
			},
			losesAnswer, keepsRotated,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs, ours := newRecorder(t, tt.answer), newRecorder(t, tt.answer)
			token, err := tt.ask(t.Context(), theirs.URL, tt.style)
			tt.theirs(t, theirs, token, err)
			s, got := askWithBinary(t, ours.URL, tt.settings)
			tt.ours(t, ours, s, got)
		})
	}
}

func always(status int, body string) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, _ *http.Request, _ int) { answerJSON(w, status, body) }
}

func redirectOnce(w http.ResponseWriter, r *http.Request, _ int) {
	if r.URL.Path == "/token" {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		return
	}
	answerJSON(w, 200, `{"access_token":"A1"}`)
}

func losesAnswer(t *testing.T, rec *recorder, token *oauth2.Token, err error) {
	t.Helper()
	rec.only(t)
	if err == nil {
		t.Errorf("x/oauth2 has read %+v", token)
	}
}

func keepsRotated(t *testing.T, rec *recorder, _ *rig.Sidecar, got rig.Answer) {
	t.Helper()
	equal(t, got.Body, "Bearer A1")
	rig.Eventually(t, "a second refresh", func() bool { return len(rec.recorded()) > 1 })
	requests := rec.recorded()
	equal(t, requests[0].form(t).Get("refresh_token"), "R0 "+awkward)
	equal(t, requests[1].form(t).Get("refresh_token"), "R1")
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func contains(t *testing.T, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%q is not in %q", want, got)
	}
}
