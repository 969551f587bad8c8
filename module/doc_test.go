package module_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	_ "lamplighter/module"
	_ "lamplighter/module/admin"
)

// TestEveryExportedNameAndFieldIsDocumented keeps what Caddy's site and the
// reference are generated from complete.
func TestEveryExportedNameAndFieldIsDocumented(t *testing.T) {
	fset := token.NewFileSet()
	names := rooms(t)
	fields := 0
	for _, name := range names {
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GenDecl:
				for _, spec := range n.Specs {
					if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() && n.Doc == nil && s.Doc == nil {
						t.Errorf("%s: type %s has no doc comment", fset.Position(s.Pos()), s.Name)
					}
				}
			case *ast.FuncDecl:
				if n.Name.IsExported() && n.Doc == nil {
					t.Errorf("%s: %s has no doc comment", fset.Position(n.Pos()), n.Name)
				}
			case *ast.TypeSpec:
				s, ok := n.Type.(*ast.StructType)
				if !ok || !n.Name.IsExported() {
					return true
				}
				for _, f := range s.Fields.List {
					if f.Tag == nil || !f.Names[0].IsExported() {
						continue
					}
					fields++
					if f.Doc == nil {
						t.Errorf("%s: field %s.%s has no doc comment", fset.Position(f.Pos()), n.Name, f.Names[0])
					}
				}
			}
			return true
		})
	}
	if fields < 30 {
		t.Errorf("only %d fields were seen", fields)
	}
}

// rooms are the files of this package and of those below it, but the internal ones.
func rooms(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "internal":
			return filepath.SkipDir
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestModulesAreRegistered(t *testing.T) {
	for _, id := range []string{"oauth2_client", "http.reverse_proxy.transport.oauth2", "admin.api.oauth2_client", "http.handlers.oauth2_guard", "http.handlers.inject_token"} {
		if _, err := caddy.GetModule(id); err != nil {
			t.Error(err)
		}
	}
}

func TestPagesNameTestsThatExist(t *testing.T) {
	var sources strings.Builder
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		sources.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"docs/reliability.md", "docs/install.md", "SECURITY.md"} {
		page, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
		if len(named) == 0 {
			t.Errorf("%s names no test", name)
		}
		for _, test := range named {
			if !strings.Contains(sources.String(), "\nfunc "+test[1]+"(") {
				t.Errorf("%s: there is no %s", name, test[1])
			}
		}
	}
}
