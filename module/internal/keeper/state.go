package keeper

import (
	"errors"
	"fmt"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/store"
)

// State is the second of the two facts about a client; the first is whether it
// has a valid token.
type State string

// The states of a client.
const (
	StateStarting      State = "starting"       // nothing is known yet
	StateOK            State = "ok"             // all is well
	StateRefreshing    State = "refreshing"     // a token request runs, or waits for its turn
	StateBackoff       State = "backoff"        // the last one failed; another is planned
	StateAwaitingGrant State = "awaiting_grant" // no refresh token yet
	StateGrantLost     State = "grant_lost"     // the refresh token is dead
	StateMisconfigured State = "misconfigured"  // somebody must change the configuration
)

// States are all of them.
var States = []State{StateStarting, StateOK, StateRefreshing, StateBackoff, StateAwaitingGrant, StateGrantLost, StateMisconfigured}

// Causes of trouble that the keeper finds itself. Others come from the token
// endpoint's answer.
const (
	CauseUnresolved      = "unresolved_setting"    // a placeholder yields nothing
	CauseNotYet          = "not_yet"               // another client's token is not there yet
	CauseNoGrant         = "no_refresh_token"      // no seed and no record
	CauseRebound         = "configuration_changed" // the record belongs to other settings
	CauseRecord          = "record_unreadable"     // damaged or from a newer version
	CauseStore           = "store_unavailable"     // the record cannot be read or written
	CauseContested       = "record_contested"      // two processes want different tokens
	CauseLeaseHeld       = "lease_held"            // another process refreshes, too long
	CauseRefused         = "refused"               // the server refused the refresh token
	CauseResponseLost    = "response_lost"         // … after an earlier answer was lost
	CauseSeedUsed        = "seed_refused"          // … the very first one, from the configuration
	CauseUnusable        = "token_unusable"        // the access token must not be injected
	CauseInternal        = "internal_error"        // a bug of ours
	CauseStarting        = "starting"              // no configuration has started yet
	CauseQueued          = "refresh_queued"        // too many others are asking
	CauseExpired         = "expired"               // the wait for a new token ended
	CauseRotationMissing = "rotation_missing"      // see RotationMissing
	CauseRevoked         = "revoked"               // an operator ended the grant
	CauseNoRevocation    = "revocation_failed"     // … and the server did not
	CauseStopped         = "not_running"           // no configuration keeps the client
	CauseNotRotating     = "no_rotation"           // the client has no refresh token of its own
	CauseRetryAfter      = "retry_after"           // the server asked to wait
)

// Trouble says why a client is not well: in one word, one sentence and one
// instruction. It holds no secret. The zero value is no trouble.
type Trouble struct {
	State                 State
	Cause, Detail, Remedy string
	At                    time.Time

	beside bool // of a new refresh token beside a grant that lives
	local  bool // found before anything was asked or written, and gone when it is not found again
}

// blocking reports whether waiting for a token is pointless.
func (t Trouble) blocking() bool {
	return t.State == StateMisconfigured || t.needsGrant()
}

// needsGrant reports whether only a new refresh token helps.
func (t Trouble) needsGrant() bool {
	return t.State == StateAwaitingGrant || t.State == StateGrantLost
}

func lostTrouble(l *store.Loss) Trouble {
	return Trouble{State: StateGrantLost, Cause: l.Cause, Detail: l.Detail, At: l.At}
}

func noGrantTrouble(place string) Trouble {
	return Trouble{
		State:  StateAwaitingGrant,
		Cause:  CauseNoGrant,
		Detail: cause.Of(CauseNoGrant).With("place", place).Sentence,
	}
}

func reboundTrouble(rec *store.Record, place string) Trouble {
	return Trouble{
		State: StateMisconfigured,
		Cause: CauseRebound,
		Detail: fmt.Sprintf("the refresh token in %s was obtained from %s with another client_id or token_endpoint than the configuration has now; it is not sent there",
			place, rec.Binding.TokenEndpoint),
		Remedy: cause.Of(CauseRebound).Remedy,
	}
}

