package doctor

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"lamplighter/module/adminapi"
	"lamplighter/module/placeholder"
)

// written is a setting as it is written.
type written struct{ name, value string }

// values are the settings that may name a file or a variable.
func (e *examination) values() (all []written) {
	s := e.settings
	all = []written{
		{"token_endpoint", s.TokenEndpoint},
		{"client_id", s.ClientID},
		{"client_secret", s.ClientSecret},
		{"client_secret_next", s.ClientSecretNext},
		{"username", s.Username},
		{"password", s.Password},
		{"private_key", s.PrivateKey},
		{"key_id", s.KeyID},
		{"certificate", s.Certificate},
		{"assertion", s.Assertion},
		{"actor_token", s.ActorToken},
		{"proxy", s.Proxy},
	}
	if !s.PerCaller() {
		all = append(all, written{"subject_token", s.SubjectToken})
	}
	for setting, values := range map[string]map[string][]string{"param": s.Param, "header": s.Header} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			for _, value := range values[name] {
				all = append(all, written{setting + " " + name, value})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Claim)) {
		all = append(all, written{"claim " + name, s.Claim[name]})
	}
	return slices.DeleteFunc(all, func(w written) bool { return !strings.Contains(w.value, "{") })
}

// source is where a value comes from.
var source = regexp.MustCompile(`\{(env|file)\.([^{}]+)\}`)

// secrets looks at what settings name: that it is there, readable, and nothing but the
// value. It reports whether the refresh token of the configuration is there.
func (e *examination) secrets() (seeded bool) {
	const step = "secrets"
	var from []string
	odd := false
	for _, w := range e.values() {
		err := unresolved(w)
		if e.anothers(w, err) {
			e.sound, odd = false, true
			e.strange(step, err.Error())
			continue
		}
		if err != nil {
			e.sound, odd = false, true
			e.add(step, adminapi.VerdictFailed, err.Error(), e.remedyFor(w.value))
			continue
		}
		if e.odd(step, w) {
			odd = true
		}
		from = append(from, origins(w)...)
	}
	if seed := (written{"refresh_token", e.settings.RefreshToken}); seed.value != "" {
		err := unresolved(seed)
		seeded = err == nil
		switch {
		case err != nil:
			from = append(from, "refresh_token, which is absent ("+strings.TrimPrefix(err.Error(), "refresh_token: ")+")")
		case strings.Contains(seed.value, "{"):
			from = append(from, origins(seed)...)
		}
	}
	switch {
	case odd:
	case len(from) == 0:
		e.skip(step, "the settings name no file and no variable")
	default:
		e.ok(step, strings.Join(from, ", "))
	}
	return seeded
}

// anothers reports whether a value may well be there for who is to serve, though it is not for
// this user: it is a variable, or in a file that this user may not read, or whose path depends
// on where a process was started.
func (e *examination) anothers(w written, err error) bool {
	if !e.Stranger || err == nil {
		return false
	}
	for _, found := range source.FindAllStringSubmatch(w.value, -1) {
		if found[1] == "env" || !filepath.IsAbs(found[2]) {
			return true
		}
	}
	return e.forbidden(err)
}

// unresolved is why a value yields nothing, nil if it does not.
func unresolved(w written) error {
	r := placeholder.Resolver{Token: func(string) (string, error) { return "", nil }}
	r.Value(w.name, w.value)
	if r.Err == nil && len(r.Missing) > 0 {
		return r.Missing[0]
	}
	return r.Err
}

// remedyFor is what makes a value be there.
func (e *examination) remedyFor(value string) string {
	variable := strings.Contains(value, "{env.")
	switch {
	case variable && e.Running:
		return "set the variable for the process that serves, and restart it: a running process keeps its environment"
	case variable:
		return "set the variable for the process that is to serve"
	case e.Running:
		return "make the file readable for the user that the instance runs as; it is read again by itself"
	}
	return "make the file readable for the user that the instance is to run as"
}

// origins say where a value comes from.
func origins(w written) (all []string) {
	for _, found := range source.FindAllStringSubmatch(w.value, -1) {
		kind := map[string]string{"env": "the variable", "file": "the file"}[found[1]]
		all = append(all, fmt.Sprintf("%s from %s %s", w.name, kind, found[2]))
	}
	return all
}

// odd warns of bytes around a value that are hardly meant, and reports whether there are
// any. The value itself is never told.
func (e *examination) odd(step string, w written) (odd bool) {
	if w.name == "private_key" || w.name == "certificate" {
		return false // of PEM nobody minds
	}
	for _, found := range source.FindAllStringSubmatch(w.value, -1) {
		raw := os.Getenv(found[2])
		if found[1] == "file" {
			raw = contents(found[2])
		}
		if what := around(raw); what != "" {
			odd = true
			e.add(step, adminapi.VerdictWarning, fmt.Sprintf("%s: %s %s %s, which is sent along as a part of it", w.name, map[string]string{"env": "the variable", "file": "the file"}[found[1]], found[2], what),
				"write the value alone, as with: printf %s \"$value\"")
		}
	}
	return odd
}

// contents are those of a file as a setting sees it: without one line break at its end.
func contents(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 1 << 20
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return ""
	}
	return string(bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r")))
}

// around says what is around a value, or breaks it, "" if nothing does.
func around(raw string) string {
	const mark = "\ufeff"
	trimmed := strings.TrimSpace(raw)
	switch last, _ := utf8.DecodeLastRuneInString(raw); {
	case strings.HasPrefix(raw, mark):
		return "begins with a byte order mark"
	case len(trimmed) > 1 && trimmed[0] == trimmed[len(trimmed)-1] && (trimmed[0] == '"' || trimmed[0] == '\''):
		return "stands in quotation marks"
	case strings.HasSuffix(raw, "\r"):
		return "ends with a carriage return (CR)"
	case strings.HasSuffix(raw, "\n"):
		return "ends with more line breaks than one"
	case len(strings.TrimRightFunc(raw, unicode.IsSpace)) < len(raw):
		return fmt.Sprintf("ends with a blank (%U)", last)
	case trimmed != raw:
		return "begins with a blank or a line break"
	case strings.ContainsFunc(raw, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f }):
		return "has a control character"
	}
	return ""
}
