package reading

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	fieldName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110 section 5.6.2; of cookies too
	bracketed = regexp.MustCompile(`\[\w*\]`)
)

// CheckPath knows the ways in which other tools write paths.
func CheckPath(path string) error {
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
