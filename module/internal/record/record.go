// Package record answers what is durable of a client's grant: the [Record], what
// follows from it, how one is changed and how two are joined.
//
// A record says of each refresh token what the last attempt said of it, with that
// attempt's number. Everything else is derived: which token is current, which are
// spares, whether the grant is lost. So two versions of a record can always be
// joined ([Merge]), whoever wrote them and in whatever order, and nothing that a
// server gave is thrown away.
//
// It knows tokens, numbers and times. It must not know files, clocks, schedules,
// HTTP or words for people, and it imports nothing of ours.
//
// A lineage is the identity of a grant, from a log-in on through all rotations. A
// candidate is a refresh token that no answer has judged yet. An attempt is one
// journaled token request. A spare is a refresh token of the current lineage that
// an answer gave and that a later attempt displaced.
package record

import (
	"encoding/json"
	"time"
)

// Record is the durable state of one client. Its methods that change it return a
// changed copy: what copies share is never written to. All times are UTC
// wall-clock times. The zero value is a client that never had a token.
type Record struct {
	// Client is the client's name, so that a renamed record is noticed.
	Client string `json:"client"`

	// Revision counts every write of the record, the journal's too. A store sets it.
	Revision uint64 `json:"revision"`

	// WriteID is unique to the write that made this content.
	WriteID string `json:"write_id,omitempty"`

	// Written is when that was, by the writer's clock; zero if nobody else's clock may
	// differ. A store sets it.
	Written time.Time `json:"written,omitzero"`

	// Number is the highest number of an attempt that was journaled. Numbers grow
	// along the record.
	Number uint32 `json:"number,omitempty"`

	// Generation counts the token answers that were kept.
	Generation uint64 `json:"generation"`

	// Lineages are the grants that this record knows of, those of other token
	// endpoints and those that ended included.
	Lineages []Lineage `json:"lineages,omitempty"`

	// Attempts are those whose outcome was not recorded otherwise, the newest of
	// each refresh token.
	Attempts []Attempt `json:"attempts,omitempty"`

	// AccessTokens are the newest access tokens, one of each request binding.
	AccessTokens []AccessToken `json:"access_tokens,omitempty"`

	// Keys are the private keys that tokens are bound to, or are to be.
	Keys []Key `json:"keys,omitempty"`

	// Forgotten are the first refresh tokens of lineages that are not kept any more,
	// by number.
	Forgotten []Mark `json:"forgotten,omitempty"`

	// Paused is how long the authorization server is to be left alone after the last
	// attempt that failed, nil if it is not. See [Record.Pause].
	Paused *Pause `json:"paused,omitempty"`

	// Moved says that the grant was carried over, and where to; nil of a record that is
	// in use.
	Moved *Moved `json:"moved,omitempty"`

	// unknown holds members that a later version wrote and that this one may ignore.
	unknown map[string]json.RawMessage
}

// Binding is what tokens depend on.
type Binding struct {
	// Grant is the fingerprint of who issues the refresh token, and to whom: the
	// issuer or the token endpoint, and the client_id.
	Grant Fingerprint

	// Request is the fingerprint of scope, audience, resource, parameters and
	// subject: with another one the access token no longer is what was asked for.
	Request Fingerprint

	// TokenEndpoint is scheme, host and path of the token endpoint, for people.
	TokenEndpoint string

	// Further names what else the refresh token is bound to, for people: "certificate", or
	// nothing.
	Further string
}

// Unlike says in what, beside the client, a grant of another binding may differ that was
// obtained from a token endpoint: Further, "" if that is another one.
func (b Binding) Unlike(tokenEndpoint string) string {
	if b.TokenEndpoint != tokenEndpoint {
		return ""
	}
	return b.Further
}

// Lineage is a grant: what a log-in brought, through all its rotations.
type Lineage struct {
	// ID is the fingerprint of its first refresh token.
	ID Fingerprint `json:"id"`

	// Binding is the grant binding that its tokens were obtained with. They are
	// presented nowhere else.
	Binding Fingerprint `json:"binding,omitzero"`

	// TokenEndpoint is where that is, for people.
	TokenEndpoint string `json:"token_endpoint,omitempty"`

	// Since is the number of the newest answer to its first refresh token, 0 as
	// long as there was none. Of several lineages of one binding the one with the
	// highest lives, and the others have ended.
	Since uint32 `json:"since,omitempty"`

	// Revoked is the number of the attempt that revoked it, 0 if none has.
	Revoked uint32 `json:"revoked,omitempty"`

	// Tokens are its refresh tokens but the consumed ones, by number.
	Tokens []Token `json:"tokens,omitempty"`

	// Consumed are the refresh tokens that an answer replaced, by number. A token
	// with a number below the oldest of a full list counts as one of them.
	Consumed []Mark `json:"consumed,omitempty"`

	// Loss says how its last token was refused, nil if none was.
	Loss *Loss `json:"loss,omitempty"`
}

