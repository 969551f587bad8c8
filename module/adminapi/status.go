// Package adminapi holds what the admin API and its clients say to each other: the bodies
// of its requests and answers, every field with what it means.
//
// It knows JSON, and imports nothing of ours: states, causes and events are words here. It
// must not know how a client works, nor what a command prints.
package adminapi

import (
	"encoding/json"
	"time"
)

// Prefix is where the endpoints are, on Caddy's admin endpoint.
const Prefix = "/oauth2_client/"

// Live is what an instance says of itself.
type Live struct {
	// Live is true: it answers.
	Live bool `json:"live"`

	// Version is that of Lamplighter.
	Version string `json:"version,omitempty"`

	// StartedAt is when its process started.
	StartedAt time.Time `json:"started_at,omitzero"`
}

// TokenPerCaller is the token of a client of which each caller has its own.
const TokenPerCaller = "per_caller"

// States of which only a human gets a client out.
const (
	StateAwaitingGrant = "awaiting_grant"
	StateGrantLost     = "grant_lost"
	StateMisconfigured = "misconfigured"
)

// StateBackoff is that of a client whose last token request failed, and is repeated.
const StateBackoff = "backoff"

// Causes beside ok, of a client whose token is valid and will not be for long, or is of
// no use: its grant ends soon, the last ten answers of an upstream rejected it, or one of
// the files that it is kept in does not hold it.
const (
	CauseGrantEnds        = "grant_ends"
	CauseTokenRejected    = "token_rejected"
	CauseTokenFileFailed  = "token_file_failed"
	CauseTokenFileExposed = "token_file_exposed"
)

// HasToken reports whether requests find a token, as ClientStatus.Token tells.
func HasToken(token string) bool { return token == "valid" || token == TokenPerCaller }

