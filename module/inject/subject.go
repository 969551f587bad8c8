package inject

import (
	"fmt"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Subject is where a caller's own token is in its request. The rule: what a caller's
// token is read from ends here, whole and in every spelling; the upstream gets ours.
// So it can only be read from what can be taken out and leaves the rest of the
// request as it was, or from what never was a part of it.
type Subject struct {
	headers         []string
	cookies, params []*reading
}

var requestPlaceholder = regexp.MustCompile(`\{([^{}]*)\}`)

// CompileSubject reads where a caller's token is out of the setting `subject_token`.
func CompileSubject(setting string) (*Subject, error) {
	s := new(Subject)
	for _, match := range requestPlaceholder.FindAllStringSubmatch(setting, -1) {
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
func (s *Subject) add(placeholder string) error {
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

func (s *Subject) addHeader(name string) error {
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

// removeFrom takes the caller's token out of a copy of its request.
func (s *Subject) removeFrom(out *http.Request) {
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
func (s *Subject) isHeader(name string) bool {
	return s != nil && slices.ContainsFunc(s.headers, func(own string) bool { return alikeHeader(own, name) })
}

// withoutCookies takes the caller's token out of the values of a Cookie header.
func (s *Subject) withoutCookies(lines []string) []string {
	if s == nil {
		return lines
	}
	for _, name := range s.cookies {
		lines = withoutCookies(lines, name)
	}
	return lines
}

// withoutParams takes the caller's token out of a raw query.
func (s *Subject) withoutParams(raw string) string {
	if s == nil {
		return raw
	}
	for _, name := range s.params {
		raw = withoutParam(raw, name)
	}
	return raw
}
