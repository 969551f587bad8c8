package exchange

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"lamplighter/module/internal/percaller"
)

// callersToken reads the caller's token from where the setting `subject_token` says. What
// can be none is asked for nowhere: its error is a *percaller.Failure.
func callersToken(req *http.Request, setting string) (string, error) {
	repl, ok := req.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok || req.Context().Value(caddyhttp.VarsCtxKey) == nil {
		return "", percaller.ErrNoSubjectToken // nobody's request
	}
	token := withoutScheme(repl.ReplaceAll(setting, ""))
	if f := percaller.CheckSubjectToken(token); f != nil {
		return "", f
	}
	return token, nil
}

// bearers are the schemes that a token may follow (RFC 9110 section 11.1) and that
// say no more than that. A DPoP token is none without its proof, which nobody
// verifies here, and what follows Basic or Negotiate is no token.
var bearers = []string{"Bearer", "Token", "JWT"}

// withoutScheme returns the token that credentials hold, "" if they are of another
// kind. Where no scheme is, all is the token.
func withoutScheme(credentials string) string {
	credentials = strings.Trim(credentials, " \t")
	scheme, token := credentials, ""
	blank := strings.IndexAny(credentials, " \t")
	if blank >= 0 {
		scheme, token = credentials[:blank], strings.Trim(credentials[blank:], " \t")
	}
	bearer := slices.ContainsFunc(bearers, func(known string) bool { return strings.EqualFold(scheme, known) })
	if !bearer && blank < 0 {
		return credentials
	}
	if !bearer {
		return ""
	}
	return token
}
