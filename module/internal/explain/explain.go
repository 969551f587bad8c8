// Package explain answers which row of the table of causes trouble has that package grant
// found, and with which facts: one sentence and one instruction. All sentences stand in
// that table; what a server, a file or an error says comes with the facts.
package explain

import (
	"cmp"
	"strings"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/redact"
)

// About is whose trouble it is.
type About struct {
	Client  string
	Place   string // of its record
	Process string // this one, as records name it
	Store   string // the kind of the store that replicas share, "" for files
	Flags   string // with which commands find it; for the log, which everybody reads

	// Supply is where the refresh token of its configuration comes from.
	Supply cause.Supply

	// NoLogin says that nobody can log it in, because its settings name no endpoint for that.
	NoLogin bool

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
	finding.TokenObtained:       "token_obtained",
	finding.TokenRefreshFailed:  "token_refresh_failed",
	finding.RefreshTokenRotated: "refresh_token_rotated",
	finding.GrantLost:           "grant_lost",
	finding.SeedRefused:         "seed_refused",
	finding.TokenRestored:       "token_restored",
	finding.RotationMissing:     "rotation_missing",
	finding.LifetimeMissing:     "lifetime_missing",
	finding.AnswerRemarked:      "answer_remarked",
	finding.StoreFailed:         "store_failed",
	finding.StoreRecovered:      "store_recovered",
	finding.RefreshOrdered:      "refresh_ordered",
	finding.ImportOrdered:       "import_ordered",
	finding.LoginOrdered:        "login_ordered",
	finding.RevokeOrdered:       "revoke_ordered",
	finding.OrderRefused:        "order_refused",
	finding.Troubled:            "troubled",
	finding.TokenRejected:       "token_rejected",
	finding.GrantEnds:           "grant_ends",
}

// Event is the name of an event in logs, in the admin API and for Caddy's handlers.
func Event(k finding.Kind) string { return events[k] }

// OfEvent returns what is to be said of an event, "" where its kind says it all.
func OfEvent(k finding.Kind, t finding.Trouble, a About) (detail, remedy string) {
	said, remedy := "", ""
	if t.Facts != nil {
		said, remedy = t.Facts.Detail, t.Facts.Remedy
	}
	switch k {
	case finding.LifetimeMissing:
		return said, "set default_expires_in to the lifetime that the server grants"
	case finding.AnswerRemarked, finding.TokenRejected:
		return said, remedy
	case finding.StoreRecovered:
		return "", ""
	case finding.StoreFailed:
		return said, cause.Of(t.Cause, rowOf(t, new(finding.Facts), a)...).With("place", a.Place, "kind", a.Store).Remedy
	default:
		return Of(t, a)
	}
}

// CaseSaid is the case of trouble whose facts hold both sentence and instruction.
const CaseSaid = "said"

// CauseNeedsCertificate is of a token that whoever is handed it cannot use.
const CauseNeedsCertificate = "token_needs_certificate"

// Of returns what is to be said of trouble, "" if there is none.
func Of(t finding.Trouble, a About) (detail, remedy string) {
	detail, remedy = words(t, a)
	if remedy = a.Supply.With(remedy); a.NoLogin {
		remedy = cause.WithoutLogin(a.Client, remedy)
	}
	return detail, remedy
}

// words are those of the table, with the facts of the case.
func words(t finding.Trouble, a About) (detail, remedy string) {
	f := t.Facts
	if f == nil {
		f = new(finding.Facts)
	}
	if t.Cause == "" && t.Condition == finding.Well || t.Case == CaseSaid {
		return f.Detail, f.Remedy
	}
	row := rowOf(t, f, a)
	if t.Cause == finding.CauseMoved && f.Kind != "" && f.Owner != a.Client {
		row = []string{"name and store"}
	}
	if t.Cause == finding.CauseLeaseHeld && t.Condition != finding.Well { // it is more than a request that waits
		row = []string{"too long"}
	}
	why := cause.Of(t.Cause, row...).With("client", a.Client, "place", cmp.Or(f.Place, a.Place), "owner", f.Owner, "from", redact.Quoted(f.From), "end", stamp(f.Ends),
		"endpoint", f.Endpoint, "wait", f.Wait.Round(time.Second).String(), "supplied", supplied(f), "kind", a.Store)
	detail, remedy = why.Sentence, why.Remedy
	switch t.Cause {
	case finding.CauseUnresolved, finding.CauseNotYet, finding.CauseRecord:
		detail = f.Detail
	case finding.CauseInternal:
		detail = cmp.Or(f.Detail, detail)
	case finding.CauseStore:
		switch t.Case {
		case "":
			detail += ": " + f.Detail
		case finding.CaseUnsaved, "memory":
		default:
			detail = cmp.Or(f.Detail, detail)
		}
	case finding.CauseStoreRefused, finding.CauseStoreUnsafe, finding.CauseStoreFull, finding.CauseUnusable, finding.CauseNotBound:
		detail += ": " + f.Detail
	case finding.CauseNoRevocation:
		if t.Case == "" {
			detail += ": " + f.Detail
		}
	case finding.CauseRebound, finding.CauseLeaseHeld, finding.CauseRetryAfter, finding.CauseContested, finding.CauseNotRotating, finding.CauseStopped, finding.CauseRotationMissing,
		finding.CauseStarting, finding.CauseExpired, finding.CauseQueued, finding.CauseSeedTaken, finding.CauseMissing, finding.CauseMoved, CauseNeedsCertificate:
	default:
		return grantWords(t, f, why, a)
	}
	return detail, remedy
}

