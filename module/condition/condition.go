// Package condition answers how a client is, in one word and in the words of people: what
// the commands print of it, the status page shows, and 'tokens health' judges.
//
// It knows what the admin API says of a client. It must not know how one works, nor what
// a terminal or a browser makes of a word.
package condition

import (
	"slices"

	"lamplighter/module/adminapi"
)

// Health is how well a client is; of two the greater one counts.
type Health int

// How well a client is.
const (
	Well        Health = iota
	NotForLong         // requests are served, and may soon be served no more, or are not served well
	NoToken            // requests find no valid token
	HumanNeeded        // it will not be well again by itself, though its token may be valid
)

// mostlyWell are causes beside ok of clients whose token is not all that it should be.
var mostlyWell = []string{adminapi.CauseGrantEnds, adminapi.CauseTokenRejected, adminapi.CauseTokenFileFailed, adminapi.CauseTokenFileExposed}

// Of returns how well a client is.
func Of(s adminapi.ClientStatus) Health {
	away := s.StoreUp != nil && !*s.StoreUp
	switch {
	case needsHuman(s):
		return HumanNeeded
	case !adminapi.HasToken(s.Token):
		return NoToken
	case away || s.State == adminapi.StateBackoff || slices.Contains(mostlyWell, s.Cause):
		return NotForLong
	}
	return Well
}

// OfToken returns Well or NoToken, whatever else there is to say of a client.
func OfToken(s adminapi.ClientStatus) Health {
	if adminapi.HasToken(s.Token) {
		return Well
	}
	return NoToken
}

func needsHuman(s adminapi.ClientStatus) bool {
	switch s.State {
	case adminapi.StateGrantLost, adminapi.StateMisconfigured, adminapi.StateAwaitingGrant:
		return true
	}
	// A directory that cannot be used, or has no room, is mended by somebody, while a store of its own passes
	// its trouble; a client beside whose ok that stands goes on without.
	return s.Unsaved || (s.Cause == "store_unavailable" || s.Cause == "store_full") && s.StoreUp == nil && s.State != "ok"
}

// Tone is how good a word is.
type Tone int

// How good a state, a token, a verdict or a kind of event is.
const (
	Plain Tone = iota
	Good
	Passing
	Bad
)

// ToneOf returns how good a word of the admin API is, Plain for any other.
func ToneOf(word string) Tone {
	switch word {
	case "ok", "valid", "there", adminapi.TokenPerCaller, "token_obtained", "token_restored", "store_recovered":
		return Good
	case "starting", "refreshing", "backoff", "grant_ends", "token_refresh_failed", "rotation_missing", "lifetime_missing", "answer_remarked", adminapi.VerdictWarning:
		return Passing
	case "awaiting_grant", "grant_lost", "misconfigured", "none", "expired", "seed_refused", "store_failed", "token_rejected", "troubled", "away", adminapi.VerdictFailed:
		return Bad
	}
	return Plain
}
