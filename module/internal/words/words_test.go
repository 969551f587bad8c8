package words

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/record"
)

var update = flag.Bool("update", false, "write the golden file anew")

// tellable is everything that is told of a client, with facts of each kind.
func tellable() []grant.Tell {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	detail := &grant.Facts{Detail: "<detail>"}
	loss := func(l record.Loss) *grant.Facts {
		l.Detail, l.At = "<detail>", at
		return &grant.Facts{Loss: &l}
	}
	var all []grant.Tell
	add := func(k grant.Kind, c grant.Condition, cause, which string, facts ...*grant.Facts) {
		if len(facts) == 0 {
			facts = []*grant.Facts{nil}
		}
		for _, f := range facts {
			all = append(all, grant.Tell{Kind: k, Trouble: grant.Trouble{Condition: c, Cause: cause, Case: which, Facts: f, At: at.UnixNano()}})
		}
	}
	for _, k := range []grant.Kind{grant.TokenObtained, grant.RefreshTokenRotated, grant.TokenRestored, grant.RotationMissing, grant.RefreshOrdered, grant.ImportOrdered, grant.RevokeOrdered} {
		var trouble grant.Trouble
		if k == grant.RotationMissing {
			trouble.Cause = grant.CauseRotationMissing
		}
		all = append(all, grant.Tell{Kind: k, Trouble: trouble})
	}
	all = append(all, grant.Tell{Kind: grant.LifetimeMissing, Trouble: grant.Trouble{Facts: detail}}, grant.Tell{Kind: grant.AnswerRemarked, Trouble: grant.Trouble{Facts: &grant.Facts{Detail: "<detail>", Remedy: "<remedy>"}}}, grant.Tell{Kind: grant.StoreRecovered, Trouble: grant.Trouble{Cause: grant.CauseStore}})
	for _, which := range []string{"stopped", "cache", "unsaved"} {
		add(grant.StoreFailed, grant.Well, grant.CauseStore, which, detail, nil)
	}
	add(grant.StoreFailed, grant.Well, grant.CauseRecord, "damaged", detail)

	add(grant.TokenRefreshFailed, grant.Backoff, grant.CauseNotYet, "", detail)
	add(grant.Troubled, grant.Misconfiguration, grant.CauseUnresolved, "", detail)
	add(grant.Troubled, grant.Misconfiguration, grant.CauseRecord, "", detail, &grant.Facts{Detail: "<detail>", Kind: "newer"}, &grant.Facts{Detail: "<detail>", Kind: "exposed"})
	add(grant.Troubled, grant.Misconfiguration, grant.CauseRecord, "known", detail)
	add(grant.Troubled, grant.Misconfiguration, grant.CauseRebound, "", &grant.Facts{Endpoint: "https://former.example/token"})
	taken := grant.Facts{Owner: "crm", Place: "/var/crm.json"}
	inUse := taken
	inUse.Kind = "in use"
	both := taken
	both.Kind, both.From = "name and store", "/var"
	add(grant.Troubled, grant.Misconfiguration, grant.CauseSeedTaken, "", &taken, &inUse, &both, &grant.Facts{Kind: "store", Owner: "erp", Place: "/other/erp.json", From: "/other"})
	add(grant.Troubled, grant.Misconfiguration, grant.CauseMissing, "", &grant.Facts{Kind: grant.KindMissing, Place: "/var/erp.json"})
	add(grant.SeedRefused, grant.Misconfiguration, grant.CauseSeedTaken, caseBeside, &taken, &both)
	add(grant.SeedRefused, grant.Misconfiguration, grant.CauseMissing, caseBeside, &grant.Facts{Kind: grant.KindMissing, Place: "/var/erp.json"})
	elsewhere := grant.Facts{Kind: "store", Owner: "erp", Place: "/other/erp.json", From: "/other"}
	add(grant.Troubled, grant.Misconfiguration, grant.CauseMoved, "", &grant.Facts{Owner: "crm", Place: "/var/crm.json"}, &elsewhere,
		&grant.Facts{Kind: "store", Owner: "crm", Place: "/the other's/crm.json", From: "/the other's"})
	add(grant.Troubled, grant.Misconfiguration, grant.CauseUnusable, "", detail)
	add(grant.TokenRefreshFailed, grant.Backoff, grant.CauseStore, "", detail)
	add(grant.OrderRefused, grant.Backoff, grant.CauseStore, "order unsaved")
	add(grant.TokenRefreshFailed, grant.Backoff, grant.CauseLeaseHeld, "")
	add(grant.TokenRefreshFailed, grant.Backoff, grant.CauseCanceled, "late")
	add(grant.TokenRefreshFailed, grant.Backoff, grant.CauseCanceled, "lease lost", detail, nil)
	add(grant.TokenRefreshFailed, grant.Backoff, grant.CauseInternal, "", detail, nil)
	add(grant.Troubled, grant.Backoff, grant.CauseContested, "")
	add(grant.Troubled, grant.Backoff, grant.CauseContested, "foreign")
	add(grant.OrderRefused, grant.Backoff, grant.CauseContested, "overtaken")
	add(grant.OrderRefused, grant.Misconfiguration, grant.CauseNotRotating, "")
	add(grant.OrderRefused, grant.Misconfiguration, grant.CauseNotRotating, "revoke")
	add(grant.OrderRefused, grant.Misconfiguration, grant.CauseNoRevocation, "no endpoint")
	add(grant.OrderRefused, grant.Backoff, grant.CauseNoRevocation, "", detail)
	add(grant.OrderRefused, grant.Misconfiguration, grant.CauseSeedUsed, "known")
	add(grant.Troubled, grant.Misconfiguration, grant.CauseSeedUsed, "used")
	add(grant.SeedRefused, grant.Backoff, grant.CauseSeedUsed, "beside", detail, &grant.Facts{Detail: "<detail>", Imported: true})
	add(grant.OrderRefused, grant.Backoff, grant.CauseRetryAfter, "", &grant.Facts{Wait: 90 * time.Second})
	add(grant.OrderRefused, grant.Well, grant.CauseStopped, "")

	add(grant.Troubled, grant.AwaitingGrant, grant.CauseNoGrant, "")
	add(grant.GrantLost, grant.Lost, grant.CauseRefused, "", nil, loss(record.Loss{Cause: grant.CauseRefused}), loss(record.Loss{Cause: grant.CauseRefused, Imported: true}))
	add(grant.GrantLost, grant.Lost, grant.CauseRefused, "", loss(record.Loss{Cause: grant.CauseRefused, Sentence: "<what the first release wrote>"}))
	add(grant.GrantLost, grant.Lost, grant.CauseSeedUsed, "", loss(record.Loss{Cause: grant.CauseSeedUsed}))
	add(grant.GrantLost, grant.Lost, grant.CauseRevoked, "", loss(record.Loss{Cause: grant.CauseRevoked}))
	add(grant.GrantLost, grant.Lost, grant.CauseResponseLost, "", loss(record.Loss{Cause: grant.CauseResponseLost, Unanswered: at, UnansweredBy: "process00.1-7"}), loss(record.Loss{Cause: grant.CauseResponseLost, Unanswered: at, UnansweredBy: "another-7"}))

	add(grant.GrantLost, grant.Lost, grant.CauseGrantEnds, "over", loss(record.Loss{Cause: grant.CauseGrantEnds, EndedAt: at}))
	add(grant.GrantEnds, grant.Well, grant.CauseGrantEnds, "", &grant.Facts{Ends: at})
	worked := grant.Facts{Detail: "<detail>", Remedy: "<remedy>", DeadGrant: "'terminal_errors 400 x'", Since: at}
	accepted, never := worked, worked
	accepted.Accepted, never.Since = true, time.Time{}
	for _, c := range []grant.Condition{grant.Backoff, grant.Misconfiguration} {
		for _, cause := range []string{"server_error", "invalid_client", "code_of_its_own"} {
			add(grant.TokenRefreshFailed, c, cause, "", detail, &grant.Facts{Detail: "<detail>", Remedy: "<remedy>"}, &worked, &accepted, &never)
			add(grant.TokenRefreshFailed, c, cause, "beside", detail, &grant.Facts{Detail: "<detail>", Remedy: "<remedy>"}, &grant.Facts{Detail: "<detail>", Imported: true}, &worked)
		}
	}
	return all
}

