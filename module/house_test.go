package module_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lamplighter/module/moduletest"
)

var update = flag.Bool("update", false, "write the rules of the linter anew")

// arrows says of each room below module what it may import of ours, from the highest to
// the lowest. A room with the whole of internal is in its list as "internal".
var arrows = map[string][]string{
	"proxy":  {".", "authserver", "cause", "client", "destination", "doctor", "guard", "inject", "internal/keeper", "internal/target", "internal/redact", "internal/tokenendpoint/asking", "keypair", "listen", "observe", "placeholder", "problem", "prover", "replay", "settings", "unavailable"},
	"prover": {"inject", "internal/dpop", "internal/keeper", "rejection"},
	"serve":  {".", "cause", "client", "guard", "internal/finding", "internal/keeper", "internal/redact", "observe", "placeholder", "problem", "settings", "unavailable"},
	"admin":  {".", "adminapi", "client", "internal/redact", "internal/keeper", "observe", "unavailable"},
	".":      {"adminapi", "client", "doctor", "listen", "login", "nearest", "observe", "placeholder", "scratch", "service", "settings"},
	"doctor": {
		"adminapi", "authserver", "cause", "client", "internal/record", "internal/recordstore", "internal/redact", "internal/tokenendpoint",
		"listen", "placeholder", "records", "settings", "store",
	},
	"listen": nil,
	"client": {
		"adminapi", "authserver", "cause", "exchange", "inject", "internal/dpop", "internal/finding", "internal/grant/step", "internal/keeper", "internal/panics", "internal/record",
		"internal/redact", "internal/tokenendpoint", "internal/explain", "observe", "placeholder", "records", "rejection", "settings", "tokenfile",
	},
	"records": {
		"adminapi", "internal/carry", "internal/sharedstore", "internal/encryption", "internal/filestore", "internal/keeper", "internal/ledger", "internal/record",
		"internal/recordstore", "internal/redact", "nearest", "placeholder", "settings", "store/guest",
	},
	"login":           {"adminapi", "authserver", "cause", "internal/dpop", "internal/target", "internal/redact", "internal/tokenendpoint", "settings"},
	"command":         {"adminapi", "condition", "internal/target", "internal/redact", "placeholder", "scratch", "service", "settings", "statuspage", "tokenformat"}, // see TestCommandsKnowNoSettings
	"statuspage":      {"adminapi", "condition", "internal/target", "internal/redact", "settings"},                                                                   // see TestCommandsKnowNoSettings
	"condition":       {"adminapi"},
	"demo":            {"internal/sandbox"},
	"guard":           {"cause", "internal/target", "internal/redact", "observe", "placeholder", "problem", "nearest"},
	"authserver":      {"cause", "internal/dpop", "internal/finding", "internal/grant/step", "internal/target", "internal/record", "internal/redact", "internal/tokenendpoint", "internal/tokenendpoint/asking", "internal/tokenendpoint/discovery", "keypair", "placeholder", "settings"},
	"settings":        {"inject", "internal/dpop", "internal/target", "internal/presets", "internal/record", "internal/tokenendpoint", "internal/tokenendpoint/signing", "placeholder", "rejection", "tokenfile", "nearest"},
	"tokenfile":       {"adminapi", "cause", "inject", "internal/keeper", "internal/panics", "internal/redact", "tokenformat"},
	"tokenformat":     nil,
	"exchange":        {"adminapi", "internal/keeper", "internal/percaller", "internal/tokenendpoint"},
	"inject":          {"internal/keeper", "nearest"},
	"destination":     {"internal/target"},
	"problem":         {"cause"},
	"unavailable":     {"internal/finding", "internal/keeper", "internal/percaller", "problem"},
	"internal":        {"cause", "internal", "nearest", "store"},
	"nearest":         nil,
	"adminapi":        nil,
	"cause":           nil,
	"keypair":         {"placeholder"},
	"observe":         {"adminapi", "cause", "internal/sharedstore", "internal/finding", "internal/keeper", "internal/panics", "internal/redact", "internal/tokenendpoint", "internal/explain", "tokenfile"},
	"placeholder":     nil,
	"rejection":       nil,
	"scratch":         nil,
	"service":         {"internal/redact"},
	"replay":          {"internal/keeper", "internal/panics"},
	"store":           nil,
	"store/guest":     {"nearest", "store"},
	"store/postgres":  {"internal/target", "internal/redact", "keypair", "placeholder", "store", "store/guest"},
	"store/redis":     {"internal/target", "internal/redact", "keypair", "placeholder", "store", "store/guest"},
	"store/storetest": {"store"},
	"moduletest":      {"admin", "lamplighter/caddyfile"},
	"moduletest/skip": nil,

	"store/kubernetes": {"internal/target", "internal/redact", "placeholder", "store", "store/guest"},
}

const (
	ours      = "lamplighter"
	beginning = "        # Made from module/house_test.go by `go test ./module -run TestRooms -update`.\n"
	end       = "        # The end of what is made.\n"
)

// roomOf is the key of a file's room in arrows.
func roomOf(file string) string {
	dir := filepath.ToSlash(filepath.Dir(file))
	if strings.HasPrefix(dir, "internal/") {
		return "internal"
	}
	return dir
}

