package finding

// Causes of trouble that are found here. Others come with an answer. Their words
// stand in the table of package cause.
const (
	CauseUnresolved   = "unresolved_setting"     // a placeholder yields nothing
	CauseNotYet       = "not_yet"                // another client's token is not there yet
	CauseOutdated     = "assertion_expired"      // what authenticates the client is out of date
	CauseNoGrant      = "no_refresh_token"       // no seed and no record
	CauseRebound      = "configuration_changed"  // the grant belongs to other settings
	CauseKeyChanged   = "dpop_key_changed"       // the refresh token is bound to another key than is proved now
	CauseRecord       = "record_unreadable"      // damaged or from a newer version
	CauseStore        = "store_unavailable"      // the record cannot be read or written
	CauseStoreRefused = "store_refused"          // … because it denies access
	CauseStoreUnsafe  = "store_unsafe"           // … because it would lose it
	CauseStoreFull    = "store_full"             // … because it has no room
	CauseContested    = "record_contested"       // two processes want different tokens
	CauseLeaseHeld    = "lease_held"             // another process refreshes, too long
	CauseRefused      = "refused"                // the server refused the refresh token
	CauseResponseLost = "response_lost"          // … after an earlier answer was lost
	CauseSeedUsed     = "seed_refused"           // … the very first one, from the configuration
	CauseSeedTaken    = "seed_of_another_record" // … or is another client's, and was not sent
	CauseMissing      = "record_missing"         // … or was spent by a record that is not there
	CauseMoved        = "record_moved"           // the grant was carried over to another record
	CauseUnusable     = "token_unusable"         // the access token must not be injected
	CauseNotBound     = "token_not_bound"        // … because it is not bound as it was to be
	CauseInternal     = "internal_error"         // a bug of ours
	CauseGrantEnds    = "grant_ends"             // it has an end of its own
	CauseRevoked      = "revoked"                // an operator ended the grant
	CauseNoRevocation = "revocation_failed"      // … and the server did not
	CauseStopped      = "not_running"            // no configuration keeps the client
	CauseNotRotating  = "no_rotation"            // the client has no refresh token of its own
	CauseRetryAfter   = "retry_after"            // the server asked to wait
	CauseCanceled     = "canceled"               // a request was called off before it was written

	CauseRotationMissing = "rotation_missing" // rotation is required, and an answer brought no refresh token
	CauseStarting        = "starting"         // no configuration has started yet
	CauseQueued          = "refresh_queued"   // too many others are asking
	CauseExpired         = "expired"          // the wait for a new token ended
)

// KindMissing is the kind of the facts about a refresh token that is taken by the
// client's own former record.
const KindMissing = "missing"

// Kinds of the facts about a store that cannot be used.
const (
	KindRefused = "refused" // it denies access
	KindUnsafe  = "unsafe"  // it would lose what it acknowledges, or let two write at once
	KindFull    = "full"    // it has no room
)

// StoreTrouble is why a record cannot be read or written. It may pass, unless a human has
// to grant a right or change a setting of the store.
func StoreTrouble(facts *Facts) Trouble {
	t := Trouble{Condition: Backoff, Cause: CauseStore, Facts: facts}
	if facts == nil {
		return t
	}
	switch facts.Kind {
	case KindRefused:
		t.Condition, t.Cause = Misconfiguration, CauseStoreRefused
	case KindUnsafe:
		t.Condition, t.Cause = Misconfiguration, CauseStoreUnsafe
	case KindFull:
		t.Cause = CauseStoreFull
	}
	return t
}

// Cases of causes that have several rows in the table.
const (
	CaseUnsaved   = "order unsaved" // an order that waits for a write
	CaseKnown     = "known"         // a refresh token that this client has, or had
	CaseRefused   = "refused"       // a refresh token that the server refused before
	CaseOvertaken = "overtaken"     // another holder was faster
	CaseBeside    = "beside"        // a candidate beside a grant that lives
	CaseForeign   = "foreign"       // a record of another lineage
	CaseUsed      = "used"          // a refresh token that an answer consumed
	CaseOver      = "over"          // a grant that ended by itself
	CaseKept      = "kept"          // a record is there that holds no refresh token
	CaseLate      = "late"          // too little time was left for an answer
	CaseLease     = "lease lost"    // the lease was lost before the request was sent
	CaseDoubtful  = "doubtful"      // a refusal of what another holder had presented
	CaseRollback  = "rolled back"   // a store that lost writes, until all have read it
)
