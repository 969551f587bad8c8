package rejection

import (
	"iter"
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

// eachError yields the error codes of challenges for tokens, until it is told to stop.
func eachError(fields []string, yield func(code string) bool) {
	for c := range Challenges(fields) {
		forTokens := strings.EqualFold(c.Scheme, "Bearer") || strings.EqualFold(c.Scheme, "DPoP")
		if forTokens && strings.EqualFold(c.Param, "error") && !yield(c.Value) {
			return
		}
	}
}

// Challenge is the scheme of a challenge, or one parameter of it.
type Challenge struct {
	Scheme       string
	Param, Value string // Param is "" of the scheme itself
}

// Challenges yields what the fields WWW-Authenticate of an answer say, each scheme and each
// parameter by itself. A field may hold several challenges, and there may be several fields
// (RFC 9110 section 11.6.1).
func Challenges(fields []string) iter.Seq[Challenge] {
	return func(yield func(Challenge) bool) {
		for _, field := range fields {
			scheme := ""
			for rest := strings.TrimLeft(field, " \t,"); rest != ""; rest = strings.TrimLeft(rest, " \t,") {
				name, after := token(rest)
				if name == "" {
					rest = rest[1:] // it is none, and no reason to give up
					continue
				}
				value, more, isParam := parameter(after)
				said := Challenge{scheme, name, value}
				if rest = more; !isParam {
					scheme, rest = name, after
					said = Challenge{Scheme: scheme}
				}
				if !yield(said) {
					return
				}
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
