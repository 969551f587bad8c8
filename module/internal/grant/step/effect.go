package step

import (
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

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

	// Save writes the record if the stored one has that revision, or joins it with the one
	// that the grant is in by now, if Into says that it was carried over → Saved
	Save struct {
		Record     *record.Record
		IfRevision uint64
		Journal    bool          // of a request that is about to be sent
		SetAside   Fault         // None, or what is stored: Damaged, or of that revision and Foreign
		Into       *record.Moved // nil if the record is where it was
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
		Kind     finding.Kind
		Trouble  finding.Trouble
		Answered *Answer // whose answer it is about
	}

	// Reply answers an order.
	Reply struct {
		ID      uint32
		Outcome OrderOutcome
		Trouble finding.Trouble
		Kept    bool // what was to be imported is presented again, without another order
	}
)

// OrderOutcome is what became of an order.
type OrderOutcome uint8

// The outcomes of orders.
const (
	NotDone OrderOutcome = iota
	Obtained
	WasRevoked
)

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
