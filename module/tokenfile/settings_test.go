package tokenfile

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"lamplighter/module/inject"
	"lamplighter/module/internal/keeper"
)

func compiled(t *testing.T, in []inject.Injection, files ...File) ([]*Compiled, error) {
	t.Helper()
	places, err := inject.Compile(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Compile(files, places)
}

func TestFilesThatCannotBeAreRefused(t *testing.T) {
	query := []inject.Injection{{In: "query", Name: "token"}}
	for says, c := range map[string]struct {
		in    []inject.Injection
		files []File
	}{
		"path is missing":    {files: []File{{}}},
		"absolute path":      {files: []File{{Path: "token"}}},
		"of a file":          {files: []File{{Path: "/run/tokens/"}}},
		"is not the":         {files: []File{{Path: "/"}}},
		"placeholder":        {files: []File{{Path: "/run/{env.NAME}"}}},
		"control character":  {files: []File{{Path: "/run/a\nb"}}},
		"is there twice":     {files: []File{{Path: "/run/a"}, {Path: "/run/./a"}}},
		`mode "0666"`:        {files: []File{{Path: "/run/a", Mode: "0666"}}},
		`mode "0620"`:        {files: []File{{Path: "/run/a", Mode: "0620"}}},
		`mode "0700"`:        {files: []File{{Path: "/run/a", Mode: "0700"}}},
		`mode "4600"`:        {files: []File{{Path: "/run/a", Mode: "4600"}}},
		`mode "0044"`:        {files: []File{{Path: "/run/a", Mode: "0044"}}},
		`mode "rw"`:          {files: []File{{Path: "/run/a", Mode: "rw"}}},
		`mode "-1"`:          {files: []File{{Path: "/run/a", Mode: "-1"}}},
		`"xml" is unknown`:   {files: []File{{Path: "/run/a", Format: "xml"}}},
		"{acces_token}":      {files: []File{{Path: "/run/a", Format: "{acces_token}"}}},
		"{refresh_token}":    {files: []File{{Path: "/run/a", Format: "{access_token} {refresh_token}"}}},
		"names no value":     {files: []File{{Path: "/run/a", Format: "{}"}}},
		"what goes into hea": {query, []File{{Path: "/run/a", Format: "header"}}},
		"format envoy_sds":   {query, []File{{Path: "/run/a", Format: "envoy_sds"}}},
	} {
		if _, err := compiled(t, c.in, c.files...); err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "token_file ") {
			t.Errorf("want an error that says %q, got %v", says, err)
		}
	}
	if _, err := compiled(t, query, File{Path: "/run/a"}, File{Path: "/run/b", Format: "dotenv"}, File{Path: "/run/c", Format: "exec_credential"}); err != nil {
		t.Error(err)
	}
}

func TestNobodyButTheOwnerWritesAndTheRestIsSaid(t *testing.T) {
	for _, c := range []struct {
		file File
		want string
	}{{File{}, "-rw-------"}, {File{Group: "g"}, "-rw-r-----"}, {File{Mode: "0644"}, "-rw-r--r--"}, {File{Mode: "640"}, "-rw-r-----"}, {File{Mode: "0400"}, "-rw-------"}, {File{Group: "g", Mode: "0600"}, "-rw-------"}} {
		c.file.Path = "/run/a"
		list, err := compiled(t, nil, c.file)
		if err != nil || list[0].mode.String() != c.want {
			t.Errorf("%+v: %v, want %s (%v)", c.file, list, c.want, err)
		}
	}
}

