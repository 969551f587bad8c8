// Package words puts what package grant finds into words: trouble, with its case and
// its facts, into one sentence and one instruction. The sentences that need no facts
// stand in the table of package cause.
package words

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/redact"
)

// About is whose trouble it is.
type About struct {
	Client  string
	Place   string // of its record
	Process string // this one, as records name it

	// Rotating says that it presents a refresh token of its own.
	Rotating bool

	// Former looks for another record that may hold its grant, for a client that has
	// none; nil is nothing. Nil if nobody can look.
	Former func() *Former
}

// Former is a record that a client may have had before.
type Former struct {
	Client string
	Place  string
	Store  string // it is in, in the words of a command; "" if that is the client's
}

// events are the names of what is told.
var events = [...]string{
	grant.TokenObtained:       "token_obtained",
	grant.TokenRefreshFailed:  "token_refresh_failed",
	grant.RefreshTokenRotated: "refresh_token_rotated",
	grant.GrantLost:           "grant_lost",
	grant.SeedRefused:         "seed_refused",
	grant.TokenRestored:       "token_restored",
	grant.RotationMissing:     "rotation_missing",
	grant.LifetimeMissing:     "lifetime_missing",
	grant.AnswerRemarked:      "answer_remarked",
	grant.StoreFailed:         "store_failed",
	grant.StoreRecovered:      "store_recovered",
	grant.RefreshOrdered:      "refresh_ordered",
	grant.ImportOrdered:       "import_ordered",
	grant.RevokeOrdered:       "revoke_ordered",
	grant.OrderRefused:        "order_refused",
	grant.Troubled:            "troubled",
	grant.GrantEnds:           "grant_ends",
}

// Event is the name of an event in logs, in the admin API and for Caddy's handlers.
func Event(k grant.Kind) string { return events[k] }

// OfEvent returns what is to be said of an event, "" where its kind says it all.
func OfEvent(k grant.Kind, t grant.Trouble, a About) (detail, remedy string) {
	said, remedy := "", ""
	if t.Facts != nil {
		said, remedy = t.Facts.Detail, t.Facts.Remedy
	}
	switch k {
	case grant.LifetimeMissing:
		return said, "set default_expires_in to the lifetime that the server grants"
	case grant.AnswerRemarked:
		return said, remedy
	case grant.StoreRecovered:
		return "", ""
	case grant.StoreFailed:
		return said, cause.Of(t.Cause, t.Case).With("place", a.Place).Remedy
	default:
		return Of(t, a)
	}
}

// CaseSaid is the case of trouble whose facts hold both sentence and instruction.
const CaseSaid = "said"

// caseBeside is that of a candidate beside a grant that lives.
const caseBeside = "beside"

// Of returns what is to be said of trouble, "" if there is none.
func Of(t grant.Trouble, a About) (detail, remedy string) {
	f := t.Facts
	if f == nil {
		f = new(grant.Facts)
	}
	if t.Cause == "" && t.Condition == grant.Well || t.Case == CaseSaid {
		return f.Detail, f.Remedy
	}
	row := rowOf(t, f)
	if t.Cause == grant.CauseMoved && f.Kind != "" && f.Owner != a.Client {
		row = []string{"name and store"}
	}
	why := cause.Of(t.Cause, row...).With("client", a.Client, "place", cmp.Or(f.Place, a.Place), "owner", f.Owner, "from", redact.Quoted(f.From), "end", stamp(f.Ends))
	detail, remedy = why.Sentence, why.Remedy
	switch t.Cause {
	case grant.CauseUnresolved, grant.CauseNotYet, grant.CauseRecord:
		detail = f.Detail
	case grant.CauseStore:
		detail = cmp.Or(storeWords(t, f), why.Sentence)
	case grant.CauseStoreRefused, grant.CauseStoreUnsafe, grant.CauseStoreFull:
		detail += ": " + f.Detail
	case grant.CauseRebound:
		detail = fmt.Sprintf("the refresh token in %s was obtained from %s with another client_id or token_endpoint than the configuration has now; it is not sent there", a.Place, f.Endpoint)
	case grant.CauseLeaseHeld:
		if t.Condition != grant.Well { // it is more than a request that waits
			detail = fmt.Sprintf("another process has been refreshing %s for longer than timeout", a.Place)
			remedy = "find the other process that uses the same record; it may be hanging"
		}
	case grant.CauseUnusable:
		detail = "the access token cannot be injected: " + f.Detail
	case grant.CauseRetryAfter:
		detail = fmt.Sprintf("the authorization server asked not to be asked for another %s (Retry-After)", f.Wait.Round(time.Second))
	case grant.CauseInternal:
		detail = cmp.Or(f.Detail, detail)
	case grant.CauseNoRevocation:
		if t.Case == "" {
			detail += ": " + f.Detail
		}
	case grant.CauseContested, grant.CauseNotRotating, grant.CauseStopped, grant.CauseRotationMissing, grant.CauseStarting, grant.CauseQueued, grant.CauseSeedTaken, grant.CauseMissing, grant.CauseMoved:
	default:
		return grantWords(t, f, why, a)
	}
	return detail, remedy
}

