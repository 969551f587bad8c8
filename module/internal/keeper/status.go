package keeper

import (
	"time"

	"lamplighter/module/internal/finding"
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

// conditions are the states that trouble brings about.
var conditions = map[finding.Condition]State{
	finding.Backoff: StateBackoff, finding.AwaitingGrant: StateAwaitingGrant, finding.Lost: StateGrantLost,
	finding.Misconfiguration: StateMisconfigured,
}

// Status is what operators see of a client. It holds no secret.
type Status struct {
	Client string
	State  State

	// Token is none, valid or expired; ObtainedAt and ExpiresAt are of one of the latter two.
	Token string

	Generation uint64
	ObtainedAt time.Time
	ExpiresAt  time.Time

	// GrantExpiresAt is when the grant ends by itself, zero if it does not, or if
	// nobody knows.
	GrantExpiresAt time.Time

	// NextAttempt is how long until the next token request is due; ok says
	// whether one is planned.
	NextAttempt time.Duration
	Planned     bool

	// NextLook is how long until a look finds out whether Trouble was put right; Looks says
	// whether one does, and not the next token request.
	NextLook time.Duration
	Looks    bool

	// Trouble is why State is not ok; it may stand beside a valid token, and beside
	// StateOK if somebody has to do something all the same.
	Trouble finding.Trouble

	// beside says that Trouble is not why there is no token, if there is none.
	beside bool

	// Unsaved says that the newest refresh token is only in memory.
	Unsaved bool

	// Record is where the client's record lives.
	Record string
}

// Place is where the client's record lives.
func (k *Keeper) Place() string { return k.store.Describe(k.name) }

// Status returns the client's present status.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status()
}

// status is Status. Called with k.mu held.
func (k *Keeper) status() Status {
	now := k.now()
	st := Status{
		Client:     k.name,
		State:      k.condition(),
		Token:      "none",
		Generation: k.state.Record().Generation,
		Trouble:    k.state.Trouble(),
		Unsaved:    k.state.Unsaved(),
		Record:     k.Place(),
	}
	valid := k.current.Load().valid(now)
	// One that has not ended and is not used, as one of a former grant type, is none.
	if t := k.state.Record().Newest(); t != nil && t.AccessToken != "" && (valid || !t.ExpiresAt.After(now.Time())) {
		st.ObtainedAt, st.ExpiresAt, st.Token = t.ObtainedAt, t.ExpiresAt, "expired"
	}
	if valid {
		st.Token = "valid"
	}
	if t, ok := k.state.Usurped(); ok && st.Trouble.Cause == "" {
		st.Trouble = t
	}
	if st.Unsaved && st.Trouble.Cause == "" {
		st.Trouble = finding.Trouble{Cause: finding.CauseStore, Case: "memory"}
	}
	var soon bool
	if st.GrantExpiresAt, soon = k.state.GrantEnds(now); soon && st.Trouble.Cause == "" {
		st.Trouble, st.beside = finding.Trouble{Cause: finding.CauseGrantEnds, Facts: &finding.Facts{Ends: st.GrantExpiresAt}}, true
	}
	if st.Trouble.Cause == "" {
		st.Trouble, st.beside = k.state.Beside()
	}
	st.NextAttempt, st.Planned = k.state.Planned(now)
	st.NextLook, st.Looks = k.state.Looks(now)
	return st
}

// condition names the client's state. Called with k.mu held.
func (k *Keeper) condition() State {
	trouble := k.state.Trouble()
	switch {
	case k.state.Refreshing():
		return StateRefreshing
	case trouble.Condition != finding.Well:
		return conditions[trouble.Condition]
	case k.state.InLine(), k.state.LeaseBusy():
		return StateRefreshing
	case !k.state.Known():
		return StateStarting
	default:
		return StateOK
	}
}
