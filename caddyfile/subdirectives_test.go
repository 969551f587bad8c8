package caddyfile_test

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEverySubdirectiveIsExplained: what a parser knows is on the hand-written
// page of its directive, and in the syntax that the reference is made from.
func TestEverySubdirectiveIsExplained(t *testing.T) {
	syntax := grammar(t)
	for _, parsed := range []struct {
		function string
		atLeast  int
		page     string
	}{
		{"clientParser.setting", 18, "clients.md"},
		{"clientParser.texts", 30, "clients.md"},
		{"clientParser.durations", 5, "clients.md"},
		{"clientParser.flags", 2, "clients.md"},
		{"FileStore.UnmarshalCaddyfile", 2, "clients.md"},
		{"tokenFileOption", 3, "serving.md"},
		{"upstream.read", 11, "caddyfile.md"},
		{"Transport.UnmarshalCaddyfile", 2, "caddyfile.md"},
		{"RouteScope.Field", 3, "caddyfile.md"},
	} {
		words := wordsOf(t, parsed.function)
		if len(words) < parsed.atLeast {
			t.Errorf("only %d subdirectives were seen in %s", len(words), parsed.function)
		}
		page, err := os.ReadFile(filepath.Join("../docs", parsed.page))
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if !regexp.MustCompile("(?m)(`|\\*\\*|^\t+|\\| |\\{ )" + word + "\\b").Match(page) {
				t.Errorf("docs/%s does not explain %s", parsed.page, word)
			}
			if !regexp.MustCompile(`(?m)^\t+`+word+`\b`).MatchString(syntax) && word != "client_secret_next" {
				t.Errorf("the syntax in the comments does not show %s, which %s reads", word, parsed.function)
			}
		}
	}
}

// wordsOf returns the words that a function tells apart: the cases of a switch,
// or the keys of a map.
func wordsOf(t *testing.T, function string) (words []string) {
	t.Helper()
	collect := func(expr ast.Expr) {
		lit, ok := expr.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		word, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, strings.TrimSpace(word))
	}
	ast.Inspect(functionOf(t, function), func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CaseClause:
			for _, expr := range n.List {
				collect(expr)
			}
		case *ast.KeyValueExpr:
			collect(n.Key)
		}
		return true
	})
	return words
}
