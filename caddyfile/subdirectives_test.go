package caddyfile_test

import (
	"go/ast"
	"go/parser"
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
		file, function string
		atLeast        int
		page           string
	}{
		{"client.go", "setting", 18, "clients.md"},
		{"client.go", "texts", 30, "clients.md"},
		{"client.go", "durations", 5, "clients.md"},
		{"client.go", "store", 2, "clients.md"},
		{"upstream.go", "read", 11, "caddyfile.md"},
		{"../module/transport.go", "UnmarshalCaddyfile", 2, "caddyfile.md"},
		{"../module/routescope.go", "field", 3, "caddyfile.md"},
	} {
		words := wordsOf(t, parsed.file, parsed.function)
		if len(words) < parsed.atLeast {
			t.Errorf("only %d subdirectives were seen in %s of %s", len(words), parsed.function, parsed.file)
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
func wordsOf(t *testing.T, path, function string) (words []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
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
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != function {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
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
	}
	return words
}
