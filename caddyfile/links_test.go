package caddyfile_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	unslug  = regexp.MustCompile(`[^\w -]`)
)

// anchors are the fragments that a page's headings have.
func anchors(text string) map[string]bool {
	found := make(map[string]bool)
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		found[strings.ReplaceAll(unslug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return found
}

// TestLinksBetweenPagesLeadSomewhere follows those to files of the repository,
// and to headings.
func TestLinksBetweenPagesLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	followed := 0
	for _, page := range append(pages, "../README.md", "../SECURITY.md", "../CHANGELOG.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range link.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
			to, err := url.Parse(l[1])
			if err != nil || to.Scheme != "" {
				continue
			}
			followed++
			target := page
			if to.Path != "" {
				target = filepath.Join(filepath.Dir(page), to.Path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", page, l[1])
				continue
			}
			if to.Fragment == "" {
				continue
			}
			aim, err := os.ReadFile(target)
			if err != nil {
				t.Fatal(err)
			}
			if !anchors(string(aim))[to.Fragment] {
				t.Errorf("%s links to %s, but there is no such heading", page, l[1])
			}
		}
	}
	if followed < 30 {
		t.Errorf("only %d links were seen", followed)
	}
}

// TestEveryPageIsReachedFromTheReadme follows links as a reader does.
func TestEveryPageIsReachedFromTheReadme(t *testing.T) {
	reached := map[string]bool{"../README.md": true}
	for next := []string{"../README.md"}; len(next) > 0; next = next[1:] {
		text, err := os.ReadFile(next[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range link.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
			to, err := url.Parse(l[1])
			if err != nil || to.Scheme != "" || !strings.HasSuffix(to.Path, ".md") {
				continue
			}
			if page := filepath.Join(filepath.Dir(next[0]), to.Path); !reached[page] {
				reached[page] = true
				next = append(next, page)
			}
		}
	}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) < 15 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range append(pages, "../SECURITY.md", "../CONTRIBUTING.md", "../CHANGELOG.md") {
		if !reached[page] {
			t.Errorf("no link leads from the README to %s", page)
		}
	}
}
