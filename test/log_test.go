package test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"lamplighter/test/internal/rig"
)

// TestNoSecretIsPrinted turns every log on, lets things go wrong that print URLs
// and bodies elsewhere, and then looks for every secret there was in everything
// that can be read.
func TestNoSecretIsPrinted(t *testing.T) {
	tests := map[string]struct {
		method   oidc.AuthMethod
		settings string
	}{
		// The secrets are a part of the URL, which Go's errors print.
		"client_secret_post in the query": {oidc.AuthMethodPost, "token_endpoint_auth_method client_secret_post\nparams_in query"},
		"client_secret_basic":             {oidc.AuthMethodBasic, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := &registration{
				id: "erp sidecar", secret: awkward, method: tt.method,
				grants: []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken},
			}
			server := newAuthServer(t, lifetime, client)
			api := newAPI(t, server)
			dir, address := rig.Home(t), rig.FreeAddress(t)
			seed := server.login()
			rig.Write(t, dir, "secret", client.secret)
			rig.Write(t, dir, "seed", seed)
			_, port, _ := strings.Cut(address, ":")
			rig.Write(t, dir, "Caddyfile", fmt.Sprintf(`{
	debug
	grace_period 5s
	servers {
		log_credentials
	}
}

http://:%s {
	bind 127.0.0.1
	log
	upstream_oauth %s {
		client erp {
			token_endpoint %s
			client_id "%s"
			client_secret {file.secret}
			refresh_token {file.seed}
			rotation required
			rotation_overlap none
			%s
		}
		health_uri /health
		health_interval 500ms
	}
}
`, port, api.URL, server.tokenEndpoint(), client.id, tt.settings))

			server.fail(dropped, echoed(http.StatusInternalServerError), echoedJSON(http.StatusServiceUnavailable))
			s := rig.RunSidecar(t, dir, address)
			number(t, rig.Get(t, s.Address, "/orders"))
			server.fail(echoed(http.StatusTooManyRequests), dropped)
			last := callThrough(t, s, 4)
			listing := listings(t, dir)
			s.Kill()
			first := s.Output.String()

			s = rig.RunSidecar(t, dir, address)
			callThrough(t, s, last+1)
			api.Close() // the upstream cannot be reached any more
			rig.Eventually(t, "calls fail without the upstream", func() bool {
				return rig.Get(t, s.Address, "/orders").Status >= 500
			})
			if err := s.End(rig.Terminate); err != nil {
				t.Errorf("it ended with %v", err)
			}

			log := first + s.Output.String()
			// A test that sees nothing proves nothing.
			for _, expected := range []string{`"level":"debug"`, "upstream roundtrip", "handled request", "token"} {
				if !strings.Contains(log, expected) {
					t.Errorf("there is no %s in the log", expected)
				}
			}
			secrets := append(server.everySecret(), seed)
			secrets = append(secrets, server.refreshTokens()...)
			printed := map[string]string{"the log": log, "the listings": listing}
			maps.Copy(printed, filesBeside(t, dir))
			for where, content := range printed {
				findSecrets(t, where, content, client, secrets)
			}
		})
	}
}

// dropped ends the connection without an answer.
func dropped(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// echoed answers with a page that repeats the whole request, as some proxies do.
func echoed(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Location", r.URL.String())
		w.WriteHeader(status)
		fmt.Fprintf(w, "<html><h1>Sorry</h1>%s<pre>%s %v</pre></html>", html.EscapeString(r.URL.String()), body, r.Header)
	}
}

// echoedJSON does it in an error of RFC 6749.
func echoedJSON(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = r.ParseForm()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{
			"error":             "temporarily_unavailable",
			"error_description": fmt.Sprintf("cannot serve %s with %s for %s", r.URL, body, r.Form),
			"error_uri":         r.URL.String(),
		})
	}
}