// grantWords are those of a grant, and of answers.
func grantWords(t grant.Trouble, f *grant.Facts, why cause.Cause, a About) (detail, remedy string) {
	switch {
	case t.Cause == grant.CauseNoGrant && a.Former != nil:
		if former := a.Former(); former != nil {
			return formerWords(former, a)
		}
		return why.Sentence, why.Remedy
	case t.NeedsGrant():
		if !a.Rotating {
			why = cause.Of(grant.CauseRefused, "without rotation")
		}
		return lossWords(t, f, a), why.Remedy
	case t.Cause == grant.CauseSeedUsed && t.Case == caseBeside:
		return "the new refresh token " + origin(f) + " was refused; the one in use stays: " + f.Detail, why.Remedy
	case t.Case == caseBeside:
		return besideWords(f)
	case t.Cause == grant.CauseCanceled && t.Case != "" && f.Detail != "":
		return why.Sentence + ": " + f.Detail, why.Remedy
	case t.Case != "", t.Cause == grant.CauseGrantEnds:
		return why.Sentence, why.Remedy
	}
	return answerWords(a.Client, t, f)
}

// formerWords are those of a client without a record, if there is another one that may
// have been its own.
func formerWords(f *Former, a About) (detail, remedy string) {
	row := "renamed"
	if f.Store != "" {
		row = "store"
	}
	why := cause.Of(grant.CauseNoGrant, row).With("client", a.Client, "place", f.Place, "owner", f.Client, "from", redact.Quoted(f.Store))
	return why.Sentence, why.Remedy
}

// rowOf is the row of the table that trouble has among those of its cause.
func rowOf(t grant.Trouble, f *grant.Facts) []string {
	if f.Kind != "" && t.Case != caseBeside {
		return []string{f.Kind}
	}
	if t.Case != "" {
		return []string{t.Case}
	}
	return nil
}

// stamp is a time for people, "" if there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func storeWords(t grant.Trouble, f *grant.Facts) string {
	switch t.Case {
	case "":
		return "the record cannot be kept, so no refresh token is spent: " + f.Detail
	case "order unsaved":
		return "the newest refresh token is not written yet, so no other one is asked for"
	case "memory":
		return "the newest refresh token is only in memory, and a restart would lose the grant"
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
func besideWords(f *grant.Facts) (detail, remedy string) {
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
	detail, remedy = cmp.Or(f.Detail, "an attempt of another replica failed, and all wait"), f.Remedy
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
	why := cause.Code(kind).With("client", client, "lines", f.DeadGrant, "when", "at "+stamp(f.Since))
	return detail + "; " + why.Sentence, why.Remedy
}

// lossWords say how a grant ended, or that there is none.
func lossWords(t grant.Trouble, f *grant.Facts, a About) string {
	l := f.Loss
	switch {
	case l == nil:
		return cause.Of(t.Cause).With("place", a.Place).Sentence
	case l.Sentence != "":
		return l.Sentence
	case l.Cause == grant.CauseRevoked:
		return "an operator revoked the grant"
	}
	return refusalWords(l, a) + ": " + l.Detail
}

func refusalWords(l *record.Loss, a About) string {
	switch {
	case l.Cause == grant.CauseResponseLost:
		when := stamp(l.Unanswered)
		if !strings.HasPrefix(l.UnansweredBy, a.Process+".") {
			return "the refresh token was refused; it was presented at " + when + " and the response lost in a crash"
		}
		return "the refresh token was refused; the response to the request of " + when + " was lost"
	case !l.EndedAt.IsZero():
		return "the grant ended by itself at " + stamp(l.EndedAt) + ", and the refresh token was refused"
	case l.Imported:
		return "the refresh token that was imported was refused"
	case l.Cause == grant.CauseSeedUsed:
		return "the refresh token of the configuration was refused the first time we presented it; most likely it was used before and the state kept since is lost (expected at " + a.Place + ")"
	}
	return "the refresh token was refused"
}
