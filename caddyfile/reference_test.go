package caddyfile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

const (
	referencePage   = "../docs/reference.md"
	referenceBegins = "-run TestReferencePage -update`: edit them there. -->\n"
)

// TestReferencePage compares the reference with the doc comments of the modules
// and of the Caddyfile's parsers.
func TestReferencePage(t *testing.T) {
	page, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	head, _, begins := bytes.Cut(page, []byte(referenceBegins))
	if !begins {
		t.Fatal("the mark of the part that is made from the comments is gone")
	}
	r := reference{t: t, types: make(map[string]documented)}
	r.read()
	want := string(head) + referenceBegins + "\n## Caddyfile\n" + grammar(t) + "\n## JSON\n" + r.modules()
	if *update && !t.Failed() {
		if err := os.WriteFile(referencePage, []byte(want), 0o600); err != nil { // it exists, and keeps its mode
			t.Fatal(err)
		}
		return
	}
	if string(page) != want {
		t.Errorf("%s is not what the comments say: run 'go test ./caddyfile -run TestReferencePage -update'", referencePage)
	}
}

// TestTheReferenceHasEverySyntax finds parsers that it does not name.
func TestTheReferenceHasEverySyntax(t *testing.T) {
	said, shown := 0, strings.Count(grammar(t), "```caddy\n")
	for _, file := range sources(t) {
		said += bytes.Count(file.text, []byte("Syntax:\n//\n//\t"))
	}
	if said == 0 || said != shown {
		t.Errorf("the comments say %d syntaxes, and the reference shows %d", said, shown)
	}
}

// indent is that of a line of code in a comment.
var indent = regexp.MustCompile(`(?m)^\t *`)

// grammar writes what follows "Syntax:" in the comments of the parsers.
func grammar(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, part := range []struct{ title, function string }{
		{"The directive upstream_oauth", "parseUpstream"},
		{"The global option oauth2_client", "parseGlobalOption"},
		{"The global option max_concurrent_refreshes", "parseLimit"},
		{"The global option oauth2_store", "parseDefaultStore"},
		{"The transport oauth2", "Transport.UnmarshalCaddyfile"},
		{"The directive inject_token", "parseInjectToken"},
		{"The directive serve_token", "parseServeToken"},
		{"The settings of a client", "parseClient"},
		{"The store file", "FileStore.UnmarshalCaddyfile"},
		{"The store kubernetes", "Kubernetes.UnmarshalCaddyfile"},
		{"The store postgres", "Postgres.UnmarshalCaddyfile"},
		{"The store redis", "Redis.UnmarshalCaddyfile"},
	} {
		_, syntax, ok := strings.Cut(functionOf(t, part.function).Doc.Text(), "Syntax:\n\n")
		if !ok {
			t.Fatalf("the comment of %s says no syntax", part.function)
		}
		syntax = indent.ReplaceAllStringFunc(syntax, func(spaces string) string {
			return strings.Repeat("\t", strings.Count(strings.TrimPrefix(spaces, "\t"), "    "))
		})
		fmt.Fprintf(&b, "\n### %s\n\n```caddy\n%s\n```\n", part.title, strings.TrimSpace(syntax))
	}
	return b.String()
}

// documented is what the comments say of a type and of its fields.
type documented struct {
	doc    string
	fields map[string]string
}

// reference writes the modules' part of the page. Types are written after what
// uses them, each once.
type reference struct {
	t     *testing.T
	types map[string]documented // by import path and name
	queue []reflect.Type
	at    map[reflect.Type][]string // where a type stands
}

func (r *reference) read() {
	for _, file := range sources(r.t) {
		for _, decl := range file.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok {
					r.types[file.pkg+"."+s.Name.Name] = documentation(d, s)
				}
			}
		}
	}
}

// of returns what is said of a type.
func (r *reference) of(typ reflect.Type) documented { return r.types[typ.PkgPath()+"."+typ.Name()] }

func documentation(d *ast.GenDecl, s *ast.TypeSpec) documented {
	known := documented{doc: d.Doc.Text(), fields: make(map[string]string)}
	if s.Doc != nil {
		known.doc = s.Doc.Text()
	}
	if fields, ok := s.Type.(*ast.StructType); ok {
		for _, f := range fields.Fields.List {
			for _, name := range f.Names {
				known.fields[name.Name] = f.Doc.Text()
			}
		}
	}
	return known
}

// ours are the packages whose types the page explains.
var ours = regexp.MustCompile(`^lamplighter/`)

func (r *reference) modules() string {
	r.at = make(map[reflect.Type][]string)
	var b strings.Builder
	written := 0
	for _, id := range caddy.Modules() {
		info, err := caddy.GetModule(id)
		if err != nil {
			r.t.Fatal(err)
		}
		typ := reflect.TypeOf(info.New())
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if !ours.MatchString(typ.PkgPath()) || info.ID.Namespace() == "admin.api" {
			continue // the admin API has no settings
		}
		written++
		fmt.Fprintf(&b, "\n### Module %s\n\n%s\n%s", id, place(info.ID), r.section(typ, prefix(info.ID)))
	}
	if written < 5 {
		r.t.Errorf("only %d modules were seen", written)
	}
	for len(r.queue) > 0 {
		typ := r.queue[0]
		r.queue = r.queue[1:]
		text := r.section(typ, slices.Min(r.at[typ]))
		fmt.Fprintf(&b, "\n### Type %s\n\nAt `%s`.\n%s", typ.Name(), strings.Join(r.at[typ], "` and `"), text)
	}
	return b.String()
}