// TestRoomsImportOneWay holds the house to its arrows: imports run down, and a room
// cannot come to know what its doc comment says that it must not.
func TestRoomsImportOneWay(t *testing.T) {
	seen := make(map[string]bool)
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		room := roomOf(name)
		may, known := arrows[room]
		if seen[room] = true; !known {
			t.Errorf("%s: nothing says what module/%s may import: add it to the table in module/house_test.go", name, room)
		}
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if room == "internal" && strings.HasPrefix(path, "github.com/caddyserver/") {
				t.Errorf("%s imports %s: nothing below module/internal knows Caddy", name, path)
			}
			if path != ours && !strings.HasPrefix(path, ours+"/") {
				continue
			}
			down := cmp.Or(strings.TrimPrefix(strings.TrimPrefix(path, ours+"/module"), "/"), ".")
			if !slices.ContainsFunc(may, func(m string) bool { return down == m || m == "internal" && strings.HasPrefix(down, "internal/") }) {
				t.Errorf("%s imports %s, which module/%s must not know", name, path, room)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for room := range arrows {
		if !seen[room] {
			t.Errorf("there is no room module/%s any more", room)
		}
	}
}

// TestCommandsKnowNoSettings: a command checks what a client is called before it asks for
// one.
func TestCommandsKnowNoSettings(t *testing.T) {
	commands, err := filepath.Glob("command/*.go")
	page, also := filepath.Glob("statuspage/*.go")
	if err := errors.Join(err, also); err != nil || len(commands) == 0 || len(page) == 0 {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(commands, page) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, used := range regexp.MustCompile(`\bsettings\.(\w+)`).FindAllStringSubmatch(string(text), -1) {
			if used[1] != "CheckName" {
				t.Errorf("%s knows settings.%s", name, used[1])
			}
		}
	}
}

// TestRoomsAreLintedByTheSameArrows keeps the rules of the linter, which says it in the
// editor, those of the table.
func TestRoomsAreLintedByTheSameArrows(t *testing.T) {
	const config = "../.golangci.yml"
	b, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), beginning)
	made, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the rules", config)
	}
	if made == rules() {
		return
	}
	if !*update {
		t.Fatalf("the rules in %s are not those of the table: run this test with -update", config)
	}
	if err := os.WriteFile(config, []byte(before+beginning+rules()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rules are the table as depguard has it.
func rules() string {
	var b strings.Builder
	for _, room := range slices.Sorted(maps.Keys(arrows)) {
		name, files, deny := "room-"+room, "${config-path}/module/"+room+"/*.go", []string{ours}
		switch room {
		case ".":
			name, files = "room", "${config-path}/module/*.go"
		case "internal":
			files, deny = "${config-path}/module/internal/**", []string{ours, "github.com/caddyserver/caddy"}
		}
		fmt.Fprintf(&b, "        %s:\n          list-mode: lax\n          files:\n            - %q\n            - \"!$test\"\n          deny:\n", name, files)
		for _, pkg := range deny {
			fmt.Fprintf(&b, "            - pkg: %s\n              desc: see module/house_test.go for what this room may know\n", pkg)
		}
		for i, pkg := range arrows[room] {
			if i == 0 {
				b.WriteString("          allow:\n")
			}
			switch {
			case pkg == ".":
				fmt.Fprintf(&b, "            - %s/module$\n", ours)
			case strings.HasPrefix(pkg, ours+"/"):
				fmt.Fprintf(&b, "            - %s\n", pkg)
			default:
				fmt.Fprintf(&b, "            - %s/module/%s\n", ours, pkg)
			}
		}
	}
	return b.String()
}

// TestTheArchitectureNamesWhatThereIs: each room has a row, and each name of the walks, and of
// the page on the engine, is there.
func TestTheArchitectureNamesWhatThereIs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	there, folders := make(map[string]bool), make(map[string]bool)
	for _, root := range []string{".", filepath.Join("..", "caddyfile")} {
		err := filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			if dir := filepath.ToSlash(filepath.Dir(name)); !strings.HasPrefix(dir, "..") {
				folders[strings.TrimSuffix("module/"+dir, "/.")] = true
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				return err
			}
			for _, decl := range file.Decls {
				switch d := decl.(type) {
				case *ast.FuncDecl:
					there[file.Name.Name+"."+moduletest.FunctionName(d)] = true
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						if t, ok := spec.(*ast.TypeSpec); ok {
							there[file.Name.Name+"."+t.Name.Name] = true
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	table, walks, _ := strings.Cut(string(page), "\n## Be a request")
	for folder := range folders {
		// Helpers of tests and of other rooms need no row.
		small := slices.Contains([]string{"failpoint", "hostile", "keyfiles", "panics", "recordtest", "skip"}, filepath.Base(folder))
		if !small && !strings.Contains(table, "\n| `"+folder+"` |") {
			t.Errorf("the table has no row for %s", folder)
		}
	}
	engine, err := os.ReadFile(filepath.Join("..", "docs", "engine.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z]+(?:\\.[a-zA-Z]+)+)`").FindAllStringSubmatch(walks+string(engine), -1)
	if len(named) < 20 {
		t.Errorf("only %d names were seen", len(named))
	}
	for _, name := range named {
		if !there[name[1]] {
			t.Errorf("there is no %s", name[1])
		}
	}
}
