package authserver

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/settings"
)

// Fault B16. What is conspicuous about a setting is told of, and what makes another value
// hold depends on where the value comes from.
func TestTheRemedyForARefusedClientIsTrueForItsSource(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "value")
	t.Setenv("CREDENTIALS_DIRECTORY", t.TempDir())
	credential := filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), "value")
	for of, tc := range map[string]struct{ setting, value, says string }{
		"a secret that looks right":  {"client_secret", "awrongone", "check client_id"},
		"a secret with a blank":      {"client_secret", "awrongone ", "begins or ends with white space"},
		"a secret with a mark":       {"client_secret", "\ufeffawrongone", "begins with a byte order mark"},
		"a secret in quotes":         {"client_secret", `"awrongone"`, "stands in quotation marks"},
		"a secret that is encoded":   {"client_secret", "awrong%2Fone", "percent-encoded"},
		"a client_id with a blank":   {"client_id", "app ", "the client_id begins or ends"},
		"a client_id that is in two": {"client_id", "app\n\n", "the client_id begins or ends"},
	} {
		for _, name := range []string{file, credential} {
			if err := os.WriteFile(name, []byte(tc.value), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("LAMPLIGHTER_TEST_VALUE", tc.value)
		for written, want := range map[string]string{
			tc.value:                                   "then reload",
			"{env.LAMPLIGHTER_TEST_VALUE}":             "then restart: a running process keeps its environment",
			"{file." + file + "}":                      "the file of " + tc.setting + " is read again by itself",
			"{file.{env.CREDENTIALS_DIRECTORY}/value}": "then restart the service: systemd copies a credential when that starts",
		} {
			t.Run(of+", "+want, func(t *testing.T) {
				cfg := &settings.Client{TokenEndpoint: server.URL, ClientID: "app", ClientSecret: "awrongone", TokenEndpointAuthMethod: "client_secret_post"}
				if tc.setting == "client_id" {
					cfg.ClientID = written
				} else {
					cfg.ClientSecret = written
				}
				c := made(t, cfg)
				req, err := c.Resolve(nil)
				if err != nil {
					t.Fatal(err)
				}
				a := c.Do(t.Context(), *req)
				if !strings.Contains(a.Remedy, tc.says) || !strings.Contains(a.Remedy, want) || want != "then reload" && strings.Contains(a.Remedy, "reload") {
					t.Errorf("the remedy is %q (%+v)", a.Remedy, a.Cause)
				}
			})
		}
	}
}
