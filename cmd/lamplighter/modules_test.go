package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// absent are the packages of Caddy's standard modules that are not here, with the word for
// them in docs/install.md.
var absent = map[string]string{"caddypki/acmeserver": "acme_server"}

// packagesOf are those of Caddy's modules that a file imports.
func packagesOf(t *testing.T, file string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`"github.com/caddyserver/caddy/v2/modules/([a-z/]+)"`).FindAllSubmatch(text, -1) {
		names = append(names, string(found[1]))
	}
	return names
}

func TestAllOfCaddysStandardModulesAreHereButWhatThePageNames(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/caddyserver/caddy/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	caddy := strings.TrimSpace(string(dir))
	standard := packagesOf(t, filepath.Join(caddy, "modules", "standard", "imports.go"))
	standard = append(standard, packagesOf(t, filepath.Join(caddy, "modules", "caddyhttp", "standard", "imports.go"))...)
	if len(standard) < 25 {
		t.Fatalf("only %d packages were seen", len(standard))
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "install.md"))
	if err != nil {
		t.Fatal(err)
	}
	here := packagesOf(t, "modules.go")
	for _, name := range standard {
		word, missing := absent[name]
		switch {
		case name == "caddyhttp/standard": // the second list
		case missing == slices.Contains(here, name):
			t.Errorf("%s: imported %v, absent %v", name, !missing, missing)
		case missing && !strings.Contains(string(page), "| `"+word+"` |"):
			t.Errorf("docs/install.md does not say that there is no %s", word)
		}
	}
}
