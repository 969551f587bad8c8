package tokenendpoint

import (
	"strings"
	"time"

	"lamplighter/module/cause"
)

// ReadyAssertion authenticates a client by an assertion that somebody else makes (RFC
// 7521 section 4.2): a cluster, an agent of SPIFFE. It is sent as it stands, and as often
// as it is there: it is not ours to judge.
type ReadyAssertion struct {
	// Read reads it anew, for whoever makes it replaces it.
	Read func() (string, error)

	// Place is where it is read from, for people.
	Place string
}

// AssertionExpired is the error of an assertion that says itself that it is not valid any
// more.
type AssertionExpired struct {
	Place string
	At    time.Time
}

// Error says where it is and since when.
func (e *AssertionExpired) Error() string {
	return "the client assertion in " + e.Place + " expired at " + e.At.UTC().Format(time.RFC3339)
}

// Row is that of the table of causes.
func (e *AssertionExpired) Row() cause.Cause {
	return cause.Of(CauseAssertionExpired).With("file", e.Place)
}

// Take reads the assertion. Its error is *AssertionExpired, beside the assertion, or says
// why there is none.
func (r *ReadyAssertion) Take(now time.Time) (string, error) {
	assertion, err := r.Read()
	if err != nil {
		return "", &assertionUnread{err}
	}
	if exp, _, ok := jwtDates(assertion); ok && !timeOf(exp).After(now) {
		return assertion, &AssertionExpired{r.Place, timeOf(exp)}
	}
	return assertion, nil
}

// assertionUnread is the error of an assertion that is not there.
type assertionUnread struct{ error }

// saysReused reports whether a server says of an assertion that it has seen it before: it
// may take each one once (RFC 7523 section 3). There is no code for that.
func saysReused(a *Answer) bool {
	said := strings.ToLower(a.Cause + " " + a.Detail)
	for _, word := range []string{"reuse", "replay", "already used", "already been used", "used before", "used once", "been used", "jti_known", "not unique"} {
		if strings.Contains(said, word) {
			return a.Outcome == Misconfigured
		}
	}
	return false
}
