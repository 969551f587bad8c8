package tokenendpoint

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// checkPaths returns an error for a path that no answer can ever have. It is
// called when the defaults are filled in.
func (d *Dialect) checkPaths() error {
	for _, p := range []struct{ setting, path string }{
		{"access_token_path", d.AccessTokenPath},
		{"refresh_token_path", d.RefreshTokenPath},
		{"id_token_path", d.IDTokenPath},
		{"expires_path", d.ExpiresPath},
		{"refresh_token_expires_path", d.RefreshTokenExpiresPath},
		{"error_path", d.ErrorPath},
		{"issued_at_path", cmp.Or(d.IssuedAtPath, "issued_at")},
	} {
		if err := checkPath(p.path); err != nil {
			return fmt.Errorf("%s %q: %w", p.setting, p.path, err)
		}
	}
	for _, path := range d.ResponsePaths {
		if err := checkPath(path); err != nil {
			return fmt.Errorf("inject: {response.%s}: %w", path, err)
		}
	}
	return nil
}

var (
	fieldName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110 section 5.6.2; of cookies too
	bracketed = regexp.MustCompile(`\[\w*\]`)
)

// checkPath knows the ways in which other tools write paths.
func checkPath(path string) error {
	for alternative := range strings.SplitSeq(path, "|") {
		if err := checkAlternative(strings.TrimSpace(alternative)); err != nil {
			return err
		}
	}
	return nil
}

func checkAlternative(path string) error {
	place, name, prefixed := strings.Cut(path, ":")
	switch {
	case path == "":
		return errors.New("an alternative of it is empty: write 'a|b', or only 'a'")
	case path == "@body":
		return nil
	case prefixed && (place == "header" || place == "cookie"):
		if !fieldName.MatchString(name) {
			return fmt.Errorf("%s: needs the name of a %[1]s, such as '%[1]s:X-Token'", place)
		}
		return nil
	case path[0] == '@':
		return errors.New("only @body is known, for the whole body: else write the names of JSON members, joined by dots")
	case path[0] == '$', path[0] == '/', bracketed.MatchString(path):
		return errors.New("it is no JSONPath or JSON pointer: write the names of JSON members, joined by dots, and elements of arrays by their index, as in 'data.0.token'")
	case path[0] == '.', strings.HasSuffix(path, "."), strings.Contains(path, ".."):
		return errors.New("a name between the dots is empty: write it as in 'data.token'")
	}
	return nil
}
