package client_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/moduletest"
)

// shownClient is what the admin API shows of a client in trouble.
type shownClient struct{ State, Token, Cause, Detail, Remedy string }

// inTrouble waits until the client named api, or another, has that cause.
func inTrouble(t *testing.T, client, cause string) (shown shownClient) {
	t.Helper()
	moduletest.Eventually(t, "the cause "+cause, func() bool {
		return moduletest.Asked(t, "GET", "clients/"+client, &shown) == http.StatusOK && shown.Cause == cause
	})
	return shown
}

// Fault A11. What the operator sees, and what the application is answered.
func TestWhatDoesNotPassByItselfSaysSoToEverybody(t *testing.T) {
	inTLS := httptest.NewUnstartedServer(http.NotFoundHandler())
	inTLS.Config.ErrorLog = log.New(io.Discard, "", 0)
	inTLS.StartTLS()
	t.Cleanup(inTLS.Close)
	s := moduletest.NewGranting(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"issuer":"https://other.example.com/"}`) })
	for name, test := range map[string]struct{ place, cause, says string }{
		"an unknown authority":         {"token_endpoint " + inTLS.URL + "/token", "unknown_authority", "trust_pool"},
		"TLS to a plain port":          {"token_endpoint " + strings.Replace(s.Tokens.URL, "http:", "https:", 1) + "/token", "not_tls", "port of token_endpoint"},
		"plain to TLS":                 {"token_endpoint " + strings.Replace(inTLS.URL, "https:", "http:", 1) + "/token", "https_expected", "write https://"},
		"an unknown authority's issue": {"issuer " + inTLS.URL, "unknown_authority", "trust_pool"},
		"another name of the issuer":   {"issuer " + s.Tokens.URL, "issuer_mismatch", `'issuer "https://other.example.com/"'`},
	} {
		t.Run(name, func(t *testing.T) {
			sc := s.Serving(t, test.place+"\nclient_id app\nclient_secret literal\nwait 200ms", "")
			shown := inTrouble(t, "api", test.cause)
			_, body := sc.Do("GET", "/", "")
			var problem shownClient
			if err := json.Unmarshal([]byte(body), &problem); err != nil {
				t.Fatal(err)
			}
			for where, got := range map[string]shownClient{"show": shown, "the answer": problem} {
				if got.Cause != test.cause || !strings.Contains(got.Remedy, "does not pass by itself") || !strings.Contains(got.Remedy, test.says) || strings.Contains(got.Remedy, "none needed") {
					t.Errorf("%s: %+v", where, got)
				}
			}
		})
	}
}

// Fault E13. django-oauth-toolkit adds a slash.
func TestMetadataThatItsOwnServerRedirectsIsFound(t *testing.T) {
	var s *moduletest.Granting
	s = moduletest.NewGranting(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/o/.well-known/openid-configuration":
			http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
		case "/o/.well-known/openid-configuration/":
			fmt.Fprintf(w, `{"issuer":"%[1]s/o","token_endpoint":"%[1]s/o/token/"}`, s.Tokens.URL)
		case "/o/token/":
			moduletest.Granted(w, "found")
		default:
			http.NotFound(w, r)
		}
	})
	sc := s.Serving(t, "issuer "+s.Tokens.URL+"/o\nclient_id app\nclient_secret literal", "")
	if res, body := sc.Do("GET", "/", ""); res.StatusCode != 200 || !strings.HasPrefix(body, "Bearer found|") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

// Fault E12. Dex says invalid_request of a refresh token that it does not know.
func TestARefusalAfterASuccessIsToldAsWhatItProbablyIs(t *testing.T) {
	var dead atomic.Bool
	s := moduletest.NewGranting(t, func(w http.ResponseWriter, _ *http.Request) {
		if dead.Load() {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_request","error_description":"Refresh token is invalid or has already been claimed by another client."}`)
			return
		}
		fmt.Fprint(w, `{"access_token":"at","refresh_token":"rt-0123456789","expires_in":3600}`)
	})
	settings := "token_endpoint " + s.Tokens.URL + "/token\nclient_id app\nclient_secret literal-secret-%s\nrefresh_token the-seed-of-it\nmin_refresh_interval 10ms"
	sc := s.Serving(t, fmt.Sprintf(settings, "one"), "")
	if res, body := sc.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	dead.Store(true)
	order := func() {
		var result struct{ Cause string }
		moduletest.Asked(t, "POST", "clients/api/refresh?force=true", &result)
	}
	order()
	shown := inTrouble(t, "api", "invalid_request")
	for _, words := range []string{"most likely the refresh token is dead", "worked at 20"} {
		if !strings.Contains(shown.Detail, words) {
			t.Errorf("the detail does not say %q: %s", words, shown.Detail)
		}
	}
	for _, words := range []string{"tokens import api", "'terminal_errors invalid_grant' and 'terminal_errors 400 invalid_request'"} {
		if !strings.Contains(shown.Remedy, words) {
			t.Errorf("the remedy does not say %q: %s", words, shown.Remedy)
		}
	}

	// With another secret it may be that one.
	sc.Load(s.Caddyfile(sc, fmt.Sprintf(settings, "two"), ""))
	order()
	moduletest.Eventually(t, "another word", func() bool {
		shown = inTrouble(t, "api", "invalid_request")
		return strings.Contains(shown.Remedy, "if the client's secret has not changed")
	})
	if strings.Contains(shown.Detail, "most likely") {
		t.Error(shown.Detail)
	}

	// The lines that it names are taken, and do what it says.
	sc.Load(s.Caddyfile(sc, fmt.Sprintf(settings, "two")+"\nterminal_errors invalid_grant\nterminal_errors 400 invalid_request", ""))
	order()
	inTrouble(t, "api", "refused")
}

