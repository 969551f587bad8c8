package module_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/moduletest"
)

// What a reader can keep in mind. Tests do not count.
const (
	mostFiles         = 24 // of a package
	mostLines         = 2600
	mostFileLines     = 450
	mostFunctionLines = 60
)

// roomier are the packages with bounds of their own. What is to be a smaller room says so
// here, and what cannot be one says why in its doc comment.
var roomier = map[string]int{
	"module/client": 1400, // a request's walk ends here, and what comes finds room
}

// TestNoRoomOutgrowsItsReader holds packages, files and functions to sizes in which a
// reader finds what is asked for.
func TestNoRoomOutgrowsItsReader(t *testing.T) {
	files, lines := make(map[string]int), make(map[string]int)
	for _, root := range []string{"module", "caddyfile", "cmd", "bench", "packaging", "test"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			name := strings.TrimPrefix(filepath.ToSlash(path), "../")
			n, err := measure(t, path, name)
			dir := name[:strings.LastIndexByte(name, '/')]
			files[dir]++
			lines[dir] += n
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for dir, n := range lines {
		most, own := roomier[dir]
		if !own {
			most = mostLines
		}
		if n > most || files[dir] > mostFiles {
			t.Errorf("%s has %d lines in %d files, and may have %d in %d: give an idea in it a room of its own", dir, n, files[dir], most, mostFiles)
		}
	}
	for dir := range roomier {
		if lines[dir] == 0 {
			t.Errorf("there is no %s any more", dir)
		}
	}
}

// measure returns the lines of a file, and looks at it and at its functions.
func measure(t *testing.T, path, name string) (int, error) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, path, text, 0)
	if err != nil {
		return 0, err
	}
	n := strings.Count(string(text), "\n")
	if n > mostFileLines {
		t.Errorf("%s has %d lines, and may have %d", name, n, mostFileLines)
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if long := positions.Position(f.End()).Line - positions.Position(f.Pos()).Line + 1; long > mostFunctionLines {
			t.Errorf("%s: %s has %d lines, and may have %d", name, moduletest.FunctionName(f), long, mostFunctionLines)
		}
	}
	return n, nil
}
