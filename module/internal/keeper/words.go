package keeper

import (
	"fmt"
	"strings"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/record"
)

// Causes that others ask for by name. The rest are those of package grant, and of
// answers.
const (
	CauseUnresolved      = grant.CauseUnresolved
	CauseNotYet          = grant.CauseNotYet
	CauseNoGrant         = grant.CauseNoGrant
	CauseRebound         = grant.CauseRebound
	CauseRecord          = grant.CauseRecord
	CauseStore           = grant.CauseStore
	CauseContested       = grant.CauseContested
	CauseLeaseHeld       = grant.CauseLeaseHeld
	CauseRefused         = grant.CauseRefused
	CauseResponseLost    = grant.CauseResponseLost
	CauseSeedUsed        = grant.CauseSeedUsed
	CauseUnusable        = grant.CauseUnusable
	CauseInternal        = grant.CauseInternal
	CauseStarting        = "starting"       // no configuration has started yet
	CauseQueued          = "refresh_queued" // too many others are asking
	CauseExpired         = "expired"        // the wait for a new token ended
	CauseRotationMissing = "rotation_missing"
	CauseRevoked         = grant.CauseRevoked
	CauseNoRevocation    = grant.CauseNoRevocation
	CauseStopped         = grant.CauseStopped
	CauseNotRotating     = grant.CauseNotRotating
	CauseRetryAfter      = grant.CauseRetryAfter
)

// told is trouble in the words of the table alone.
func told(state State, why cause.Cause) Trouble {
	return Trouble{State: state, Cause: why.Name, Detail: why.Sentence, Remedy: why.Remedy}
}

var (
	leasingTrouble  = told(StateRefreshing, cause.Of(CauseLeaseHeld))
	queuedTrouble   = told(StateRefreshing, cause.Of(CauseQueued))
	startingTrouble = told(StateStarting, cause.Of(CauseStarting))
)

// memoryTrouble is that of a token which is good and of a record which is not.
func memoryTrouble(place string) Trouble {
	return Trouble{
		Cause:  CauseStore,
		Detail: "the newest refresh token is only in memory, and a restart would lose the grant",
		Remedy: cause.Of(CauseStore).With("place", place).Remedy,
	}
}

// inWords puts trouble into words. Called with k.mu held, or where nothing of the
// keeper changes.
func (k *Keeper) inWords(t grant.Trouble) Trouble {
	if t.Cause == "" && t.Condition == grant.Well {
		return Trouble{}
	}
	w := Trouble{State: conditions[t.Condition], Cause: t.Cause}
	if t.Cause == CauseStopped {
		w.State = StateStarting
	}
	if t.At != 0 {
		w.At = time.Unix(0, t.At).UTC()
	}
	f := t.Facts
	if f == nil {
		f = new(grant.Facts)
	}
	w.Detail, w.Remedy = k.words(t, f)
	return w
}

// words are the sentence and the instruction.
func (k *Keeper) words(t grant.Trouble, f *grant.Facts) (detail, remedy string) {
	place := k.store.Describe(k.name)
	why := cause.Of(t.Cause, caseOf(t, f)...).With("client", k.name, "place", place)
	detail, remedy = why.Sentence, why.Remedy
	rotating := k.told == nil || k.told.Rotating
	switch t.Cause {
	case CauseUnresolved, CauseNotYet, CauseRecord:
		detail = f.Detail
	case CauseStore:
		detail = storeWords(t, f)
	case CauseRebound:
		detail = fmt.Sprintf("the refresh token in %s was obtained from %s with another client_id or token_endpoint than the configuration has now; it is not sent there", place, f.Endpoint)
	case CauseLeaseHeld:
		detail = fmt.Sprintf("another process has been refreshing %s for longer than timeout", place)
		remedy = "find the other process that uses the same record; it may be hanging"
	case CauseUnusable:
		detail = "the access token cannot be injected: " + f.Detail
	case CauseRetryAfter:
		detail = fmt.Sprintf("the authorization server asked not to be asked for another %s (Retry-After)", f.Wait.Round(time.Second))
	case CauseInternal:
		if f.Detail != "" {
			detail = f.Detail
		}
	case CauseNoRevocation:
		if t.Case == "" {
			detail = "the grant was not revoked: " + f.Detail
		}
	case CauseContested, CauseNotRotating, CauseStopped:
	default:
		switch {
		case t.NeedsGrant():
			detail = k.lossWords(t, f)
			if !rotating {
				remedy = cause.Of(CauseRefused, "without rotation").Remedy
			}
		case t.Cause == CauseSeedUsed && t.Case == "beside":
			detail = "the new refresh token " + origin(f) + " was refused; the one in use stays: " + f.Detail
		case t.Cause == CauseSeedUsed && t.Case != "":
		case t.Case == "beside":
			return besideWords(t, f)
		case t.Cause == grant.CauseCanceled && t.Case != "":
			if f.Detail != "" {
				detail += ": " + f.Detail
			}
		default:
			return answerWords(k.name, t, f)
		}
	}
	return detail, remedy
}

