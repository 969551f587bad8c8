package caddyfile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lamplighter/module/settings"
)

const (
	providers     = "../module/internal/presets"
	providersPage = "../docs/providers.md"
	pageBegins    = "-run TestProvidersPage -update`: edit the files there. -->\n"
	pageEnds      = "\n<!-- end -->\n"
)

// TestProvidersPage compares the page with the presets and their fixtures, and
// each Caddyfile on it with the settings that were tested.
func TestProvidersPage(t *testing.T) {
	page, err := os.ReadFile(providersPage)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, begins := bytes.Cut(page, []byte(pageBegins))
	_, tail, ends := bytes.Cut(rest, []byte(pageEnds))
	if !begins || !ends {
		t.Fatal("the marks of the part that is made from the presets are gone")
	}
	presets, err := filepath.Glob(filepath.Join(providers, "*.json"))
	if err != nil || len(presets) == 0 {
		t.Fatalf("no presets: %v", err)
	}
	var links []string
	var sections strings.Builder
	for _, file := range presets {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		links = append(links, "["+name+"](#"+name+")")
		sections.WriteString("\n" + providerSection(t, name))
	}
	want := string(head) + pageBegins + "\n" + strings.Join(links, ",\n") + "\n" + sections.String() + pageEnds + string(tail)
	if *update {
		if err := os.WriteFile(providersPage, []byte(want), 0o600); err != nil { // it exists, and keeps its mode
			t.Fatal(err)
		}
		return
	}
	if string(page) != want {
		t.Errorf("%s is not what the presets say: run 'go test ./caddyfile -run TestProvidersPage -update'", providersPage)
	}
}

func providerSection(t *testing.T, name string) string {
	t.Helper()
	var fixture struct {
		About, Supply, Upstream string
		Source                  string
		Pages, Unverified       []string
		Settings                settings.Client
	}
	text, err := os.ReadFile(filepath.Join(providers, "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &fixture); err != nil {
		t.Fatal(err)
	}
	preset, err := os.ReadFile(filepath.Join(providers, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	config := providerCaddyfile(t, name, fixture.Upstream, &fixture.Settings)

	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s\n\n```caddyfile\n%s```\n\n", name, fixture.About, config)
	fmt.Fprintf(&b, "- **You give:** %s\n- **Documented:**", fixture.Supply)
	for i, page := range fixture.Pages {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, " <%s>", page)
	}
	b.WriteString("\n")
	if what, recorded := strings.CutPrefix(fixture.Source, "recorded: "); recorded {
		fmt.Fprintf(&b, "- **Recorded:** %s\n", what)
	}
	for _, fact := range fixture.Unverified {
		fmt.Fprintf(&b, "- **Not verified:** %s\n", fact)
	}
	fmt.Fprintf(&b, "- **Settings:**\n\n  ```json\n  %s\n  ```\n", strings.ReplaceAll(strings.TrimSpace(string(preset)), "\n", "\n  "))
	return b.String()
}

// providerCaddyfile writes the Caddyfile of a fixture's settings, and checks that
// it means them.
func providerCaddyfile(t *testing.T, name, upstream string, cfg *settings.Client) string {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("http://:8080 {\n\tbind 127.0.0.1\n\tupstream_oauth %s://%s {\n\t\tclient %s {\n\t\t\t%s\n\t\t}\n\t}\n}\n",
		u.Scheme, u.Host, name, strings.Join(subdirectives(t, cfg), "\n\t\t\t"))
	adapted, err := adapt(config)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	_, text, _ := strings.Cut(adapted, `"config": `)
	got := new(settings.Client)
	if err := json.NewDecoder(strings.NewReader(text)).Decode(got); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !got.Equal(cfg) {
		t.Errorf("%s: the Caddyfile becomes\n%+v\nbut the settings are\n%+v", name, got, cfg)
	}
	return config
}

// subdirectives writes the settings in the order of the JSON fields.
func subdirectives(t *testing.T, cfg *settings.Client) (lines []string) {
	t.Helper()
	fields := reflect.ValueOf(cfg).Elem()
	for i := range fields.NumField() {
		name, _, _ := strings.Cut(fields.Type().Field(i).Tag.Get("json"), ",")
		switch value := fields.Field(i).Interface().(type) {
		case string:
			switch {
			case value == "":
			case name == "provider_base":
				lines[0] += " " + value
			default:
				lines = append(lines, name+" "+value)
			}
		case []string:
			if len(value) > 0 {
				lines = append(lines, name+" "+strings.Join(value, " "))
			}
		case map[string][]string:
			for _, key := range slices.Sorted(maps.Keys(value)) {
				for _, v := range value[key] {
					lines = append(lines, name+" "+key+" "+v)
				}
			}
		case map[string]string:
			for _, key := range slices.Sorted(maps.Keys(value)) {
				lines = append(lines, name+" "+key+" "+value[key])
			}
		default:
			if !fields.Field(i).IsZero() {
				t.Fatalf("%s: write down here how it looks in a Caddyfile", name)
			}
		}
	}
	return lines
}