func TestATemplateIsFilledInAndReadsAsTheSameWithoutAToken(t *testing.T) {
	token := &keeper.Token{
		Generation: 7, AccessToken: "to{id_token}ken", IDToken: "id", Response: map[string]string{"a.b": "answer"},
		ExpiresAt: time.Date(2026, 11, 30, 18, 0, 0, 0, time.UTC),
	}
	for template, want := range map[string]struct{ with, without string }{
		"Bearer {access_token}":      {"Bearer to{id_token}ken", "Bearer "},
		`{"t": "{access_token}"}`:    {`{"t": "to{id_token}ken"}`, `{"t": ""}`},
		"{id_token}|{response.a.b}":  {"id|answer", "|"},
		"{expires_in}s {expires_at}": {"90s 2026-11-30T18:00:00Z", "0s 1970-01-01T00:00:00Z"},
		"{generation}\n":             {token.Mark() + "\n", "\n"},
		"{response.absent}-":         {"-", "-"},
	} {
		list, err := compiled(t, nil, File{Path: "/run/a", Format: template})
		if err != nil {
			t.Fatal(err)
		}
		with, err := list[0].render("erp", token, 90)
		if string(with) != want.with || err != nil {
			t.Errorf("%s: %q, %v, want %q", template, with, err, want.with)
		}
		if without, err := list[0].render("erp", nil, 0); string(without) != want.without || err != nil {
			t.Errorf("%s: %q, %v, want %q", template, without, err, want.without)
		}
	}
	list, err := compiled(t, nil, File{Path: "/run/a", Format: "{response.a}{access_token}"}, File{Path: "/run/b"})
	if paths := ResponsePaths(list); err != nil || len(paths) != 1 || paths[0] != "a" {
		t.Errorf("%v, %v", paths, err)
	}
	if got, err := list[0].render("erp", &keeper.Token{AccessToken: "a\nb"}, 0); err == nil {
		t.Errorf("two lines: %q", got)
	}
}

// TestAValueStaysInItsStringOfJSON: whatever characters an authorization server puts into it.
func TestAValueStaysInItsStringOfJSON(t *testing.T) {
	const value = `a","admin":"yes\<&>`
	for template, asJSON := range map[string]bool{
		`{"token": "{access_token}", "in": {expires_in}, "of": ["Bearer {id_token}"]}`: true,
		`{"token": {access_token}}`: false, `token: "{access_token}"`: false,
	} {
		list, err := compiled(t, nil, File{Path: "/run/a", Format: template})
		if err != nil {
			t.Fatal(err)
		}
		text, err := list[0].render("erp", &keeper.Token{AccessToken: value, IDToken: value}, 5)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(text, &got); asJSON && (err != nil || len(got) != 3 || got["token"] != value || got["of"].([]any)[0] != "Bearer "+value) {
			t.Errorf("%s: %s: %v", template, text, err)
		}
		if !asJSON && !strings.Contains(string(text), value) {
			t.Errorf("%s: %s", template, text)
		}
	}
}

// TestALineBreakInAValueIsEscapedOrNamed: some servers put one into a scope.
func TestALineBreakInAValueIsEscapedOrNamed(t *testing.T) {
	token := &keeper.Token{AccessToken: "secret-token", Response: map[string]string{"scope": "orders\nread"}}
	list, err := compiled(t, nil, File{Path: "/run/a", Format: `{"token": "{access_token}", "scope": "{response.scope}"}`}, File{Path: "/run/b", Format: "{access_token} {response.scope}"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := list[0].render("erp", token, 0); string(got) != `{"token": "secret-token", "scope": "orders\nread"}` || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	got, err := list[1].render("erp", token, 0)
	if _, unfit := errors.AsType[unfitError](err); !unfit || !strings.Contains(err.Error(), "{response.scope}") || strings.Contains(err.Error(), "access token") {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzTemplate: what is written beside names stays, and a token is never read again.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"{access_token}", `{"a":"{access_token}"}`, "{{access_token}}", "{response.a|b}{", "}{expires_in}{generation}"} {
		f.Add(text, "{access_token}")
	}
	f.Fuzz(func(t *testing.T, text, token string) {
		parsed, err := parseTemplate(text)
		if err != nil {
			return
		}
		got, err := parsed.render(&keeper.Token{AccessToken: token}, 0)
		if err != nil {
			return
		}
		want := strings.NewReplacer("{access_token}", token, "{id_token}", "", "{expires_in}", "0",
			"{expires_at}", "0001-01-01T00:00:00Z", "{generation}", (&keeper.Token{AccessToken: token}).Mark()).Replace(text)
		if parsed.isJSON() {
			if !json.Valid(got) {
				t.Errorf("%q with %q is JSON no longer: %s", text, token, got)
			}
			return
		}
		if !strings.Contains(text, "{response.") && string(got) != want {
			t.Errorf("%q with %q: %q, want %q", text, token, got, want)
		}
	})
}
