package tokenendpoint

import (
	"crypto/tls"
	"time"

	"lamplighter/module/internal/dpop"
)

// Outcome sorts what a token request came to by what the caller may do next.
type Outcome int

const (
	// Granted: the answer holds an access token.
	Granted Outcome = iota + 1

	// NotSent: no byte of the request left. The refresh token is untouched, and
	// another attempt is always safe.
	NotSent

	// Unanswered: the request was written, at least in part, and no readable
	// answer came: connection cut, deadline, truncated or reading.Unreadable body. The
	// server may or may not have consumed the refresh token.
	Unanswered

	// Unavailable: the server answered that it cannot just now (5xx, 408, 429,
	// an HTML page of a gateway, a redirect). The refresh token is not consumed
	// as far as the answer tells.
	Unavailable

	// Misconfigured: the server refuses the client or the request, not the
	// grant (invalid_client, unauthorized_client, invalid_scope, …). The
	// refresh token is not consumed; somebody must change the configuration.
	Misconfigured

	// Refused: the server refuses the grant itself (TerminalErrors).
	Refused
)

// Answer is what one token request came to. Cause and Detail hold no secret;
// the tokens are secrets.
type Answer struct {
	Outcome Outcome

	// SentAt is when the request was written, by the clock that was given:
	// lifetimes count from there. Zero if Outcome is NotSent.
	SentAt time.Time

	// Status is the HTTP status of the answer, 0 if none came.
	Status int

	// RefreshToken is the refresh token of the answer, recovered before anything
	// else in it was judged: it may be there whatever the Outcome. Empty values
	// do not count. It may equal the one that was presented.
	RefreshToken string

	// RefreshTokenExpiresIn is the lifetime of the refresh token, counted from SentAt:
	// 0 if the answer does not say, and Endless if it says that there is no end.
	RefreshTokenExpiresIn time.Duration

	// AccessToken, IDToken, TokenType and Scope are the answer's, as sent.
	AccessToken, IDToken, TokenType, Scope string

	// ExpiresIn is the lifetime of the access token, counted from SentAt, always
	// positive when Outcome is Granted.
	ExpiresIn time.Duration

	// ExpiresDefaulted says why ExpiresIn is the default ("expires_in is
	// missing"), "" if the answer named it.
	ExpiresDefaulted string

	// Unusable says why the access token must not be injected: a token_type
	// that is not Bearer, or characters that no header field may hold. "" if it may be.
	Unusable string

	// BoundTo is the key that the access token is bound to, and goes with a proof of (RFC 9449
	// section 5). nil if it is sent without one.
	BoundTo *dpop.Key

	// Proved is the key of the request's proof, to which a refresh token may be bound whatever
	// the access token is. nil if there was none.
	Proved *dpop.Key

	// Certificate is the one that the client presented in the TLS handshake, to which
	// the server may have bound the access token (RFC 8705 section 3). nil if none was.
	Certificate *tls.Certificate

	// ReadyAssertion is the SHA-256 of the assertion that was sent and that somebody
	// else had made, zero if none was.
	ReadyAssertion [32]byte

	// Response has the values of Dialect.ResponsePaths that were there.
	Response map[string]string

	// ClientRefused says that it is the client's authentication that the server
	// refuses (invalid_client), so that another credential may help. It is set
	// only if Outcome is Misconfigured.
	ClientRefused bool

	// Cause is a short word for a failure: the answer's error code if it has a
	// sane one, else one of the Cause constants. If Granted it is "", or CauseNotBound.
	Cause string

	// Case tells which row of the table of causes CauseNotBound is, "" for the usual one.
	Case string

	// Detail is a sentence for people: what went wrong, with status and code,
	// never with a value of the request or a token.
	Detail string

	// Remarks are about what is odd in an answer whose tokens are kept all the same.
	Remarks []Remark

	// Remedy says what to do about a failure, and Passes that it may pass without
	// anybody's help. "" if that depends on the grant: on a refusal of it.
	Remedy string
	Passes bool

	// DeadGrant is set if an answer that says nothing of the grant may well mean
	// that the refresh token is dead: the settings that would have said so.
	DeadGrant string

	// RetryAfter is the answer's Retry-After, capped at an hour; 0 if none.
	RetryAfter time.Duration
}

// Remark says what is odd in an answer, and what to do about it.
type Remark struct{ Detail, Remedy string }

func (a *Answer) remark(detail, remedy string) {
	a.Remarks = append(a.Remarks, Remark{detail, remedy})
}

// What to do about the refresh tokens of an answer.
const (
	oneRefreshToken = "have the server answer with one refresh token"
	correctThePath  = "correct refresh_token_path"
)

// Endless is the lifetime of a refresh token that does not end by itself.
const Endless time.Duration = -1

// Causes that do not come from the answer's error code.
const (
	CauseUnreachable     = "unreachable"      // NotSent, and no word fits better: see package cause
	CauseCanceled        = "canceled"         // NotSent: BeforeSend refused or ctx ended first
	CauseNoAnswer        = "no_answer"        // Unanswered: cut off, deadline, reading.Unreadable
	CauseRedirect        = "redirect"         // Unavailable: 3xx, never followed
	CauseServerError     = "server_error"     // Unavailable: 5xx, 408, HTML
	CauseRateLimited     = "rate_limited"     // Unavailable: 429
	CauseNoAccessToken   = "no_access_token"  // an answer without an access token
	CauseNotBound        = "token_not_bound"  // Granted, with an access token that is not bound as it was to be
	CauseRequestRejected = "request_rejected" // Misconfigured: 4xx without a readable code
	CauseInvalidRequest  = "invalid_settings" // Misconfigured, nothing sent: the request cannot be built
	CauseInternal        = "internal_error"   // Unanswered: a bug of ours in describing the answer

	CauseAssertionExpired = "assertion_expired" // NotSent: what authenticates the client is out of date
	CauseAssertionReused  = "assertion_reused"  // Misconfigured: the server takes an assertion once
)
