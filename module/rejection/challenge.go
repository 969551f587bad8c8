package rejection

import (
	"net/http"
	"strings"
)

// Code is the error code that an answer has in a challenge for tokens, "" if it has none
// (RFC 6750 section 3.1). It is the upstream's word.
func Code(res *http.Response) (code string) {
	eachError(res.Header["Www-Authenticate"], func(said string) bool {
		code = said
		return false
	})
	return code
}

// namesInvalidToken reports whether a challenge says that the token is expired,
// revoked or otherwise invalid (RFC 6750 section 3.1, RFC 9449 section 7.1).
func namesInvalidToken(fields []string) (found bool) {
	eachError(fields, func(code string) bool {
		found = code == "invalid_token"
		return !found
	})
	return found
}

// eachError yields the error codes of challenges for tokens, until it is told to stop. A
// WWW-Authenticate field may hold several challenges, and there may be several fields
// (RFC 9110 section 11.6.1).
func eachError(fields []string, yield func(code string) bool) {
	for _, field := range fields {
		scheme := ""
		for rest := strings.TrimLeft(field, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
			name, after := token(rest)
			if name == "" {
				rest = rest[1:] // it is none, and no reason to give up
				continue
			}
			value, more, isParam := parameter(after)
			if !isParam {
				scheme, rest = name, after
				continue
			}
			rest = more
			forTokens := strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "DPoP")
			if forTokens && strings.EqualFold(name, "error") && !yield(value) {
				return
			}
		}
	}
}

// token cuts the token that a text begins with (RFC 9110 section 5.6.2), or what is
// written in its place.
func token(text string) (name, rest string) {
	if end := strings.IndexAny(text, " \t,=\""); end >= 0 {
		return text[:end], text[end:]
	}
	return text, ""
}

// parameter reads what follows the name of a parameter; what follows a scheme is
// something else.
func parameter(text string) (value, rest string, ok bool) {
	text, ok = strings.CutPrefix(strings.TrimLeft(text, " \t"), "=")
	if !ok {
		return "", text, false
	}
	text = strings.TrimLeft(text, " \t")
	quoted, ok := strings.CutPrefix(text, `"`)
	if !ok {
		value, rest = token(text)
		return value, rest, true
	}
	var b strings.Builder
	for i := 0; i < len(quoted); i++ {
		switch {
		case quoted[i] == '"':
			return b.String(), quoted[i+1:], true
		case quoted[i] == '\\' && i+1 < len(quoted):
			i++
		}
		b.WriteByte(quoted[i])
	}
	return b.String(), "", true
}
