package adminapi

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxBody bounds the body of a request in bytes: a refresh token and a little JSON.
const MaxBody = 64 << 10

// OrderResult is what became of a refresh or an import, as the admin API
// answers it.
type OrderResult struct {
	// Client is the client's name.
	Client string `json:"client"`

	// Obtained says that there is a new access token.
	Obtained bool `json:"obtained"`

	// Revoked says that the grant was revoked, as ordered.
	Revoked bool `json:"revoked,omitempty"`

	// Cause is why there is none, in one word.
	Cause string `json:"cause,omitempty"`

	// Detail says it in a sentence.
	Detail string `json:"detail,omitempty"`

	// Remedy says what to do about it.
	Remedy string `json:"remedy,omitempty"`

	// Status is the client's status afterwards.
	Status ClientStatus `json:"status"`
}

// ImportRequest is the body of an import.
type ImportRequest struct {
	// RefreshToken is the new refresh token.
	RefreshToken string `json:"refresh_token"`

	// DPoPKey is the private key that it is bound to (RFC 9449 section 5), PEM or a JWK; ""
	// if it is bound to none, or to that of the client.
	DPoPKey string `json:"dpop_key,omitempty"`
}

// TokenError is the error of what can be no refresh token.
type TokenError string

// Error says why.
func (e TokenError) Error() string { return string(e) }

// CheckToken returns a refresh token without what is around it, or a TokenError for what
// can be none (RFC 6749 appendix A.17), such as a file with a comment in it. A server may
// trim what it is sent: a blank or byte order mark must not make a spent token a new one.
func CheckToken(token string) (string, error) {
	token = strings.TrimFunc(token, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	if token == "" {
		return "", TokenError("the refresh token is empty")
	}
	if quoted(token) {
		return "", TokenError("the refresh token is in quotes: supply it without them")
	}
	for _, r := range token {
		if r < 0x20 || r == 0x7f {
			return "", TokenError("the refresh token holds a line break or another control character: supply the token alone")
		}
	}
	return token, nil
}

// quoted reports whether a token begins and ends with a quotation mark.
func quoted(token string) bool {
	const marks = "\"'`“”„‘’«»"
	first, _ := utf8.DecodeRuneInString(token)
	last, _ := utf8.DecodeLastRuneInString(token)
	return strings.ContainsRune(marks, first) && strings.ContainsRune(marks, last)
}
