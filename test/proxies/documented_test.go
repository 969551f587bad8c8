package proxies

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// page is docs/serving.md.
func page(t *testing.T) string {
	t.Helper()
	root, err := rig.Repository()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "serving.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documented are the blocks of the page in a language, as many as there are to be.
func documented(t *testing.T, language string, number int) (blocks []string) {
	t.Helper()
	for _, block := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(page(t), -1) {
		blocks = append(blocks, block[1])
	}
	if len(blocks) != number {
		t.Fatalf("the page has %d blocks for %s", len(blocks), language)
	}
	return blocks
}

// replaced makes the replacements, each of which must be there.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("no %q in:\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}
