package tokenendpoint

import (
	"slices"
	"strings"

	"lamplighter/module/internal/redact"
)

// narrowed remarks that the server granted less than was asked for, which it may (RFC 6749
// section 3.3), and which an API notices only when it is asked.
func (a *Answer) narrowed(asked []string, secrets *redact.Secrets) {
	if a.Outcome != Granted || a.Scope == "" {
		return
	}
	granted := strings.FieldsFunc(a.Scope, func(r rune) bool { return r == ' ' || r == ',' })
	var missing []string
	for scope := range strings.FieldsSeq(strings.Join(asked, " ")) {
		if !slices.Contains(granted, scope) && !unlisted(scope) {
			missing = append(missing, scope)
		}
	}
	if len(missing) > 0 {
		a.remark("the server granted fewer scopes than were asked for, and not "+secrets.Quote(strings.Join(missing, " ")),
			"let the server's operator allow the client these scopes, or the user consent to them at a new log-in; or ask for fewer in 'scope'")
	}
}

// unlisted reports whether servers that grant a scope may leave it out of their list: it is
// about the log-in, or stands for others (Entra).
func unlisted(scope string) bool {
	return scope == "openid" || scope == "offline_access" || strings.HasSuffix(scope, "/.default")
}