// caseOf is the row of the table that trouble has among those of its cause.
func caseOf(t grant.Trouble, f *grant.Facts) []string {
	switch {
	case t.Cause == CauseRecord && f.Kind != "":
		return []string{f.Kind}
	case t.Case == "", t.Cause == CauseStore && t.Case == "order unsaved":
		return nil
	}
	return []string{t.Case}
}

func storeWords(t grant.Trouble, f *grant.Facts) string {
	switch t.Case {
	case "":
		return "the record cannot be kept, so no refresh token is spent: " + f.Detail
	case "order unsaved":
		return "the newest refresh token is not written yet, so no other one is asked for"
	}
	return f.Detail
}

func origin(f *grant.Facts) string {
	if f.Imported {
		return "that was imported"
	}
	return "of the configuration"
}

// besideWords are those of a candidate that could not be tried beside a grant that
// lives.
func besideWords(_ grant.Trouble, f *grant.Facts) (detail, remedy string) {
	remedy = "correct it, or restore the former one"
	if f.Imported {
		remedy = "import another one, or none if it passes"
	}
	if f.Remedy != "" && f.DeadGrant == "" {
		remedy = f.Remedy // it is not the new refresh token that is to blame
	}
	return fmt.Sprintf("the new refresh token %s could not be exchanged, and the one in use stays until it can: %s", origin(f), f.Detail), remedy
}

// answerWords are those of an answer that brought no token.
func answerWords(client string, t grant.Trouble, f *grant.Facts) (detail, remedy string) {
	detail, remedy = f.Detail, f.Remedy
	if remedy == "" {
		remedy = cause.Code("transient").Remedy
		if t.Condition == grant.Misconfiguration {
			remedy = cause.Code("configuration").Remedy
		}
	}
	if f.DeadGrant == "" || t.Condition != grant.Misconfiguration || f.Since.IsZero() {
		return detail, remedy
	}
	kind := "perhaps a dead grant"
	if f.Accepted {
		kind = "dead grant"
	}
	why := cause.Code(kind).With("client", client, "lines", f.DeadGrant, "when", "at "+f.Since.UTC().Format(time.RFC3339))
	return detail + "; " + why.Sentence, why.Remedy
}

// lossWords say how a grant ended, or that there is none.
func (k *Keeper) lossWords(t grant.Trouble, f *grant.Facts) string {
	l := f.Loss
	switch {
	case l == nil:
		return cause.Of(t.Cause).With("place", k.store.Describe(k.name)).Sentence
	case l.Sentence != "":
		return l.Sentence
	case l.Cause == CauseRevoked:
		return "an operator revoked the grant"
	}
	return k.refusalWords(l) + ": " + l.Detail
}

func (k *Keeper) refusalWords(l *record.Loss) string {
	switch {
	case l.Cause == CauseResponseLost:
		when := l.Unanswered.UTC().Format(time.RFC3339)
		if !strings.HasPrefix(l.UnansweredBy, k.state.Process()+"-") {
			return "the refresh token was refused; it was presented at " + when + " and the response lost in a crash"
		}
		return "the refresh token was refused; the response to the request of " + when + " was lost"
	case l.Imported:
		return "the refresh token that was imported was refused"
	case l.Cause == CauseSeedUsed:
		return "the refresh token of the configuration was refused the first time we presented it; most likely it was used before and the state kept since is lost (expected at " + k.store.Describe(k.name) + ")"
	}
	return "the refresh token was refused"
}

// eventWords are cause, sentence and instruction of what is told.
func (k *Keeper) eventWords(t grant.Tell) (name, detail, remedy string) {
	said := ""
	if t.Trouble.Facts != nil {
		said = t.Trouble.Facts.Detail
	}
	switch t.Kind {
	case grant.RotationMissing:
		return CauseRotationMissing, "the answer holds no new refresh token although rotation is required; the old one is kept", cause.Of(CauseRotationMissing).Remedy
	case grant.LifetimeMissing:
		return "", said, "set default_expires_in to the lifetime that the server grants"
	case grant.AnswerRemarked:
		return "", said, "correct the paths in the client's settings, or have the server answer with its tokens alone"
	case grant.StoreRecovered:
		return CauseStore, "", ""
	case grant.StoreFailed:
		return t.Trouble.Cause, said, cause.Of(t.Trouble.Cause, t.Trouble.Case).With("place", k.store.Describe(k.name)).Remedy
	}
	w := k.inWords(t.Trouble)
	return w.Cause, w.Detail, w.Remedy
}
