package module

import (
	"fmt"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/net/http/httpguts"

	"lamplighter/module/internal/percaller"
)

// subject is where a caller's own token is in its request. The rule: what a caller's
// token is read from ends here, whole and in every spelling; the upstream gets ours.
// So it can only be read from what can be taken out and leaves the rest of the
// request as it was, or from what never was a part of it.
type subject struct {
	headers         []string
	cookies, params []*reading
}

var requestPlaceholder = regexp.MustCompile(`\{([^{}]*)\}`)

// subject reads the places of the caller's token out of the settings, nil if there
// is no token for each caller.
func (c *Client) subject() (*subject, error) {
	if !c.perCaller() {
		return nil, nil //nolint:nilnil // as said
	}
	s := new(subject)
	for _, match := range requestPlaceholder.FindAllStringSubmatch(c.SubjectToken, -1) {
		if err := s.add(match[1]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Placeholders that are of the request's own bytes, and those that are not.
const (
	headerPlaceholder = "http.request.header."
	cookiePlaceholder = "http.request.cookie."
	queryPlaceholder  = "http.request.uri.query."
)

var besideRequest = []string{"http.vars.", "http.auth.user.", "http.request.tls.client."}

// add notes where a placeholder reads from.
func (s *subject) add(placeholder string) error {
	if name, ok := strings.CutPrefix(placeholder, headerPlaceholder); ok {
		return s.addHeader(name)
	}
	if name, ok := strings.CutPrefix(placeholder, cookiePlaceholder); ok && newReading(name).least > 0 {
		s.cookies = append(s.cookies, newReading(name))
		return nil
	}
	if name, ok := strings.CutPrefix(placeholder, queryPlaceholder); ok && newReading(name).least > 0 {
		s.params = append(s.params, newReading(name))
		return nil
	}
	switch {
	case placeholder == "http.vars.client_ip":
	case placeholder == "http.request.tls.client.certificate_pem":
		return fmt.Errorf("subject_token: {%s} holds line breaks, which no token does: use {http.request.tls.client.certificate_der_base64}", placeholder)
	case slices.ContainsFunc(besideRequest, func(prefix string) bool { return strings.HasPrefix(placeholder, prefix) }):
		return nil
	case !strings.HasPrefix(placeholder, "http."):
		return fmt.Errorf("subject_token: it mixes a value of the request with {%s}: write one of them", placeholder)
	}
	return fmt.Errorf("subject_token: {%s} is no place that holds a token of the caller's and can be taken out of the request: use {http.request.header.<name>}, {http.request.cookie.<name>} or {http.request.uri.query.<name>}, or what other handlers found, {http.auth.user.<name>} or {http.vars.<name>}", placeholder)
}

func (s *subject) addHeader(name string) error {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	switch canonical {
	case "Cookie":
		return fmt.Errorf("subject_token: {%s%s} is all cookies together: use {http.request.cookie.<name>}", headerPlaceholder, name)
	case "Host", "Connection", "Content-Length", "Transfer-Encoding":
		return fmt.Errorf("subject_token: the header %s cannot carry a token", canonical)
	}
	if !httpguts.ValidHeaderFieldName(canonical) {
		return fmt.Errorf("subject_token: %q is not a header name", name)
	}
	s.headers = append(s.headers, canonical)
	return nil
}

// callersToken reads the caller's token. What can be none is asked for nowhere.
func (c *client) callersToken(req *http.Request) (string, error) {
	repl, ok := req.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok || isHealthCheck(req) {
		return "", percaller.ErrNoSubjectToken // nobody's request
	}
	token := withoutScheme(repl.ReplaceAll(c.cfg.SubjectToken, ""))
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

// removeFrom takes the caller's token out of a copy of its request.
func (s *subject) removeFrom(out *http.Request) {
	if s == nil {
		return
	}
	for _, name := range s.headers {
		deleteAlike(out.Header, name)
	}
	out.URL.RawQuery = s.withoutParams(out.URL.RawQuery)
	if s.cookies == nil {
		return
	}
	if out.Header["Cookie"] = s.withoutCookies(out.Header["Cookie"]); len(out.Header["Cookie"]) == 0 {
		delete(out.Header, "Cookie")
	}
}

// isHeader reports whether a header may be taken for one of them.
func (s *subject) isHeader(name string) bool {
	return s != nil && slices.ContainsFunc(s.headers, func(own string) bool { return alikeHeader(own, name) })
}

// withoutCookies takes the caller's token out of the values of a Cookie header.
func (s *subject) withoutCookies(lines []string) []string {
	if s == nil {
		return lines
	}
	for _, name := range s.cookies {
		lines = withoutCookies(lines, name)
	}
	return lines
}

// withoutParams takes the caller's token out of a raw query.
func (s *subject) withoutParams(raw string) string {
	if s == nil {
		return raw
	}
	for _, name := range s.params {
		raw = withoutParam(raw, name)
	}
	return raw
}
