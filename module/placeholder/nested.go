package placeholder

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// nested is a file that an environment variable names. Caddy's replacer knows no
// placeholder within another.
var nested = regexp.MustCompile(`\{file\.\{env\.([^{}]*)\}\}`)

// unnested puts the path into such a placeholder.
func unnested(raw string) (string, error) {
	var missing error
	out := nested.ReplaceAllStringFunc(raw, func(found string) string {
		name := nested.FindStringSubmatch(found)[1]
		path := os.Getenv(name)
		switch {
		case path == "":
			missing = yieldsNothing{fmt.Errorf("the environment variable %s is not set or empty", name)}
		case strings.ContainsAny(path, "{}"):
			missing = errors.New("the path in the environment variable " + name + " holds braces")
		}
		return "{file." + path + "}"
	})
	return out, missing
}

// Place says where the value of a setting is from, for people: the path of a file, an
// environment variable, or the setting itself.
func Place(raw, setting string) string {
	plain, err := unnested(raw)
	if err != nil {
		plain = raw
	}
	for prefix, kind := range map[string]string{"{file.": "", "{env.": "the environment variable "} {
		if name, ok := strings.CutPrefix(plain, prefix); ok && strings.IndexByte(name, '}') == len(name)-1 {
			return kind + strings.TrimSuffix(name, "}")
		}
	}
	return "the setting " + setting
}
