package placeholder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// nested is a file that an environment variable names, or one in a directory that it
// names, such as systemd's $CREDENTIALS_DIRECTORY. Caddy's replacer knows no placeholder
// within another.
var nested = regexp.MustCompile(`\{file\.\{env\.([^{}]*)\}([^{}]*)\}`)

// unnested puts the path into such a placeholder.
func unnested(raw string) (string, error) {
	var missing error
	out := nested.ReplaceAllStringFunc(raw, func(found string) string {
		parts := nested.FindStringSubmatch(found)
		name, below := parts[1], parts[2]
		path := os.Getenv(name)
		switch {
		case path == "":
			missing = noVariable(name)
		case strings.ContainsAny(path, "{}"):
			missing = errors.New("the path in the environment variable " + name + " holds braces")
		}
		return "{file." + path + below + "}"
	})
	return out, missing
}

// noVariable is the error of an environment variable that yields nothing. Whoever has just
// written it somewhere learns that a running process does not see that.
func noVariable(name string) error {
	return yieldsNothing{fmt.Errorf("the environment variable %s is not set or empty; a process has those that it was started with, so a new one needs a restart, not a reload", name)}
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

// IsCredential reports whether the value of a setting is from a file that systemd made when
// it started this service (LoadCredential=), and that stays as it is until the next start.
func IsCredential(raw string) bool {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	return dir != "" && strings.HasPrefix(filepath.Clean(Place(raw, "")), filepath.Clean(dir)+string(filepath.Separator))
}
