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

// Fault B16.
func TestTheRemedyForARefusedSecretIsTrueForItsSource(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("awrongone"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LAMPLIGHTER_TEST_SECRET", "awrongone")
	for secret, want := range map[string]string{
		"awrongone":                     "then reload",
		"{env.LAMPLIGHTER_TEST_SECRET}": "then restart: a running process keeps its environment",
		"{file." + file + "}":           "is read again by itself",
	} {
		t.Run(secret[:5], func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
			}))
			defer server.Close()
			c := made(t, &settings.Client{TokenEndpoint: server.URL, ClientID: "app", ClientSecret: secret})
			req, err := c.Resolve(nil)
			if err != nil {
				t.Fatal(err)
			}
			a := c.Do(t.Context(), *req)
			if !strings.Contains(a.Remedy, want) || want != "then reload" && strings.Contains(a.Remedy, "reload") {
				t.Errorf("the remedy is %q (%+v)", a.Remedy, a.Cause)
			}
		})
	}
}
