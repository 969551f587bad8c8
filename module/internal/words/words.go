// Package words answers which row of the table of causes trouble has that package grant
// found, and with which facts: one sentence and one instruction. All sentences stand in
// that table; what a server, a file or an error says comes with the facts.
package words

import (
	"cmp"
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
	Flags   string // with which commands find it; for the log, which everybody reads

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
	grant.TokenRejected:       "token_rejected",
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
	case grant.AnswerRemarked, grant.TokenRejected:
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
	if t.Cause == grant.CauseLeaseHeld && t.Condition != grant.Well { // it is more than a request that waits
		row = []string{"too long"}
	}
	why := cause.Of(t.Cause, row...).With("client", a.Client, "place", cmp.Or(f.Place, a.Place), "owner", f.Owner, "from", redact.Quoted(f.From), "end", stamp(f.Ends),
		"endpoint", f.Endpoint, "wait", f.Wait.Round(time.Second).String(), "supplied", supplied(f))
	detail, remedy = why.Sentence, why.Remedy
	switch t.Cause {
	case grant.CauseUnresolved, grant.CauseNotYet, grant.CauseRecord:
		detail = f.Detail
	case grant.CauseInternal:
		detail = cmp.Or(f.Detail, detail)
	case grant.CauseStore:
		switch t.Case {
		case "":
			detail += ": " + f.Detail
		case "order unsaved", "memory":
		default:
			detail = cmp.Or(f.Detail, detail)
		}
	case grant.CauseStoreRefused, grant.CauseStoreUnsafe, grant.CauseStoreFull, grant.CauseUnusable:
		detail += ": " + f.Detail
	case grant.CauseNoRevocation:
		if t.Case == "" {
			detail += ": " + f.Detail
		}
	case grant.CauseRebound, grant.CauseLeaseHeld, grant.CauseRetryAfter, grant.CauseContested, grant.CauseNotRotating, grant.CauseStopped, grant.CauseRotationMissing,
		grant.CauseStarting, grant.CauseQueued, grant.CauseSeedTaken, grant.CauseMissing, grant.CauseMoved:
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
		return why.Sentence + ": " + f.Detail, why.Remedy
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

// supplied is where a candidate is from.
func supplied(f *grant.Facts) string {
	if f.Imported {
		return "that was imported"
	}
	return "of the configuration"
}

// besideWords are those of a candidate that could not be tried beside a grant that
// lives.
func besideWords(f *grant.Facts) (detail, remedy string) {
	row := "beside"
	if f.Imported {
		row = "beside, imported"
	}
	why := cause.Code(row).With("supplied", supplied(f))
	remedy = why.Remedy
	if f.Remedy != "" && f.DeadGrant == "" {
		remedy = f.Remedy // it is not the new refresh token that is to blame
	}
	return why.Sentence + ": " + f.Detail, remedy
}

// answerWords are those of an answer that brought no token.
func answerWords(client string, t grant.Trouble, f *grant.Facts) (detail, remedy string) {
	detail, remedy = cmp.Or(f.Detail, cause.Code("of another replica").Sentence), f.Remedy
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
	}
	why := cause.Of(l.Cause, lossRow(l, a)...).With("place", a.Place, "when", stamp(l.Unanswered), "end", stamp(l.EndedAt))
	if l.Cause == grant.CauseRevoked {
		return why.Sentence
	}
	return why.Sentence + ": " + l.Detail
}

// lossRow is the row of the table that the end of a grant has among those of its cause.
func lossRow(l *record.Loss, a About) []string {
	switch {
	case l.Cause == grant.CauseResponseLost && !strings.HasPrefix(l.UnansweredBy, a.Process+"."):
		return []string{"crash"}
	case !l.EndedAt.IsZero():
		return []string{"over"}
	case l.Cause == grant.CauseRefused && l.Imported:
		return []string{"imported"}
	}
	return nil
}
