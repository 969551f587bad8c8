package grant

import (
	"time"

	"lamplighter/module/internal/record"
)

// Event is something that happened. Outcomes of effects are events too; one that
// the phase does not await is dropped.
type Event interface{ event() }

// What happens to a grant.
type (
	// Started: a configuration begins to be obeyed, or another one again.
	Started struct {
		Settings  *Settings
		OtherLine bool // to stand in, for another authorization server
	}

	// Stopped: no configuration keeps the client any more.
	Stopped struct{}

	// Abandoned: after Stopped, what is not written by now never will be.
	Abandoned struct{}

	// Poked: something may have changed, or a moment may have come that Wake named.
	Poked struct{}

	// Called: the turn to ask the authorization server has come.
	Called struct{}

	// Ordered: an operator asks for something.
	Ordered struct{ Order Order }

	// OrderGone: whoever asked waits no longer. What has begun goes on.
	OrderGone struct{ ID uint32 }

	// Unauthorized: an upstream answered 401 to the token of that generation.
	Unauthorized struct{ Generation uint64 }

	// Accepted: an upstream accepted the token of that generation, of which that
	// was in doubt.
	Accepted struct{ Generation uint64 }

	// Looked is the outcome of Look.
	Looked struct {
		Config Fault // None, NotYet or Unresolved
		Inputs Inputs
		Store  Fault          // None, Missing, Damaged, Foreign or Away
		Stored *record.Record // with None
		Facts  *Facts         // of a fault
		Taken  *Facts         // why the token that was asked about is not to be sent, nil if it may be
	}

	// Connected is an outcome of Connect: the request may be written.
	Connected struct {
		Key record.Key // whose proof goes along; zero if none does
	}

	// Leased is the outcome of Lease.
	Leased struct {
		Fault Fault // None, Busy, RolledBack or Away
		Facts *Facts
	}

	// Saved is the outcome of Save.
	Saved struct {
		Fault Fault // None, Conflict or Away
		Facts *Facts
	}

	// Claimed is the outcome of Claim.
	Claimed struct {
		Fault Fault  // None, Taken or Away
		Facts *Facts // whose it is, or what is wrong with the store
	}

	// Drained is the outcome of Hold.
	Drained struct {
		LeaseLost bool // somebody else may have it by now
		Facts     *Facts
	}

	// Answered is the outcome of Send, and of a Connect that failed.
	Answered struct{ Answer Answer }

	// Revoked is the outcome of Revoke.
	Revoked struct {
		OK    bool
		Facts *Facts
	}

	// Panicked is the outcome of an effect that a bug of ours ended.
	Panicked struct {
		Facts  *Facts
		Answer *Answer // that was met with it, nil if none was
	}
)

// Fault is how something failed that is not the server's to answer.
type Fault uint8

// The faults.
const (
	None       Fault = iota
	NotYet           // settings will be there soon, without anybody's help
	Unresolved       // settings cannot be resolved
	Missing          // there is no record
	Damaged          // there is one that nobody can read
	Foreign          // there is one that this process cannot read, or must not
	Away             // the store does not do it, or not in time: it may have done it all the same
	Conflict         // somebody else has written
	Busy             // somebody else has the lease
	RolledBack       // nobody gets the lease: the store has lost writes
	Taken            // the refresh token is another client's, or a former record's
)

// Inputs are the resolved values of one token request.
type Inputs struct {
	Seed        string // the refresh token that the operator supplied, "" if none
	SeedFault   string // why what was supplied can be no refresh token; a grant that lives goes on without
	Binding     record.Binding
	Credentials uint64 // what the request is made of, the refresh token apart: those that worked before are not to blame; 0 if nobody knows
	Revocable   bool   // there is a revocation endpoint
	Outdated    *Facts // why nothing is to be asked with what authenticates the client, nil if it may be
	Proof       record.Proof
}

// Outcome sorts what a token request came to by what may be done next.
type Outcome uint8

// The outcomes, as package tokenendpoint has them.
const (
	Granted Outcome = iota + 1
	NotSent
	Unanswered
	Unavailable
	Misconfigured
	RefusedGrant
)

