package adminapi

import "time"

// RequestCounts are how many requests wanted the token of a client, by what became of
// them.
type RequestCounts struct {
	// Sent went to an upstream with the token, whatever came of that.
	Sent uint64 `json:"sent"`

	// Replayed went there once more, with another token.
	Replayed uint64 `json:"replayed"`

	// Unavailable found no token.
	Unavailable uint64 `json:"unavailable"`

	// Refused were not sent: the guard, or a rule about the token, is against them.
	Refused uint64 `json:"refused"`
}

// Rejection is an answer with which an upstream rejected a token.
type Rejection struct {
	// At is when.
	At time.Time `json:"at"`

	// Upstream is its host and port.
	Upstream string `json:"upstream"`

	// Status is that of the answer.
	Status int `json:"status"`

	// Error is the error code of its challenge (RFC 6750 section 3.1).
	Error string `json:"error,omitempty"`

	// Generation is that of the token.
	Generation uint64 `json:"generation"`

	// InARow is the how many-th rejection it is since that upstream accepted one.
	InARow int `json:"in_a_row"`
}

// Refusal is a request that was not sent.
type Refusal struct {
	// At is when.
	At time.Time `json:"at"`

	// Cause is why, in one word.
	Cause string `json:"cause"`
}
