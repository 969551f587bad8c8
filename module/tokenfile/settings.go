// Package tokenfile answers what is in the files that a client's token is kept in, for
// programs that read one: that each exists, holds the present token or says that there is
// none, and is written soon after there is another.
//
// It knows directories, files and formats, and has a token and its changes from whoever
// keeps it. It must not know clients, settings or requests. Nothing waits for it, but for
// the moment that a hold lasts, and no failure of it stops anything.
package tokenfile

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"lamplighter/module/inject"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/redact"
	"lamplighter/module/tokenformat"
)

// File is a file that a client's token is kept in. It exists from the start on, is written
// within 100 ms of a new token by renaming another one over it, and is never removed: when
// there is no valid token it says so in its format, and at the end of the process it stays
// as it is.
type File struct {
	// Where the file is: an absolute path, without placeholders. Its directory is made if it
	// is missing (mode 0755, whatever the umask), must belong to the user of this process or to root, and must
	// not be writable for others. Below one that is, as a shared mount may be, no symbolic
	// link is followed and no directory of another user walked into. No two clients have the
	// same path, it is not in a directory of records or of Caddy's own files, and is neither
	// the configuration, nor what that imports, nor a log.
	Path string `json:"path"`

	// In which form the token is in it: `plain` (the token alone), `header` (the header
	// fields of `inject`, one a line), `dotenv` (`ACCESS_TOKEN` and `EXPIRES_AT`),
	// `envoy_sds` (a secret of Envoy, named as the client), `exec_credential` (of
	// Kubernetes), or a template: a text with `{access_token}`, `{id_token}`,
	// `{response.<path>}`, `{expires_in}` (seconds, as of the writing), `{expires_at}` (RFC
	// 3339) or `{generation}`. Where a template is JSON, values are escaped as its strings
	// need it. Default: `plain`.
	Format string `json:"format,omitempty"`

	// The mode of the file, in octal digits: no other user may write to it, and nobody
	// execute it. Beyond `0640` every user of the machine can read the token. Default:
	// `0600`; `0640` with a `group`.
	Mode string `json:"mode,omitempty"`

	// The group of the file, by name or number, which the user of this process must be in,
	// unless that is root. Default: that of new files in its directory.
	Group string `json:"group,omitempty"`
}

// Compiled is a checked File.
type Compiled struct {
	// Path is where it is, cleaned.
	Path string

	// Format is what its settings say of that, or "template".
	Format string

	mode  fs.FileMode
	group string
	named tokenformat.Format
	text  template
	in    *inject.Injections
}

// Compile checks files, whose tokens go into requests in these places.
func Compile(files []File, in *inject.Injections) (list []*Compiled, err error) {
	for i := range files {
		c, err := files[i].compile(in)
		if err != nil {
			return nil, fmt.Errorf("token_file %s: %w", cmp.Or(files[i].Path, "<path>"), err)
		}
		if slices.ContainsFunc(list, func(other *Compiled) bool { return other.Path == c.Path }) {
			return nil, fmt.Errorf("token_file %s is there twice: remove one of them, or choose another path", c.Path)
		}
		list = append(list, c)
	}
	return list, nil
}

