package grant

import (
	"testing"

	"lamplighter/module/internal/finding"
)

// What the explorations found, each with its shortest history.

// A store that had lost a write and then failed let the refresh token be sent
// without a journal, although the access token was good for a while.
func TestWithoutAJournalNothingIsSentBeforeTheAccessTokenIsAboutToEnd(t *testing.T) {
	history(t, "one, strict, store lost", `
		0 boot
		0 look
		0 called
		0 look
		0 connect
		0 lease
		0 look
		0 save
		0 claim
		0 hold
		0 process
		0 answer
		0 save
		0 time
		0 look
		0 called
		0 look
		0 connect
		0 lease
		rollback
		0 look
		0 save away
	`)
}

// A seed that was shown to the wrong server, which refused it, was never shown to
// the right one.
func TestASeedThatTheWrongServerRefusedIsPresentedToTheRightOne(t *testing.T) {
	history(t, "one, bindings", `
		0 boot
		0 rebind
		0 look
		0 look
		0 called
		0 look
		0 connect
		0 lease
		0 look
		0 save
		0 claim
		0 hold
		0 process
		0 answer
		0 save
		0 rebind
	`)
}

// A refused token that an operator had presented once more was sent without a
// journal, because its refusal was not written yet.
func TestARefusedTokenIsPresentedOnceMoreOnlyWithAJournal(t *testing.T) {
	history(t, "one, owed", `
		0 crash
		0 boot
		0 look
		0 called
		0 look
		0 connect
		0 lease
		0 look
		0 save
		0 hold
		0 process
		0 answer
		0 save away
		0 refresh
		0 look away
		0 look
		0 connect
		0 look
		0 save away
	`)
}

// A client whose turn came while it could ask nothing kept it: until what it owed to
// the store was written, others did not come to theirs.
func TestATurnThatIsOfNoUseIsGivenBack(t *testing.T) {
	history(t, "one, strict, store lost", `
		0 boot
		0 look
		0 called
		0 look
		0 connect
		0 lease
		0 look
		0 save
		0 claim
		0 hold
		0 process
		0 answer
		0 save
		0 time
		rollback
		0 look
		0 lease
		0 look away
		0 called
	`)
}

// Another holder rotates, and dies in its next attempt, while a request with the
// former refresh token is prepared here.
func TestARequestThatWasPreparedBeforeAnotherRotationIsNotSent(t *testing.T) {
	history(t, "two, valid, order", `
		0 time
		0 look
		0 called
		0 look
		0 connect
		1 time
		1 look
		1 called
		1 look
		1 connect
		1 lease
		1 look
		1 save
		1 hold
		1 process
		1 answer
		1 save
		1 refresh
		1 look
		1 connect
		1 lease
		1 look
		1 save
		1 crash
		0 lease
		0 look
	`)
}

// A holder outlives its lease, and its answer is written after that of another one,
// which is the one that the server honours. Then the other dies.
func TestWhatAnotherHolderObtainedIsNotWrittenOver(t *testing.T) {
	history(t, "two, replace, overrun", `
		0 time
		0 look
		0 called
		0 look
		0 connect
		0 lease
		0 look
		0 save
		0 hold
		0 process
		0 lease ends
		1 time
		1 look
		1 called
		1 look
		1 connect
		1 lease
		1 look
		1 save
		1 hold
		1 process
		1 answer
		1 save
		1 time
		0 answer
		0 save
		0 look
		0 save
		1 crash
	`)
}

// An answer was stored although the store did not say so. Its refresh token was sent
// without a journal, and a crash then lost it without a trace.
func TestWithoutAJournalNothingIsSentThatTheStoreHolds(t *testing.T) {
	history(t, "one, owed", `
		0 time
		0 look
		0 save unacknowledged
		0 look
		0 called
		0 look
		0 connect
		0 look away
		0 save away
	`)
}

// A seed that had not been tried yet displaced the grant that an operator supplied.
func TestASeedDoesNotDisplaceWhatWasImportedAfterIt(t *testing.T) {
	history(t, "one, an order", `
		0 boot
		0 import
		0 look
		0 look
		0 connect
		0 lease
		0 look
		0 save
		0 claim
		0 hold
		0 process
		0 answer
		0 save
	`)
}

// Nor did one that the server could not be asked about.
func TestASeedThatWasTriedInVainDoesNotDisplaceWhatWasImportedAfterIt(t *testing.T) {
	history(t, "one, an order", `
		0 boot
		0 look
		0 called
		0 look
		0 connect
		0 lease
		0 look
		0 save
		0 claim
		0 hold
		0 misconfigured
		0 save
		0 import
	`)
}

// What an operator supplied by mistake took the place of the grant that was lost.
func TestARefusedImportDoesNotTakeTheLossOfTheGrantOver(t *testing.T) {
	refused := `
		0 import nonsense
		0 look
		0 connect
		0 lease
		0 look
		0 save
		0 claim
		0 hold
		0 process
		0 answer
		0 save
	`
	w := history(t, "one, lost", refused)
	if f := w.h[0].state.trouble.Facts; f == nil || f.Loss == nil || f.Loss.Imported {
		t.Errorf("the grant is lost as %+v", f)
	}
	w = history(t, "one, lost", refused+"0 refresh\n0 look")
	if w.h[0].conn.token == "C0" {
		t.Error("refresh presents what was imported by mistake once more")
	}
}

// A client that was started again, after a stop had given up what it owed, went on
// without the lease: others could present the spent refresh token that the store has.
func TestWhatIsOwedIsOwedUnderTheLease(t *testing.T) {
	w := history(t, "one, owed, stopped", `
		0 stop
		0 look
		0 save away
		0 abandon
		0 start again
		0 lease
		0 look
		0 save away
	`)
	if !w.h[0].state.unsaved || w.store.lease != 1 {
		t.Error("it owes an answer, and does not hold the lease")
	}
}

// The cache of a client without a refresh token of its own stayed damaged for ever.
func TestADamagedCacheIsWrittenAnew(t *testing.T) {
	w := history(t, "one, cached", `
		0 boot
		0 look
		0 called
		0 look
		0 connect
		0 claim
		0 hold
		0 process
		0 answer
		0 save
		damage
		0 time
		0 look
		0 called
		0 look
		0 connect
		0 claim
		0 hold
		0 process
		0 answer
		0 save
		0 look
		0 save
	`)
	if w.store.damaged {
		t.Error("it is still damaged")
	}
}

// A grant was carried over while its holder was cut off with an answer: the refresh token
// in it was dropped at the tombstone, and the new record had nothing but a spent one.
func TestWhatIsOwedGoesWhereTheGrantWasCarriedTo(t *testing.T) {
	w := history(t, "one, shared, carried over", `
		0 process
		0 cut off
		the lease is over
		carried over
		0 reaches the store again
		0 answer
		0 save
		0 look
		0 save
	`)
	if s := w.h[0].state; s.unsaved || s.trouble.Cause != finding.CauseMoved || s.record.Number > 0 {
		t.Errorf("it owes an answer (%v), is in trouble with %q, and knows %+v", s.unsaved, s.trouble.Cause, s.record)
	}
	if got := w.store.home.Current(1); got == nil || got.RefreshToken != w.server.families[0].current {
		t.Errorf("the grant has %+v there", got)
	}
}