// listings is what the commands and the admin API tell of a running instance.
func listings(t *testing.T, home string) string {
	t.Helper()
	var all strings.Builder
	for _, args := range [][]string{
		{"tokens", "list"},
		{"tokens", "list", "--json"},
		{"tokens", "health", "--json"},
	} {
		stdout, stderr, code := rig.Command(t, home, args...)
		if code != 0 {
			t.Errorf("lamplighter %s ended with %d", strings.Join(args, " "), code)
		}
		if !strings.Contains(stdout+stderr, "erp") {
			t.Errorf("lamplighter %s does not list the client: %s", strings.Join(args, " "), stdout)
		}
		all.WriteString(stdout + stderr)
	}
	all.WriteString(adminConfig(t, home))
	return all.String()
}

// adminConfig is what the admin API answers over its socket.
func adminConfig(t *testing.T, home string) string {
	t.Helper()
	client := rig.UnixClient(filepath.Join(home, "data", "lamplighter", "admin.sock"))
	var all strings.Builder
	for _, path := range []string{"/config/", "/oauth2_client/clients", "/oauth2_client/ready", "/metrics", "/reverse_proxy/upstreams"} {
		res, err := client.Get("http://admin" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("the admin API answered %s with %d: %v", path, res.StatusCode, err)
		}
		all.Write(body)
	}
	return all.String()
}

// filesBeside returns what was written besides the records, which only their
// owner can read, and the files that the test wrote.
func filesBeside(t *testing.T, home string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "oauth2_client" {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() || filepath.Dir(path) == home {
			return nil
		}
		content, err := os.ReadFile(path)
		files[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Error("not even the configuration was saved")
	}
	return files
}

var tokenQuery = regexp.MustCompile(`(?i)(grant_type|client_secret|refresh_token|access_token|id_token)(=|%3D)`)

// findSecrets fails the test for every secret in a text, in any spelling.
func findSecrets(t *testing.T, where, text string, c *registration, secrets []string) {
	t.Helper()
	if found := tokenQuery.FindString(text); found != "" {
		t.Errorf("%s holds the query string of a token request: %q", where, found)
	}
	secrets = append(slices.Clone(secrets), basicHeader(c.id, c.secret), base64.StdEncoding.EncodeToString([]byte(c.id+":"+c.secret)))
	for _, secret := range secrets {
		for _, spelling := range spellings(secret) {
			if i := strings.Index(text, spelling); i >= 0 {
				t.Errorf("%s holds the secret %q: …%s…", where, secret, text[max(0, i-300):min(len(text), i+100)])
				break
			}
		}
	}
}

// spellings are the ways in which a secret can get into a text.
func spellings(secret string) []string {
	quoted, _ := json.Marshal(secret)
	all := []string{
		secret,
		strings.Trim(string(quoted), `"`),
		url.QueryEscape(secret),
		url.PathEscape(secret),
		html.EscapeString(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.RawURLEncoding.EncodeToString([]byte(secret)),
	}
	for _, s := range slices.Clone(all) {
		all = append(all, strings.ToLower(s), url.QueryEscape(s))
	}
	return all
}

// TestSpellings makes sure that the search finds what it should.
func TestSpellings(t *testing.T) {
	for _, text := range []string{
		"x " + awkward + " x",
		`"msg":"` + strings.ReplaceAll(awkward, "&", `\u0026`) + `"`,
		"?a=" + url.QueryEscape(awkward),
		"/" + url.PathEscape(awkward),
	} {
		if !slices.ContainsFunc(spellings(awkward), func(s string) bool { return strings.Contains(text, s) }) {
			t.Errorf("no spelling is found in %q", text)
		}
	}
	recorder := httptest.NewRecorder()
	echoed(http.StatusTeapot)(recorder, httptest.NewRequest(http.MethodPost, "/token?refresh_token="+url.QueryEscape(awkward), nil))
	if !tokenQuery.MatchString(recorder.Body.String()) {
		t.Errorf("the fault echoes nothing: %s", recorder.Body)
	}
}
