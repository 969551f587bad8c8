package placeholder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAVariableMayNameTheFileOfASecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LAMPLIGHTER_TEST_FILE", path)
	t.Setenv("LAMPLIGHTER_TEST_DIR", filepath.Dir(path))
	t.Setenv("LAMPLIGHTER_TEST_BRACES", "/run/{env.HOME}")
	for raw, want := range map[string]string{
		"{file.{env.LAMPLIGHTER_TEST_FILE}}":         "s3cret",
		"{file.{env.LAMPLIGHTER_TEST_DIR}/token}":    "s3cret",
		"{file.{env.LAMPLIGHTER_TEST_UNSET}/token}":  "error: the environment variable LAMPLIGHTER_TEST_UNSET is not set or empty",
		"Bearer {file.{env.LAMPLIGHTER_TEST_FILE}}!": "Bearer s3cret!",
		"{file.{env.LAMPLIGHTER_TEST_NONE}}":         "error: the environment variable LAMPLIGHTER_TEST_NONE is not set or empty",
		"{file.{env.LAMPLIGHTER_TEST_BRACES}}":       "error: the path in the environment variable LAMPLIGHTER_TEST_BRACES holds braces",
	} {
		var r Resolver
		got := r.Value("client_assertion", raw)
		if fault, fails := strings.CutPrefix(want, "error: "); fails {
			if r.Err == nil || !strings.Contains(r.Err.Error(), "client_assertion: "+fault) {
				t.Errorf("%s: %q, %v", raw, got, r.Err)
			}
			continue
		}
		if r.Err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", raw, got, r.Err, want)
		}
	}
	for raw, want := range map[string]string{
		"{file.{env.LAMPLIGHTER_TEST_FILE}}":      path,
		"{file.{env.LAMPLIGHTER_TEST_NONE}}":      "the setting client_assertion",
		"{file.{env.LAMPLIGHTER_TEST_DIR}/token}": path,
		"{file./run/token}":                       "/run/token",
		"{env.TOKEN}":                             "the environment variable TOKEN",
		"{env.A}{env.B}":                          "the setting client_assertion",
		"eyJhbGciOi":                              "the setting client_assertion",
	} {
		if got := Place(raw, "client_assertion"); got != want {
			t.Errorf("the place of %s is %q, want %q", raw, got, want)
		}
	}
}

func TestACredentialOfSystemdIsKnown(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials/lamplighter.service")
	for raw, want := range map[string]bool{
		"{file./run/credentials/lamplighter.service/secret}":  true,
		"{file.{env.CREDENTIALS_DIRECTORY}/secret}":           true,
		"{file./run/credentials/lamplighter.service2/secret}": false,
		"{file./run/secrets/secret}":                          false,
		"{env.CREDENTIALS_DIRECTORY}":                         false,
	} {
		if got := IsCredential(raw); got != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if IsCredential("{file./run/credentials/lamplighter.service/secret}") {
		t.Error("where systemd is not")
	}
}
