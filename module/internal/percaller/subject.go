package percaller

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"lamplighter/module/cause"
)

// maxSubjectToken is how long a subject token may be: as long as all headers of a
// request together, to most servers.
const maxSubjectToken = 16 << 10

// ErrNoSubjectToken is why a caller without a token of its own gets none of ours.
var ErrNoSubjectToken = &Failure{
	Refused: true, Cause: "no_subject_token", Detail: cause.Of("no_subject_token").Sentence,
}

// CheckSubjectToken returns why nothing is asked for what a caller sent, nil if it
// may be a token: visible characters of ASCII (RFC 6749 appendix A.12) with no
// blank, and no comma, which is where a proxy has joined two of them.
func CheckSubjectToken(token string) *Failure {
	switch {
	case token == "":
		return ErrNoSubjectToken
	case len(token) > maxSubjectToken:
		return malformed("it is longer than 16 KiB")
	case strings.Contains(token, ","):
		return malformed("it holds a comma, as several tokens do")
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return malformed("it holds a blank, or a character that is none of ASCII's visible ones")
		}
	}
	return nil
}

func malformed(why string) *Failure {
	return &Failure{Refused: true, Cause: causeMalformed, Detail: cause.Of(causeMalformed).Sentence + ": " + why}
}

// expiryOf reads the exp of a JWT. Nobody verifies it: it can only shorten.
func expiryOf(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Exp <= 0 || claims.Exp > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Exp), 0), true
}