// Answer is what one token request came to.
type Answer struct {
	Outcome Outcome
	Status  int

	RefreshToken     string
	RefreshExpiresIn time.Duration // 0 if unknown, negative without an end

	Access           record.AccessToken // the access token and what came with it
	ExpiresIn        time.Duration
	ExpiresDefaulted string
	Remarks          []*Facts

	RetryAfter time.Duration
	Cause      string
	Facts      *Facts
}

// Effect is something to be done outside. Those with an outcome bring about one
// event each, and at most one of them is under way.
type Effect interface{ effect() }

// What is to be done. The outcome is named behind it.
type (
	// Look reads the record, and before it the settings if Config is set. It finds out
	// whether a refresh token still is another client's, unless Taken is 0, and whether
	// one was spent by a record that is missing, or was newer, unless Missing is 0 → Looked
	Look struct {
		Config  bool
		Taken   record.Fingerprint
		Missing record.Fingerprint
	}

	// Connect prepares a token request with that refresh token and, if one is wanted, a proof by
	// that key: of the settings without Private, a new one without ID → Connected, or Answered
	Connect struct {
		RefreshToken string
		Key          record.Key
	}

	// Lease tries once for the sole right to spend the refresh token → Leased
	Lease struct{}

	// Save writes the record if the stored one has that revision → Saved
	Save struct {
		Record     *record.Record
		IfRevision uint64
		Journal    bool  // of a request that is about to be sent
		SetAside   Fault // None, or what is stored: Damaged, or of that revision and Foreign
	}

	// Claim makes a refresh token that no answer has judged the client's, unless it is
	// another's and Again is not set. Of a grant that does not rotate it only finds
	// out → Claimed
	Claim struct {
		RefreshToken string
		Rotating     bool
		Imported     bool
		Again        bool
	}

	// Hold looks whether the lease is still held. Before that it holds requests back,
	// and waits for those that were sent, if Requests is set → Drained
	Hold struct{ Requests bool }

	// Send lets the prepared request be written → Answered
	Send struct{}

	// Revoke ends the grant of a refresh token at the server → Revoked
	Revoke struct{ RefreshToken string }

	// CallOff ends a prepared request that was not written. If its Connect has no
	// outcome yet, that is Answered, soon.
	CallOff struct{}

	// Line stands in line for the authorization server; Called says when.
	Line struct{ Hurried bool }

	// Leave gives the turn, or the place in line, to the next.
	Leave struct{}

	// Release gives the lease back.
	Release struct{}

	// Tell tells what happened.
	Tell struct {
		Kind     Kind
		Trouble  Trouble
		Answered *Answer // whose answer it is about
	}

	// Reply answers an order.
	Reply struct {
		ID      uint32
		Outcome OrderOutcome
		Trouble Trouble
	}
)

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
	RevokeOrdered   // an operator ends the grant
	OrderRefused    // what an operator asked for was not even tried
	GrantEnds       // the grant ends by itself soon, and no refresh moves that
	Troubled        // something stops the client that no token request brought up
	TokenRejected   // an upstream rejects the token; told by whoever sends requests
)

// OrderOutcome is what became of an order.
type OrderOutcome uint8

// The outcomes of orders.
const (
	NotDone OrderOutcome = iota
	Obtained
	WasRevoked
)

func (Started) event()      {}
func (Stopped) event()      {}
func (Abandoned) event()    {}
func (Poked) event()        {}
func (Called) event()       {}
func (Ordered) event()      {}
func (OrderGone) event()    {}
func (Unauthorized) event() {}
func (Accepted) event()     {}
func (Looked) event()       {}
func (Connected) event()    {}
func (Leased) event()       {}
func (Saved) event()        {}
func (Claimed) event()      {}
func (Drained) event()      {}
func (Answered) event()     {}
func (Revoked) event()      {}
func (Panicked) event()     {}

func (Look) effect()    {}
func (Connect) effect() {}
func (Lease) effect()   {}
func (Save) effect()    {}
func (Claim) effect()   {}
func (Hold) effect()    {}
func (Send) effect()    {}
func (Revoke) effect()  {}
func (CallOff) effect() {}
func (Line) effect()    {}
func (Leave) effect()   {}
func (Release) effect() {}
func (Tell) effect()    {}
func (Reply) effect()   {}
