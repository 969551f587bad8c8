package placeholder

import (
	"fmt"
	"strings"
)

// IsLiteral reports whether a value is itself in the configuration, rather than
// where to find it.
func IsLiteral(value string) bool { return value != "" && !strings.Contains(value, "{") }

// LiteralWarning is what is said of a secret that is part of the configuration.
func LiteralWarning(setting string) string {
	return setting + " is a literal value, or a {$VARIABLE}, and so is visible in the admin API, in autosave.json and in adapted configurations; write {file./path/to/it} or {env.NAME}"
}

// HasLiteralPassword reports whether a URL holds a password itself.
func HasLiteralPassword(place string) bool {
	i := strings.LastIndexByte(place, '@')
	_, userinfo, _ := strings.Cut(place[:max(i, 0)], "://")
	_, password, _ := strings.Cut(userinfo, ":")
	return IsLiteral(password)
}

// Located puts where something is declared, as `file:line`, before an error.
func Located(declaredAt string, err error) error {
	if declaredAt == "" {
		return err
	}
	return fmt.Errorf("%s: %w", declaredAt, err)
}