// Said is what the last attempt said of a refresh token.
type Said string

// What an attempt may say. A consumed token is kept as a [Mark].
const (
	Candidate Said = "candidate" // no answer has judged it
	Held      Said = "held"      // an answer brought it, or left it as it was
	Refused   Said = "refused"   // the server refused it
)

// Token is a refresh token.
type Token struct {
	// RefreshToken is the secret, "" where only its fingerprint is of use.
	RefreshToken string `json:"refresh_token,omitempty"`

	// Fingerprint stands for it, and for how often it was given again.
	Fingerprint Fingerprint `json:"fingerprint"`

	// Again is how often an answer gave it again that had been consumed by then. Each time it
	// is a token of its own, so that what is known of the former ones changes nothing.
	Again uint32 `json:"again,omitempty"`

	// Number is that of the attempt that spoke last of it.
	Number uint32 `json:"number"`

	// Said is what that attempt said.
	Said Said `json:"said"`

	// Imported says of a candidate that an operator supplied it by hand.
	Imported bool `json:"imported,omitempty"`

	// Overruled says that the operator did so although it may have been spent, or may be or
	// have been another client's.
	Overruled bool `json:"overruled,omitempty"`

	// Key is the ID of the key whose proof it was obtained with, 0 if there was none. Of a
	// public client it is bound to it (RFC 9449 section 5).
	Key Fingerprint `json:"key,omitzero"`

	// ObtainedAt is when the answer that brought it was asked for.
	ObtainedAt time.Time `json:"obtained_at,omitzero"`

	// ExpiresAt is when it ends itself, zero if the server did not say.
	ExpiresAt time.Time `json:"expires_at,omitzero"`

	// MovedAt is when the answer was asked for that last moved ExpiresAt: where it is
	// before ObtainedAt, refreshing does not prolong the grant. Zero without an end.
	MovedAt time.Time `json:"moved_at,omitzero"`
}

// Mark is a refresh token that must never be presented again, and the number of
// the attempt that consumed it.
type Mark struct {
	Fingerprint [8]byte // not a number, so that many marks take little memory
	Number      uint32
}

// AccessToken is an access token and what came with it.
type AccessToken struct {
	// Request is the request binding that it was asked for with.
	Request Fingerprint `json:"request,omitzero"`

	// Grant is the grant binding that it was obtained with.
	Grant Fingerprint `json:"grant,omitzero"`

	// Lineage is the grant that it was obtained from, zero for grants without a
	// refresh token of their own.
	Lineage Fingerprint `json:"lineage,omitzero"`

	// Number is that of the attempt that brought it.
	Number uint32 `json:"number"`

	// Key is the ID of the key that it is bound to, 0 if it is sent without a proof.
	Key Fingerprint `json:"key,omitzero"`

	// AccessToken is the token to inject, "" if an attempt ended the former one and
	// brought none.
	AccessToken string `json:"access_token,omitempty"`

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

// Attempt is a token request that was journaled before it was sent.
type Attempt struct {
	// Number is its number.
	Number uint32 `json:"number"`

	// ID is unique to the attempt; its part before the dash to the process.
	ID string `json:"id"`

	// Fingerprint is that of the refresh token that it presents.
	Fingerprint Fingerprint `json:"refresh_token"`

	// At is when it was journaled.
	At time.Time `json:"at"`

	// Settled says that it consumed nothing: it was not sent, or the answer left
	// the refresh token as it was.
	Settled bool `json:"settled,omitempty"`

	// Unanswered is when the first attempt with the same refresh token was left
	// without an answer that settled it; zero if there was none before this one.
	Unanswered time.Time `json:"unanswered,omitzero"`

	// UnansweredBy is the ID of that first attempt.
	UnansweredBy string `json:"unanswered_by,omitempty"`
}

// Loss says how a grant ended.
type Loss struct {
	// Number is that of the attempt that showed it.
	Number uint32 `json:"number"`

	// Cause is a short word for it, the same in logs, status and metrics.
	Cause string `json:"cause"`

	// Detail is what the server said, without any secret.
	Detail string `json:"detail,omitempty"`

	// Sentence is the whole explanation, of records that the first release wrote.
	Sentence string `json:"sentence,omitempty"`

	// At is when it was noticed.
	At time.Time `json:"at"`

	// Imported says that the refused token was supplied by hand.
	Imported bool `json:"imported,omitempty"`

	// EndedAt is when the grant had ended by itself, zero if it had not.
	EndedAt time.Time `json:"ended_at,omitzero"`

	// Unanswered and UnansweredBy are those of the attempt.
	Unanswered   time.Time `json:"unanswered,omitzero"`
	UnansweredBy string    `json:"unanswered_by,omitempty"`
}
