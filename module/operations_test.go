package module_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// page reads a page of the documentation.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestOperatorsFindEveryWord: whatever a command, the log or a metric says is
// explained, also what is added later. Causes are held to their table, in
// module/cause.
func TestOperatorsFindEveryWord(t *testing.T) {
	for what, w := range map[string]struct {
		files, pattern string
		atLeast        int
		on, as         string
	}{
		"state":  {"internal/keeper/status.go", `(?m)^\tState\w+ +State = "(\w+)"`, 7, "troubleshooting.md", "\n### `%s`\n"},
		"event":  {"internal/explain/explain.go", `(?m)^\tfinding\.\w+: +"(\w+)"`, 16, "operations.md", "`%s`"},
		"metric": {"observe/metrics.go", `= desc\("(\w+)"`, 12, "operations.md", "| `caddy_oauth2_client_%s"},
		"result": {"observe/metrics.go", `(?m)^\ttokenendpoint\.\w+: +"(\w+)",`, 6, "operations.md", "`%s`"},
	} {
		names, err := filepath.Glob(w.files)
		if err != nil {
			t.Fatal(err)
		}
		text, found := page(t, w.on), 0
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range regexp.MustCompile(w.pattern).FindAllStringSubmatch(string(source), -1) {
				found++
				if word := strings.Join(match[1:], ""); !strings.Contains(text, fmt.Sprintf(w.as, word)) {
					t.Errorf("docs/%s does not explain the %s %s of %s", w.on, what, word, name)
				}
			}
		}
		if found < w.atLeast {
			t.Errorf("only %d words of the kind %s were seen", found, what)
		}
	}
}
