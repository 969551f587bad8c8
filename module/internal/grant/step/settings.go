package step

import (
	"time"

	"lamplighter/module/internal/record"
)

// Settings are what decisions need of one started configuration.
type Settings struct {
	// Rotating says that the grant presents a refresh token that an answer may
	// replace. Only then are lease, journal and a writable store required.
	Rotating bool

	// RequireRotation raises an alarm at a success without a new refresh token.
	RequireRotation bool

	// Drain says that the old access token dies the moment a new one is issued
	// (rotation_overlap none), so that requests are held while it is replaced.
	Drain bool

	// RefreshWindowRatio is the share of the lifetime that remains when the
	// token is refreshed.
	RefreshWindowRatio float64

	// MinRefreshInterval is the least time between two token requests.
	MinRefreshInterval time.Duration

	// RefreshTokenExpiresIn is the lifetime of a refresh token whose answer names
	// none, 0 if it has no end.
	RefreshTokenExpiresIn time.Duration

	// Timeout bounds one token request, from the connection on.
	Timeout time.Duration

	// Bound stands for what the binding is resolved from, as it is written: settings
	// with another one may want tokens for another service, of which nobody knows
	// before they are resolved.
	Bound record.Fingerprint

	// Lease is how long a lease outlives its holder, of a store that replicas share; 0
	// if it ends with its holder.
	Lease time.Duration

	// ReuseGrace is how long the server forgives that a refresh token is presented
	// again that an answer has consumed.
	ReuseGrace time.Duration
}

// Order is what an operator asks for.
type Order struct {
	ID     uint32
	Import string // the refresh token to import; "" for a refresh
	Revoke bool   // ends the grant instead
	Force  bool   // asks although the server named a time to wait
	Login  bool   // imports what a log-in brought, which is told of as such
	Again  bool   // imports although the token was refused, or is another client's

	Key record.Key // that the imported token is bound to, zero if nobody says so
}
