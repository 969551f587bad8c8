package keeper

import "time"

// EventKind says what happened.
type EventKind string

// The kinds of events. The first five are Caddy events too.
const (
	TokenObtained       EventKind = "token_obtained"
	TokenRefreshFailed  EventKind = "token_refresh_failed"
	RefreshTokenRotated EventKind = "refresh_token_rotated"
	GrantLost           EventKind = "grant_lost"
	SeedRefused         EventKind = "seed_refused"

	// TokenRestored: a token was found in the record: at start, or because
	// another process that shares the store obtained it.
	TokenRestored EventKind = "token_restored"

	// RotationMissing: rotation is required, and a success brought no new
	// refresh token. It was used, and the old refresh token kept.
	RotationMissing EventKind = "rotation_missing"

	// LifetimeMissing: the answer named no sane lifetime; the default holds.
	LifetimeMissing EventKind = "lifetime_missing"

	// AnswerRemarked: an answer was kept, and something in it is odd.
	AnswerRemarked EventKind = "answer_remarked"

	// StoreFailed: an answer could not be written; the token is used from memory.
	StoreFailed EventKind = "store_failed"

	// StoreRecovered: it is written now.
	StoreRecovered EventKind = "store_recovered"

	// RefreshOrdered and ImportOrdered: an operator asked for a token request,
	// or supplied a refresh token. What became of it follows.
	RefreshOrdered EventKind = "refresh_ordered"
	ImportOrdered  EventKind = "import_ordered"

	// RevokeOrdered: an operator ended the grant.
	RevokeOrdered EventKind = "revoke_ordered"

	// OrderRefused: what an operator asked for was not even tried.
	OrderRefused EventKind = "order_refused"

	// Troubled: something stops the client that no token request brought up: a
	// setting that cannot be resolved, a record that cannot be read, no grant.
	Troubled EventKind = "troubled"
)

// Event tells what happened to a client. It holds no secret.
type Event struct {
	Kind       EventKind
	Client     string
	At         time.Time
	Generation uint64

	// ExpiresAt, Lifetime and NextRefresh are set when there is a token.
	ExpiresAt   time.Time
	Lifetime    time.Duration
	NextRefresh time.Time

	// Duration is how long the token request took, 0 if none was sent.
	Duration time.Duration

	// Status is the HTTP status of the token endpoint's answer, 0 if none.
	Status int

	// Cause, Detail and Remedy explain trouble, in one word, one sentence and
	// one instruction.
	Cause, Detail, Remedy string

	// RetryIn is when the next attempt is due, 0 if none is planned.
	RetryIn time.Duration
}