// grantWords are those of a grant, and of answers.
func grantWords(t finding.Trouble, f *finding.Facts, why cause.Cause, a About) (detail, remedy string) {
	switch {
	case t.Cause == finding.CauseNoGrant && a.Former != nil:
		if former := a.Former(); former != nil {
			return formerWords(former, a)
		}
		return why.Sentence, why.Remedy
	case t.NeedsGrant():
		if !a.Rotating {
			why = cause.Of(finding.CauseRefused, "without rotation")
		}
		if l := f.Loss; l != nil && l.Cause == finding.CauseResponseLost {
			why = cause.Of(l.Cause, lossRow(l, a)...).With("client", a.Client, "when", stamp(l.Unanswered))
		}
		return lossWords(t, f, a), why.Remedy
	case t.Cause == finding.CauseSeedUsed && t.Case == finding.CaseBeside:
		return why.Sentence + ": " + f.Detail, why.Remedy
	case t.Case == finding.CaseBeside:
		return besideWords(f)
	case t.Cause == finding.CauseCanceled && t.Case != "" && f.Detail != "":
		return why.Sentence + ": " + f.Detail, why.Remedy
	case t.Case != "", t.Cause == finding.CauseGrantEnds:
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
	why := cause.Of(finding.CauseNoGrant, row).With("client", a.Client, "place", f.Place, "owner", f.Client, "from", redact.Quoted(f.Store))
	return why.Sentence, why.Remedy
}

// rowOf is the row of the table that trouble has among those of its cause.
func rowOf(t finding.Trouble, f *finding.Facts, a About) []string {
	if a.Store != "" && t.Cause == finding.CauseStoreFull {
		return []string{"shared"}
	}
	if f.Kind != "" && t.Case != finding.CaseBeside {
		return []string{f.Kind}
	}
	if a.Store != "" && t.Cause == finding.CauseRecord && t.Case != "damaged" {
		return []string{"shared"} // what is in memory may be older than it
	}
	if a.Store != "" && t.Cause == finding.CauseStore {
		switch t.Case {
		case "":
			return []string{"shared"}
		case finding.CaseUnsaved, "memory", "unsaved":
			return []string{t.Case, "shared"}
		}
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
func supplied(f *finding.Facts) string {
	if f.Imported {
		return "that an import or a log-in brought"
	}
	return "of the configuration"
}

// besideWords are those of a candidate that could not be tried beside a grant that
// lives.
func besideWords(f *finding.Facts) (detail, remedy string) {
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
func answerWords(client string, t finding.Trouble, f *finding.Facts) (detail, remedy string) {
	detail, remedy = cmp.Or(f.Detail, cause.Code("of another replica").Sentence), f.Remedy
	if remedy == "" {
		remedy = cause.Code("transient").Remedy
		if t.Condition == finding.Misconfiguration {
			remedy = cause.Code("configuration").Remedy
		}
	}
	if f.DeadGrant == "" || t.Condition != finding.Misconfiguration || f.Since.IsZero() {
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
func lossWords(t finding.Trouble, f *finding.Facts, a About) string {
	l := f.Loss
	switch {
	case l == nil:
		return cause.Of(t.Cause, rowOf(t, f, a)...).With("place", a.Place).Sentence
	case l.Sentence != "":
		return l.Sentence
	}
	why := cause.Of(l.Cause, lossRow(l, a)...).With("place", a.Place, "when", stamp(l.Unanswered), "end", stamp(l.EndedAt))
	if l.Cause == finding.CauseRevoked {
		return why.Sentence
	}
	return why.Sentence + ": " + l.Detail
}

// lossRow is the row of the table that the end of a grant has among those of its cause.
func lossRow(l *record.Loss, a About) []string {
	switch {
	case l.Cause == finding.CauseResponseLost && a.Store != "" && !strings.HasPrefix(l.UnansweredBy, a.Process+"."):
		return []string{"shared"}
	case l.Cause == finding.CauseResponseLost && !strings.HasPrefix(l.UnansweredBy, a.Process+"."):
		return []string{"crash"}
	case !l.EndedAt.IsZero():
		return []string{finding.CaseOver}
	case l.Cause == finding.CauseRefused && l.Imported:
		return []string{"imported"}
	case l.Cause == finding.CauseRefused && a.Store != "":
		return []string{"shared"}
	}
	return nil
}
