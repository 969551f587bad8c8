package rig

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ServingPage is docs/serving.md.
func ServingPage(t testing.TB) string {
	t.Helper()
	root, err := Repository()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "serving.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Example is the one block of that page in a language that begins like this.
func Example(t testing.TB, language, beginning string) string {
	t.Helper()
	found := regexp.MustCompile("(?ms)^```"+language+"\n("+regexp.QuoteMeta(beginning)+".*?)^```$").FindAllStringSubmatch(ServingPage(t), -1)
	if len(found) != 1 {
		t.Fatalf("the page has %d blocks in %s that begin with %q", len(found), language, beginning)
	}
	return found[0][1]
}

// Replaced makes the replacements, each of which must be possible.
func Replaced(t testing.TB, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("no %q in:\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}