// ClientStatus is a client as the admin API shows it.
type ClientStatus struct {
	// Client is its name.
	Client string `json:"client"`

	// Token is none, valid or expired, or per_caller if each caller has its own.
	Token string `json:"token"`

	// State is starting, ok, refreshing, backoff, awaiting_grant, grant_lost or
	// misconfigured.
	State string `json:"state"`

	// Generation counts the token answers that were kept.
	Generation uint64 `json:"generation"`

	// ObtainedAt is when the newest access token was asked for.
	ObtainedAt time.Time `json:"obtained_at,omitzero"`

	// ExpiresAt is when that token expires.
	ExpiresAt time.Time `json:"expires_at,omitzero"`

	// ExpiresIn is how many seconds that is from now; absent without a valid
	// token.
	ExpiresIn float64 `json:"expires_in,omitzero"`

	// GrantExpiresAt is when the grant ends by itself, so that a new log-in is needed;
	// absent if it does not, or if nobody knows. A refresh may move it.
	GrantExpiresAt time.Time `json:"grant_expires_at,omitzero"`

	// NextRefreshIn is how many seconds from now the next token request is
	// planned; absent if none is.
	NextRefreshIn *float64 `json:"next_refresh_in,omitempty"`

	// NextLookIn is in how many seconds a look finds out whether what Cause says was put
	// right, as a file that can be read again; absent if that takes a token request, or
	// nothing is wrong.
	NextLookIn *float64 `json:"next_look_in,omitempty"`

	// Cause explains a State that is not ok in one word, or says beside ok what
	// somebody has to do.
	Cause string `json:"cause,omitempty"`

	// Detail explains it in a sentence.
	Detail string `json:"detail,omitempty"`

	// Remedy says what to do about it.
	Remedy string `json:"remedy,omitempty"`

	// Since is when it was noticed.
	Since time.Time `json:"since,omitzero"`

	// Unsaved says that the newest refresh token could not be written yet.
	Unsaved bool `json:"unsaved,omitempty"`

	// CacheEntries is how many tokens of callers are kept, and how many refusals
	// are remembered; absent if the client has a token of its own.
	CacheEntries int `json:"cache_entries,omitempty"`

	// Record is where the client's durable record is; empty if each caller has a
	// token of its own, because those are kept in memory.
	Record string `json:"record"`

	// TokenFiles are the files that its token is kept in for other programs.
	TokenFiles []TokenFile `json:"token_files,omitempty"`

	// Store is the shared store that it is in, as commands name one; absent if it is a file.
	Store string `json:"store,omitempty"`

	// StoreUp says of a shared store that it answered last.
	StoreUp *bool `json:"store_up,omitempty"`

	// LeaseHolder is who was last seen to have the lease of the record in a shared store,
	// by which one replica refreshes and the others follow; absent if nobody was.
	LeaseHolder string `json:"lease_holder,omitempty"`

	// LeaseHeld says that this is the process that answers.
	LeaseHeld bool `json:"lease_held,omitempty"`

	// Requests are those that wanted its token since the process started.
	Requests RequestCounts `json:"requests"`

	// LastRejected is the last answer with which an upstream rejected its token, and that
	// a caller got; absent if there was none.
	LastRejected *Rejection `json:"last_rejected,omitempty"`

	// LastRefused is the last request that was not sent because something is against it;
	// absent if there was none.
	LastRefused *Refusal `json:"last_refused,omitempty"`

	// GrantType is the grant that its token requests use.
	GrantType string `json:"grant_type,omitempty"`

	// TokenEndpoint is scheme, host and path of its token endpoint.
	TokenEndpoint string `json:"token_endpoint,omitempty"`

	// AuthorizationDetails are those that its token requests ask for (RFC 9396); absent if
	// they ask for none.
	AuthorizationDetails json.RawMessage `json:"authorization_details,omitempty"`

	// AuthorizationDetailsGranted are what the server says that it has granted of them;
	// absent if it does not say.
	AuthorizationDetailsGranted json.RawMessage `json:"authorization_details_granted,omitempty"`

	// NewGrantBy are the ways in which it can be given another grant: import, login (in a
	// browser) and device (a log-in on another device). Absent if it keeps no refresh token.
	NewGrantBy []string `json:"new_grant_by,omitempty"`

	// DeclaredAt is where it is declared.
	DeclaredAt string `json:"declared_at,omitempty"`

	// History holds the last 50 events, oldest first. Only the answer about one
	// client has it.
	History []ClientEvent `json:"history,omitempty"`
}

// TokenFile is a file that a client's token is kept in.
type TokenFile struct {
	// Path is where it is.
	Path string `json:"path"`

	// Format is in which form the token is in it.
	Format string `json:"format"`

	// Generation is that of the token in it; absent if it says that there is none.
	Generation uint64 `json:"generation,omitempty"`

	// WrittenAt is when it was written last.
	WrittenAt time.Time `json:"written_at,omitzero"`

	// Cause says in one word what is wrong with it; absent if all is well.
	Cause string `json:"cause,omitempty"`

	// Detail says it in a sentence.
	Detail string `json:"detail,omitempty"`

	// Remedy says what to do about it.
	Remedy string `json:"remedy,omitempty"`

	// Since is when it was noticed.
	Since time.Time `json:"since,omitzero"`
}

// ClientEvent is something that happened to a client.
type ClientEvent struct {
	// At is when.
	At time.Time `json:"at"`

	// Event is its kind, as in logs.
	Event string `json:"event"`

	// Generation is that of the client's token then.
	Generation uint64 `json:"generation"`

	// Status is the HTTP status of the token endpoint's answer, or of the upstream's, if
	// there was one.
	Status int `json:"status,omitempty"`

	// BecauseOf is the status with which an upstream rejected the token, if that brought
	// the token request about.
	BecauseOf int `json:"because_of,omitempty"`

	// Duration is how many seconds the token request took.
	Duration float64 `json:"duration,omitempty"`

	// Cause explains trouble in one word.
	Cause string `json:"cause,omitempty"`

	// Detail explains it in a sentence.
	Detail string `json:"detail,omitempty"`

	// Remedy says what to do about it.
	Remedy string `json:"remedy,omitempty"`
}