// recordTrouble is that of a record which cannot be read. known says that this
// process has read it before, and holds the grant in memory.
func recordTrouble(err error, place string, known bool) Trouble {
	why := cause.Of(CauseRecord)
	switch {
	case errors.Is(err, store.ErrNewer):
		why = cause.Of(CauseRecord, "newer")
	case errors.Is(err, store.ErrExposed):
		why = cause.Of(CauseRecord, "exposed")
	case known:
		why = cause.Of(CauseRecord, "known")
	}
	return Trouble{State: StateMisconfigured, Cause: CauseRecord, Detail: err.Error(), Remedy: why.With("place", place).Remedy}
}

func contestedTrouble(place string, at time.Time) Trouble {
	t := told(StateBackoff, cause.Of(CauseContested).With("place", place))
	t.At = at
	return t
}

// told is trouble in the words of the table alone.
func told(state State, why cause.Cause) Trouble {
	return Trouble{State: state, Cause: why.Name, Detail: why.Sentence, Remedy: why.Remedy}
}

func storeTrouble(err error, place string) Trouble {
	return Trouble{
		State:  StateBackoff,
		Cause:  CauseStore,
		Detail: fmt.Sprintf("the record cannot be kept, so no refresh token is spent: %v", err),
		Remedy: remedyStore(place),
	}
}

// memoryTrouble is that of a token which is good and of a record which is not.
func memoryTrouble(place string) Trouble {
	return Trouble{
		Cause:  CauseStore,
		Detail: "the newest refresh token is only in memory, and a restart would lose the grant",
		Remedy: remedyStore(place),
	}
}

// remedyStore names the directory, since the error names the file.
func remedyStore(place string) string {
	return cause.Of(CauseStore).With("place", place).Remedy
}

var (
	leasingTrouble = told(StateRefreshing, cause.Of(CauseLeaseHeld))
	queuedTrouble  = told(StateRefreshing, cause.Of(CauseQueued))
)

// Status is what operators see of a client. It holds no secret.
type Status struct {
	Client string
	State  State

	// Token is none, valid or expired.
	Token string

	Generation uint64
	ObtainedAt time.Time
	ExpiresAt  time.Time

	// NextAttempt is how long until the next token request is due; ok says
	// whether one is planned.
	NextAttempt time.Duration
	Planned     bool

	// Trouble is why State is not ok; it may stand beside a valid token.
	Trouble Trouble

	// Unsaved says that the newest refresh token is only in memory.
	Unsaved bool

	// Record is where the client's record lives.
	Record string
}

// Status returns the client's present status.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status()
}

// status is Status. Called with k.mu held.
func (k *Keeper) status() Status {
	mono, wall := k.clock.now()
	st := Status{
		Client:     k.name,
		State:      k.state(),
		Token:      "none",
		Generation: k.record.Generation,
		Trouble:    k.trouble,
		Unsaved:    k.unsaved,
		Record:     k.store.Describe(k.name),
	}
	if t := k.record.Token; t != nil {
		st.ObtainedAt, st.ExpiresAt, st.Token = t.ObtainedAt, t.ExpiresAt, "expired"
	}
	if k.current.Load().valid(mono, wall) {
		st.Token = "valid"
	}
	if k.unsaved && st.Trouble.Cause == "" {
		st.Trouble = memoryTrouble(st.Record)
	}
	st.NextAttempt, st.Planned = k.schedule.next(mono, wall)
	if len(k.settings) == 0 {
		st.Planned = false
	}
	return st
}

// state names the client's state. Called with k.mu held.
func (k *Keeper) state() State {
	switch {
	case k.flight != nil && (k.flight.asking || k.flight.leasing):
		return StateRefreshing
	case k.trouble.State != "":
		return k.trouble.State
	case k.inLine():
		return StateRefreshing
	case !k.settled:
		return StateStarting
	default:
		return StateOK
	}
}
