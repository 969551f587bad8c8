package module

import (
	"net/http"
	"net/url"
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
			c, _ := deviceServer(t, &settings.Client{ClientSecret: secret}, func(w http.ResponseWriter, _ url.Values) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
			})
			in, err := c.inputs()
			if err != nil {
				t.Fatal(err)
			}
			a := in.Ask(t.Context(), "a-refresh-token", func() error { return nil })
			if !strings.Contains(a.Remedy, want) || want != "then reload" && strings.Contains(a.Remedy, "reload") {
				t.Errorf("the remedy is %q (%+v)", a.Remedy, a.Cause)
			}
		})
	}
}
