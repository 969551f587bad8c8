package tokenendpoint

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxQuote is how much of a server's own words is quoted, in characters.
const maxQuote = 200

// secrets are values that must not be printed, in whatever way a server or a
// library may echo them.
type secrets struct{ values []string }

func secretsOf(r *Request) *secrets {
	s := &secrets{}
	s.add(r.ClientSecret, r.ClientSecretNext, r.RefreshToken, r.Username, r.Password, r.Assertion, r.SubjectToken, r.ActorToken,
		r.PrivateKey, r.clientAssertion, r.signed)
	for _, values := range r.Params {
		s.add(values...)
	}
	for _, values := range r.Header {
		s.add(values...)
	}
	if endpoint, err := url.Parse(r.URL); err == nil {
		s.add(endpoint.RawQuery)
	}
	return s
}

// add takes further secrets. What is shorter than four characters is found in
// any text, and hiding it would only tell where it is.
func (s *secrets) add(values ...string) {
	for _, v := range values {
		if len(v) < 4 {
			continue
		}
		quoted, _ := json.Marshal(v)
		s.values = append(s.values,
			v, strings.TrimPrefix(v, "Basic "), escape(v), url.QueryEscape(v), url.PathEscape(v),
			strings.Trim(string(quoted), `"`), strings.Trim(strconv.Quote(v), `"`),
			base64.StdEncoding.EncodeToString([]byte(v)), base64.RawURLEncoding.EncodeToString([]byte(v)),
		)
	}
}

// redact removes secrets from a text for people: by value, in any case, and the
// longest first, so that no tail of one is left.
func (s *secrets) redact(text string) string {
	if len(s.values) == 0 {
		return text
	}
	slices.SortFunc(s.values, func(a, b string) int { return len(b) - len(a) })
	patterns := make([]string, len(s.values))
	for i, v := range s.values {
		patterns[i] = regexp.QuoteMeta(v)
	}
	return regexp.MustCompile("(?i)"+strings.Join(patterns, "|")).ReplaceAllLiteralString(text, "[redacted]")
}

// cause drops an error code that is a secret.
func (s *secrets) cause(code string) string {
	if s.redact(code) != code {
		return CauseRequestRejected
	}
	return code
}

// withheld stands for words of a server that echo the request. Taking out what we
// recognise is not enough then: the rest may be more of it.
const withheld = "words withheld, because they hold a secret"

// quote makes a server's words fit to print: without secrets, on one line, and
// not for ever.
func (s *secrets) quote(words string) string {
	if s.redact(words) != words {
		return withheld
	}
	words = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(words, " "))
	if runes := []rune(words); len(runes) > maxQuote {
		words = string(runes[:maxQuote]) + "…"
	}
	return strconv.Quote(words)
}
