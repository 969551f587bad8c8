// Package step has what a step of a grant begins with and what it ends with: an [Event] that
// happened, and the [Effect]s that are to be done about it.
//
// It knows their names and facts. It must not know what follows from an event, which is
// package grant's to say, nor how an effect is performed, which is the keeper's.
package step

import (
	"time"

	"lamplighter/module/internal/finding"
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
		Config  Fault // None, NotYet or Unresolved
		Inputs  Inputs
		Store   Fault          // None, Missing, Damaged, Unreadable or Away
		Stored  *record.Record // with None
		Facts   *finding.Facts // of a fault
		Taken   *finding.Facts // why the token that was asked about is not to be sent, nil if it may be
		Unknown bool           // it could not be found out whether a token that was denied still is another client's
	}

	// Connected is an outcome of Connect: the request may be written.
	Connected struct {
		Key record.Key // whose proof goes along; zero if none does
	}

	// Leased is the outcome of Lease.
	Leased struct {
		Fault Fault // None, Busy, RolledBack or Away
		Facts *finding.Facts
	}

	// Saved is the outcome of Save.
	Saved struct {
		Fault Fault // None, Conflict or Away
		Facts *finding.Facts
	}

	// Claimed is the outcome of Claim.
	Claimed struct {
		Fault Fault          // None, Taken or Away
		Facts *finding.Facts // whose it is, or what is wrong with the store
	}

	// Drained is the outcome of Hold.
	Drained struct {
		LeaseLost bool // somebody else may have it by now
		Facts     *finding.Facts
	}

	// Answered is the outcome of Send, and of a Connect that failed.
	Answered struct{ Answer Answer }

	// Revoked is the outcome of Revoke.
	Revoked struct {
		OK        bool
		LeaseLost bool // somebody else may have presented the refresh token meanwhile
		Facts     *finding.Facts
	}

	// Panicked is the outcome of an effect that a bug of ours ended.
	Panicked struct {
		Facts  *finding.Facts
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
	Unreadable       // there is one that this process cannot read, or must not, and that is not damaged
	Foreign          // there is one of another grant, see record.Foreign
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
	Proof       record.Proof
	Outdated    *finding.Facts // why nothing is to be asked with what authenticates the client, nil if it may be
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
	Remarks          []*finding.Facts

	RetryAfter time.Duration
	Cause      string
	Facts      *finding.Facts
}

// Usable reports whether an answer holds an access token that may be injected.
func (a *Answer) Usable() bool { return a.Outcome == Granted && a.Access.Unusable == "" }

// Settles reports whether an answer tells that it consumed nothing.
func (a *Answer) Settles() bool {
	switch a.Outcome {
	case NotSent, Misconfigured, RefusedGrant:
		return true
	case Unavailable:
		return a.Status >= 300 && a.Status < 500
	default:
		return false
	}
}

// Detail is what is known of an answer that brought nothing, "" if nothing is.
func (a *Answer) Detail() string {
	if a.Facts == nil {
		return ""
	}
	return a.Facts.Detail
}

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
