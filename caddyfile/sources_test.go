package caddyfile_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"lamplighter/module/moduletest"
)

// source is a file of ours that says something to users in its comments.
type source struct {
	pkg  string // its import path
	text []byte
	*ast.File
}

// sources are the files of this package and of all rooms of module/ but the
// internal ones, wherever in them something stands.
func sources(t *testing.T) []source {
	t.Helper()
	list, err := readSources()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var readSources = sync.OnceValues(func() (list []source, err error) {
	for _, room := range []string{"caddyfile", "module"} {
		err = filepath.WalkDir(filepath.Join("..", room), func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "internal" || d.Name() == "testdata"):
				return filepath.SkipDir
			case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
			pkg, _ := strings.CutPrefix(filepath.ToSlash(filepath.Dir(name)), "../")
			list = append(list, source{path.Join("lamplighter", pkg), text, file})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
})

// functionOf returns the function of that name, or the method of Type.name.
func functionOf(t *testing.T, name string) (found *ast.FuncDecl) {
	t.Helper()
	for _, file := range sources(t) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || moduletest.FunctionName(f) != name {
				continue
			}
			if found != nil {
				t.Fatalf("there are two functions %s", name)
			}
			found = f
		}
	}
	if found == nil {
		t.Fatalf("there is no function %s", name)
	}
	return found
}
