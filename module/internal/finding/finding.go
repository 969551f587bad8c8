// Package finding answers what is found out about a client, for whoever tells people of it:
// what happened to it (a [Kind]), and why it is not well ([Trouble], with its [Facts]).
//
// It knows causes by their names. It must not know when one holds, which grant decides, nor
// the sentences about it, which stand in the table of package cause.
package finding

import (
	"time"

	"lamplighter/module/internal/record"
)

// Condition is how a client is, apart from whether it has a valid token.
type Condition uint8

// The conditions of trouble; the zero value is none.
const (
	Well Condition = iota
	Backoff
	AwaitingGrant
	Lost
	Misconfiguration
)

// Trouble says why a client is not well. The zero value is no trouble.
type Trouble struct {
	Condition Condition
	Cause     string
	Case      string // which row of the table of causes, where a cause has several
	Facts     *Facts
	At        int64 // Unix time in ns

	Beside bool // of a candidate beside a grant that lives
	Local  bool // found before anything was asked or written, and gone when it is not found again
}

// Blocking reports whether waiting for a token is pointless.
func (t *Trouble) Blocking() bool { return t.Condition >= AwaitingGrant }

// NeedsGrant reports whether only a new refresh token helps.
func (t *Trouble) NeedsGrant() bool { return t.Condition == AwaitingGrant || t.Condition == Lost }

// Same reports whether it is the same trouble, whenever it was found.
func (t *Trouble) Same(other *Trouble) bool {
	return t.Condition == other.Condition && t.Cause == other.Cause && t.Facts.Same(other.Facts)
}

// Same reports whether facts are equal.
func (f *Facts) Same(other *Facts) bool {
	if f == nil || other == nil {
		return f == other
	}
	return *f == *other
}

// Facts are those of a case, for whoever puts it into words. They hold no secret
// and are fit to print.
type Facts struct {
	Kind      string        // which row of the table of causes, if the cause alone does not tell
	Detail    string        // what a server, an error or a file says
	Remedy    string        // what to do about an answer, if that is known
	DeadGrant string        // the settings that would tell a dead grant from a refused client
	Loss      *record.Loss  // how the grant ended
	Endpoint  string        // whose the refresh token is
	Since     time.Time     // since when the settings are known to work, or something lasts
	Wait      time.Duration // how long the server wants not to be asked
	Ends      time.Time     // when the grant ends by itself
	Imported  bool          // the candidate was supplied by hand
	Accepted  bool          // the same settings have worked before
	Owner     string        // the client that a refresh token belongs to
	Place     string        // … and where its record is
	From      string        // … in which store, if that is another one
}

// Kind says what is told.
type Kind uint8

// The kinds.
const (
	TokenObtained Kind = iota + 1
	TokenRefreshFailed
	RefreshTokenRotated
	GrantLost
	SeedRefused
	TokenRestored   // a token was found in the record: at start, or because another holder obtained it
	RotationMissing // a success brought no refresh token though rotation is required; it is used, and the old one kept
	LifetimeMissing // an answer named no sane lifetime; the default holds
	AnswerRemarked  // an answer was kept, and something in it is odd
	StoreFailed     // an answer could not be written; the token is used from memory
	StoreRecovered  // it is written now
	RefreshOrdered  // an operator asked for a token request; what becomes of it follows
	ImportOrdered   // an operator supplied a refresh token; what becomes of it follows
	LoginOrdered    // an operator logged in, which brought a refresh token; what becomes of it follows
	RevokeOrdered   // an operator ends the grant
	OrderRefused    // what an operator asked for was not even tried
	GrantEnds       // the grant ends by itself soon, and no refresh moves that
	Troubled        // something stops the client that no token request brought up
	TokenRejected   // an upstream rejects the token; told by whoever sends requests
)