// TestEverySentence holds all that is said of clients, so that no change of the code
// changes it unnoticed.
func TestEverySentence(t *testing.T) {
	about := About{Client: "erp", Place: "/data/erp.json", Process: "process00"}
	var page strings.Builder
	for _, about.Rotating = range []bool{true, false} {
		fmt.Fprintf(&page, "rotating: %v\n", about.Rotating)
		for _, tell := range tellable() {
			said, remedy := OfEvent(tell.Kind, tell.Trouble, about)
			cause := tell.Trouble.Cause
			if tell.Trouble.Case != "" {
				cause += ", " + tell.Trouble.Case
			}
			fmt.Fprintf(&page, "\n%s, condition %d: %s\n\t%s\n\t%s\n", Event(tell.Kind), tell.Trouble.Condition, cause, said, remedy)
		}
	}
	page.WriteString("\nof a status alone\n")
	for _, t := range []grant.Trouble{{Cause: grant.CauseLeaseHeld}, {Cause: grant.CauseQueued}, {Cause: grant.CauseStarting}, {Cause: grant.CauseStore, Case: "memory"}} {
		detail, remedy := Of(t, about)
		fmt.Fprintf(&page, "\n%s\n\t%s\n\t%s\n", t.Cause, detail, remedy)
	}
	got := page.String()
	const golden = "testdata/words.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != got {
		t.Errorf("sentences have changed (-update writes them anew): %v\n%s", err, got)
	}
}
