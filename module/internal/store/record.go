package store

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// keptFingerprints bounds each list of fingerprints in a record: the last 256.
const keptFingerprints = 256

// Fingerprint stands for a secret where the secret itself must not be kept or
// shown: the lower-case hexadecimal SHA-256 of its bytes.
type Fingerprint string

// FingerprintOf returns the fingerprint of a secret, and "" for an empty one.
func FingerprintOf(secret string) Fingerprint {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return Fingerprint(hex.EncodeToString(sum[:]))
}

// Record is the durable state of one client. All times are UTC wall-clock
// times. The zero value is a client that never had a token.
type Record struct {
	// Client is the client's name, so that a renamed file is noticed.
	Client string `json:"client"`

	// Revision counts every write of the record, the journal's too. Save sets it.
	Revision uint64 `json:"revision"`

	// Generation counts the token answers that were kept.
	Generation uint64 `json:"generation"`

	// Binding ties the record to the configuration that obtained it.
	Binding Binding `json:"binding"`

	// RefreshToken is the refresh token to present next, "" for grants without.
	RefreshToken string `json:"refresh_token,omitempty"`

	// Imported is a refresh token that an operator supplied beside a grant that
	// lives, as long as no answer has judged it; "" if there is none.
	Imported string `json:"imported,omitempty"`

	// RefreshTokenExpiresAt is when the grant itself ends, if the server said.
	RefreshTokenExpiresAt time.Time `json:"refresh_token_expires_at,omitzero"`

	// Token is the newest access token and what came with it; nil before the
	// first one, and when a change of configuration made it useless.
	Token *Token `json:"token,omitempty"`

	// Seeds are the fingerprints of the seeds this record has taken or refused,
	// oldest first.
	Seeds []Fingerprint `json:"seeds,omitempty"`

	// Spent are the fingerprints of refresh tokens that an answer consumed or
	// refused, oldest first. None of them is ever presented again.
	Spent []Fingerprint `json:"spent,omitempty"`

	// Attempt is the journal: a token request that was about to be sent and
	// whose outcome is not yet known. It is nil once the outcome is recorded.
	Attempt *Attempt `json:"attempt,omitempty"`

	// Lost is set when the grant is dead and nothing more is sent until a new
	// seed arrives.
	Lost *Loss `json:"lost,omitempty"`
}

// Binding is what a record depends on.
type Binding struct {
	// Grant is the fingerprint of token endpoint and client_id: with another
	// one the refresh token belongs to somebody else.
	Grant Fingerprint `json:"grant"`

	// Request is the fingerprint of scope, audience, resource, parameters and
	// subject: with another one the access token no longer is what was asked for.
	Request Fingerprint `json:"request"`

	// TokenEndpoint is scheme, host and path of the token endpoint, for people.
	TokenEndpoint string `json:"token_endpoint"`
}

// Token is an access token and what came with it.
type Token struct {
	// AccessToken is the token to inject.
	AccessToken string `json:"access_token"`

	// IDToken came with it, if any.
	IDToken string `json:"id_token,omitempty"`

	// TokenType is the answer's token_type as it was sent; "" if it was missing.
	TokenType string `json:"token_type,omitempty"`

	// Scope is the answer's scope, if any.
	Scope string `json:"scope,omitempty"`

	// ObtainedAt is when the token request was sent; the lifetime counts from there.
	ObtainedAt time.Time `json:"obtained_at"`

	// ExpiresAt is when the token must no longer be used.
	ExpiresAt time.Time `json:"expires_at"`

	// Unusable says why the token must not be injected (an unknown token type,
	// characters that no header can carry); "" if it may be.
	Unusable string `json:"unusable,omitempty"`

	// Response holds the other scalar members of the answer by dotted path, as
	// far as an injection template names them.
	Response map[string]string `json:"response,omitempty"`
}

// Attempt is a token request whose outcome is not known.
type Attempt struct {
	// ID is unique to the attempt; its part before the dash to the process.
	ID string `json:"id"`

	// RefreshToken is the fingerprint of the refresh token that it presents.
	RefreshToken Fingerprint `json:"refresh_token"`

	// At is when it was journaled.
	At time.Time `json:"at"`

	// Unanswered is when the first request with the same refresh token was left
	// without an answer that settled it; zero if this is the first request.
	Unanswered time.Time `json:"unanswered,omitzero"`

	// UnansweredBy is the ID of that first request.
	UnansweredBy string `json:"unanswered_by,omitempty"`
}

// Loss says how a grant ended.
type Loss struct {
	// Cause is a short word for it, the same in logs, status and metrics.
	Cause string `json:"cause"`

	// Detail is a sentence without any secret.
	Detail string `json:"detail"`

	// At is when it was noticed.
	At time.Time `json:"at"`

	// RefreshToken is the fingerprint of the refresh token that was refused.
	RefreshToken Fingerprint `json:"refresh_token"`
}

// KnowsSeed reports whether a seed was taken, refused or spent before.
func (r *Record) KnowsSeed(seed Fingerprint) bool {
	return slices.Contains(r.Seeds, seed) || slices.Contains(r.Spent, seed)
}

// AddSeed remembers a seed, so that it is not new any more.
func (r *Record) AddSeed(seed Fingerprint) { r.Seeds = remember(r.Seeds, seed) }

// AddSpent remembers a refresh token that must never be presented again.
func (r *Record) AddSpent(token Fingerprint) { r.Spent = remember(r.Spent, token) }

// remember appends a fingerprint and forgets the oldest beyond the bound. It
// never writes to the array of the list it was given: records are copied.
func remember(list []Fingerprint, fp Fingerprint) []Fingerprint {
	if fp == "" || slices.Contains(list, fp) {
		return list
	}
	list = append(slices.Clone(list), fp)
	if len(list) > keptFingerprints {
		list = list[len(list)-keptFingerprints:]
	}
	return list
}