func (f *File) compile(in *inject.Injections) (*Compiled, error) {
	switch {
	case f.Path == "":
		return nil, errors.New("the path is missing")
	case strings.Contains(f.Path, "{"):
		return nil, errors.New("a path cannot hold a placeholder, because no two clients may have the same: write it out, or as {$VARIABLE} in the Caddyfile")
	case !filepath.IsAbs(f.Path) || strings.HasSuffix(f.Path, "/") || filepath.Clean(f.Path) == filepath.Dir(f.Path):
		return nil, errors.New("it is not the absolute path of a file, such as /run/lamplighter/erp/token")
	case strings.ContainsFunc(f.Path, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, errors.New("the path holds a control character")
	}
	c := &Compiled{Path: filepath.Clean(f.Path), Format: cmp.Or(f.Format, tokenformat.Plain), group: f.Group, in: in, mode: 0o600}
	if c.group != "" {
		c.mode = 0o640
	}
	if err := c.setMode(f.Mode); err != nil {
		return nil, err
	}
	if c.named = tokenformat.Named(c.Format); c.named != nil {
		if tokenformat.NeedsHeader(c.Format) && !in.HasHeader() {
			return nil, fmt.Errorf("format %s shows what goes into headers, and inject puts the token into none: choose another format", c.Format)
		}
		return c, nil
	}
	if !strings.Contains(c.Format, "{") {
		return nil, fmt.Errorf("format %q is unknown: use %s, or a template such as \"Bearer {access_token}\"", c.Format, strings.Join(tokenformat.Names(), ", "))
	}
	var err error
	c.text, err = parseTemplate(c.Format)
	c.Format = "template"
	return c, err
}

// setMode reads a mode. Nobody but the owner writes to the file, and nobody executes it.
func (c *Compiled) setMode(text string) error {
	if text == "" {
		return nil
	}
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode&^0o644 != 0 || mode&0o400 == 0 {
		return fmt.Errorf("mode %q is none of a file that only its owner writes to: use 0600, 0640 or 0644", text)
	}
	c.mode = fs.FileMode(mode) | 0o200
	return nil
}

// ResponsePaths are the members of the token endpoint's answer that go into files.
func ResponsePaths(list []*Compiled) (paths []string) {
	for _, c := range list {
		for _, p := range c.text {
			if path, ok := inject.ResponsePath(p.name); ok {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// template is a text in which values are named. A brace that begins no name is a brace.
type template []part

// part is a text, or the name of a value.
type part struct {
	text, name string
	inJSON     bool // the whole is JSON, and this value in a string of it
}

var (
	nameInTemplate = regexp.MustCompile(`\{(access_token|id_token|response\.[^{}"]+|expires_in|expires_at|generation)\}`)
	likeAName      = regexp.MustCompile(`\{[A-Za-z_][A-Za-z0-9_.|:-]*\}`)
)

func parseTemplate(text string) (t template, err error) {
	for text != "" {
		at := nameInTemplate.FindStringSubmatchIndex(text)
		literal, name := text, ""
		if at != nil {
			literal, name, text = text[:at[0]], text[at[2]:at[3]], text[at[1]:]
		} else {
			text = ""
		}
		if odd := likeAName.FindString(literal); odd != "" {
			return nil, fmt.Errorf("format: %s is unknown: use {access_token}, {id_token}, {response.<path>}, {expires_in}, {expires_at} or {generation}", odd)
		}
		t = append(t, part{text: literal, name: name})
	}
	if !slices.ContainsFunc(t, func(p part) bool { return p.name != "" }) {
		return nil, errors.New("format: the template names no value, such as {access_token}")
	}
	if t.isJSON() {
		for i := range t {
			t[i].inJSON = true
		}
	}
	return t, nil
}

// isJSON reports whether a template is JSON with its values in strings, but for the number.
func (t template) isJSON() bool {
	var sample strings.Builder
	for _, p := range t {
		sample.WriteString(p.text)
		switch p.name {
		case "":
		case "expires_in":
			sample.WriteByte('0')
		default:
			sample.WriteByte('x') // which is JSON in a string alone
		}
	}
	return json.Valid([]byte(sample.String()))
}

// escaped is a value as a string of JSON holds it.
func escaped(value string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // of a string
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}

// render returns what is in the file for a token, nil for none.
func (c *Compiled) render(client string, t *keeper.Token, left int64) ([]byte, error) {
	if c.named == nil {
		return c.text.render(t, left)
	}
	shown := c.shown(t)
	content, err := c.named(client, shown)
	if err != nil && shown != nil {
		return nil, unfitError{err}
	}
	return content, err
}

// shown is what a format that has a name shows of a token, nil for none.
func (c *Compiled) shown(t *keeper.Token) *tokenformat.Token {
	if t == nil {
		return nil
	}
	shown := &tokenformat.Token{AccessToken: t.AccessToken, ExpiresAt: t.ExpiresAt}
	for _, f := range c.in.Header(t) {
		shown.Header = append(shown.Header, tokenformat.Field{Name: f.Name, Value: f.Value})
	}
	return shown
}

// render fills a template in. Without a token its values are empty, or as numbers and times
// those that are past, so that what could be read can be read. It is an error if a value holds
// a line break, unless it is escaped.
func (t template) render(token *keeper.Token, left int64) ([]byte, error) {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.text)
		value := p.value(token, left)
		switch {
		case p.inJSON:
			value = escaped(value)
		case tokenformat.CheckLine(value) != nil:
			return nil, unfitError{fmt.Errorf("what the template calls {%s} holds a line break or another control character, which only a template that is JSON escapes", redact.Text(p.name))}
		}
		b.WriteString(value)
	}
	return []byte(b.String()), nil
}

// value is what a name stands for.
func (p *part) value(t *keeper.Token, left int64) string {
	switch {
	case p.name == "":
		return ""
	case p.name == "expires_in":
		return strconv.FormatInt(max(0, left), 10)
	case t == nil && p.name == "expires_at":
		return tokenformat.Stamp(time.Unix(0, 0))
	case t == nil:
		return ""
	case p.name == "expires_at":
		return tokenformat.Stamp(t.ExpiresAt)
	case p.name == "generation":
		return t.Mark()
	}
	return inject.Value(t, p.name)
}