// Fault E14. The secret is never told, and a hint only if it is true.
func TestARefusedClientHearsWhatIsConspicuous(t *testing.T) {
	for name, test := range map[string]struct{ settings, metadata, says, not string }{
		"characters of two encodings":  {"client_secret a+b/c=d-the-secret", "", "basic_encoding raw", ""},
		"the other way round":          {"client_secret a+b/c=d-the-secret\nbasic_encoding raw", "", "basic_encoding form", ""},
		"an id of them":                {"client_id app:one\nclient_secret plain-the-secret", "", "basic_encoding raw", ""},
		"no such characters":           {"client_secret plain-the-secret", "", "check client_id", "basic_encoding"},
		"in the parameters":            {"client_secret a+b/c=d-the-secret\ntoken_endpoint_auth_method client_secret_post", "", "check client_id", "basic_encoding"},
		"blanks around":                {"client_secret \" the-secret\"", "", "begins or ends with white space", ""},
		"percent-encoded":              {"client_secret a%2Bb-the-secret\ntoken_endpoint_auth_method client_secret_post", "", "percent-encoded", ""},
		"a percent sign":               {"client_secret 100%-the-secret\ntoken_endpoint_auth_method client_secret_post", "", "check client_id", "percent-encoded"},
		"no proof":                     {"token_endpoint_auth_method none", "", "proves nothing", ""},
		"a method that is not offered": {"client_secret a+b-the-secret", `["client_secret_post","\u001b[2J","private_key_jwt"]`, "client_secret_post or private_key_jwt", "basic_encoding"},
		"a method that is offered":     {"client_secret plain-the-secret", `["client_secret_basic"]`, "check client_id", "metadata"},
		"a list that is none":          {"client_secret plain-the-secret", `"client_secret_post"`, "check client_id", "metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			var s *moduletest.Granting
			s = moduletest.NewGranting(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					fmt.Fprintf(w, `{"issuer":"%[1]s","token_endpoint":"%[1]s/token","token_endpoint_auth_methods_supported":%[2]s}`, s.Tokens.URL, test.metadata)
					return
				}
				w.WriteHeader(http.StatusUnauthorized)
				fmt.Fprint(w, `{"error":"invalid_client"}`)
			})
			place := "token_endpoint " + s.Tokens.URL + "/token"
			if test.metadata != "" {
				place = "issuer " + s.Tokens.URL
			}
			id := "client_id app\n"
			if strings.Contains(test.settings, "client_id") {
				id = ""
			}
			s.Serving(t, place+"\n"+id+test.settings, "")
			shown := inTrouble(t, "api", "invalid_client")
			if !strings.Contains(shown.Remedy, test.says) || test.not != "" && strings.Contains(shown.Remedy, test.not) {
				t.Errorf("want %q and not %q: %s", test.says, test.not, shown.Remedy)
			}
			if strings.Contains(shown.Detail+shown.Remedy, "the-secret") || strings.Contains(shown.Remedy, "\x1b") {
				t.Errorf("%+v", shown)
			}
		})
	}
}

// An import that could not be presented was carried out later, and its operator had been told that
// it failed.
func TestWhoeverImportsIsToldThatTheRefreshTokenIsKept(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	s := moduletest.NewGranting(t, http.NotFound)
	s.Serving(t, "token_endpoint "+closed.URL+"/token\nclient_id app\nclient_secret literal\nrefresh_token secret-seed\nwait 200ms", "")
	info, err := caddy.GetModule("admin.api.oauth2_client")
	if err != nil {
		t.Fatal(err)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/oauth2_client/clients/api/import", strings.NewReader(`{"refresh_token": "secret-imported"}`))
	r.Header.Set("Content-Type", "application/json")
	if err := info.New().(caddy.AdminRouter).Routes()[0].Handler.ServeHTTP(w, r); err != nil {
		t.Fatal(err)
	}
	var result adminapi.OrderResult
	if err := json.Unmarshal(w.Body.Bytes(), &result); err != nil {
		t.Fatal(err)
	}
	if result.Obtained || !strings.HasSuffix(result.Detail, "; the refresh token is kept, and presented again by itself") || strings.Contains(w.Body.String(), "secret-imported") {
		t.Errorf("answered %s", w.Body)
	}
}