// place tells where a module stands in a configuration.
func place(id caddy.ModuleID) string {
	switch id.Namespace() {
	case "":
		return fmt.Sprintf("At `apps.%s`.", id.Name())
	case "http.handlers":
		return fmt.Sprintf("A handler of a route: `{\"handler\": \"%s\", …}`.", id.Name())
	case "http.reverse_proxy.transport":
		return fmt.Sprintf("The `transport` of the handler `reverse_proxy`: `{\"protocol\": \"%s\", …}`.", id.Name())
	}
	if id.Namespace() == "oauth2_client.stores" {
		return fmt.Sprintf("The `store` of a client, or of the app: `{\"kind\": \"%s\", …}`.", id.Name())
	}
	return fmt.Sprintf("In the namespace `%s`.", id.Namespace())
}

// handler is where a route has a handler.
const handler = "apps.http.servers.<name>.routes.<number>.handle.<number>"

// prefix is what the paths of a module's members start with.
func prefix(id caddy.ModuleID) string {
	switch id.Namespace() {
	case "":
		return "apps." + id.Name()
	case "http.reverse_proxy.transport":
		return handler + ".transport"
	case "oauth2_client.stores":
		return "apps.oauth2_client.store"
	}
	return handler
}

// section writes a type's comment and a table of its members.
func (r *reference) section(typ reflect.Type, path string) string {
	known := r.of(typ)
	if known.doc == "" {
		r.t.Errorf("type %s has no doc comment", typ.Name())
	}
	rows, inherited := r.rows(typ, path)
	text := "\n" + known.doc + "\n| member | type | meaning |\n|---|---|---|\n" + rows
	for _, id := range inherited {
		text += fmt.Sprintf("\nAnd all members of Caddy's module [%[1]s](https://caddyserver.com/docs/modules/%[1]s).\n", id)
	}
	return text
}

// embedded are Caddy's own modules that ours embed.
var embedded = map[string]string{"HTTPTransport": "http.reverse_proxy.transport.http"}

func (r *reference) rows(typ reflect.Type, path string) (rows string, inherited []string) {
	known := r.of(typ)
	for f := range typ.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && embedded[f.Name] != "":
			inherited = append(inherited, embedded[f.Name])
			continue
		case f.Anonymous && name == "":
			more, _ := r.rows(f.Type, path)
			rows += unshadowed(more, typ)
			continue
		case !f.IsExported() || name == "-":
			continue
		case name == "":
			r.t.Errorf("%s.%s has no JSON name", typ.Name(), f.Name)
		}
		doc := strings.Join(strings.Fields(known.fields[f.Name]), " ")
		if doc == "" {
			r.t.Errorf("field %s.%s has no doc comment", typ.Name(), f.Name)
		}
		kind := r.kind(f.Type, path+"."+name)
		if !strings.Contains(options, "omitempty") {
			kind += ", required"
		}
		rows += fmt.Sprintf("| `%s` | %s | %s |\n", name, kind, strings.ReplaceAll(doc, "|", `\|`))
	}
	return rows, inherited
}

// unshadowed are the rows of an embedded type that the type around it has no member of the
// same name for.
func unshadowed(rows string, around reflect.Type) (kept string) {
	for row := range strings.Lines(rows) {
		hidden := false
		for f := range around.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			hidden = hidden || name != "" && strings.HasPrefix(row, "| `"+name+"` |")
		}
		if !hidden {
			kept += row
		}
	}
	return kept
}

// kind names a Go type as JSON has it.
func (r *reference) kind(typ reflect.Type, path string) string {
	switch {
	case typ == reflect.TypeFor[caddy.Duration]():
		return "duration"
	case typ == reflect.TypeFor[json.RawMessage]():
		return "object"
	case typ.Kind() == reflect.Pointer:
		return r.kind(typ.Elem(), path)
	case typ.Kind() == reflect.Slice:
		return "list of " + r.kind(typ.Elem(), path+".<number>")
	case typ.Kind() == reflect.Map:
		return "object of " + r.kind(typ.Elem(), path+".<name>")
	case typ.Kind() == reflect.Struct && ours.MatchString(typ.PkgPath()):
		if r.at[typ] == nil {
			r.queue = append(r.queue, typ)
		}
		r.at[typ] = append(r.at[typ], path)
		return fmt.Sprintf("[%s](#type-%s)", typ.Name(), strings.ToLower(typ.Name()))
	case typ.Kind() == reflect.Struct && typ.Name() == "TLSConfig":
		return "object, as [`tls` of Caddy's transport http](https://caddyserver.com/docs/json/apps/http/servers/routes/handle/reverse_proxy/transport/http/tls/)"
	case typ.Kind() == reflect.String:
		return "string"
	case typ.Kind() == reflect.Bool:
		return "boolean"
	case typ.Kind() == reflect.Int || typ.Kind() == reflect.Int64 || typ.Kind() == reflect.Uint16:
		return "integer"
	case typ.Kind() == reflect.Float64:
		return "number"
	}
	r.t.Errorf("%s: write down here what a %s is in JSON", path, typ)
	return ""
}
