package explain

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
)

var update = flag.Bool("update", false, "write the golden file anew")

// tellable is everything that is told of a client, with facts of each kind.
func tellable() []step.Tell {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	detail := &finding.Facts{Detail: "<detail>"}
	loss := func(l record.Loss) *finding.Facts {
		l.Detail, l.At = "<detail>", at
		return &finding.Facts{Loss: &l}
	}
	var all []step.Tell
	add := func(k finding.Kind, c finding.Condition, cause, which string, facts ...*finding.Facts) {
		if len(facts) == 0 {
			facts = []*finding.Facts{nil}
		}
		for _, f := range facts {
			all = append(all, step.Tell{Kind: k, Trouble: finding.Trouble{Condition: c, Cause: cause, Case: which, Facts: f, At: at.UnixNano()}})
		}
	}
	for _, k := range []finding.Kind{finding.TokenObtained, finding.RefreshTokenRotated, finding.TokenRestored, finding.RotationMissing, finding.RefreshOrdered, finding.ImportOrdered, finding.LoginOrdered, finding.RevokeOrdered} {
		var trouble finding.Trouble
		if k == finding.RotationMissing {
			trouble.Cause = finding.CauseRotationMissing
		}
		all = append(all, step.Tell{Kind: k, Trouble: trouble})
	}
	all = append(all, step.Tell{Kind: finding.LifetimeMissing, Trouble: finding.Trouble{Facts: detail}}, step.Tell{Kind: finding.AnswerRemarked, Trouble: finding.Trouble{Facts: &finding.Facts{Detail: "<detail>", Remedy: "<remedy>"}}}, step.Tell{Kind: finding.StoreRecovered, Trouble: finding.Trouble{Cause: finding.CauseStore}})
	for _, which := range []string{"stopped", "cache", "unsaved"} {
		add(finding.StoreFailed, finding.Well, finding.CauseStore, which, detail, nil)
	}
	add(finding.StoreFailed, finding.Well, finding.CauseRecord, "damaged", detail)

	add(finding.TokenRefreshFailed, finding.Backoff, finding.CauseNotYet, "", detail)
	add(finding.Troubled, finding.Misconfiguration, finding.CauseUnresolved, "", detail)
	add(finding.Troubled, finding.Misconfiguration, finding.CauseRecord, "", detail, &finding.Facts{Detail: "<detail>", Kind: "newer"}, &finding.Facts{Detail: "<detail>", Kind: "exposed"})
	add(finding.Troubled, finding.Misconfiguration, finding.CauseRecord, "known", detail)
	add(finding.Troubled, finding.Misconfiguration, finding.CauseRebound, "", &finding.Facts{Endpoint: "https://former.example/token"})
	taken := finding.Facts{Owner: "crm", Place: "/var/crm.json"}
	inUse := taken
	inUse.Kind = "in use"
	both := taken
	both.Kind, both.From = "name and store", "/var"
	ofService := taken
	ofService.Kind, ofService.From = "service", "/var"
	add(finding.Troubled, finding.Misconfiguration, finding.CauseSeedTaken, "", &taken, &inUse, &ofService, &both, &finding.Facts{Kind: "store", Owner: "erp", Place: "/other/erp.json", From: "/other"})
	add(finding.Troubled, finding.Misconfiguration, finding.CauseMissing, "", &finding.Facts{Kind: finding.KindMissing, Place: "/var/erp.json"})
	add(finding.SeedRefused, finding.Misconfiguration, finding.CauseSeedTaken, finding.CaseBeside, &taken, &both)
	add(finding.SeedRefused, finding.Misconfiguration, finding.CauseMissing, finding.CaseBeside, &finding.Facts{Kind: finding.KindMissing, Place: "/var/erp.json"})
	elsewhere := finding.Facts{Kind: "store", Owner: "erp", Place: "/other/erp.json", From: "/other"}
	add(finding.Troubled, finding.Misconfiguration, finding.CauseMoved, "", &finding.Facts{Owner: "crm", Place: "/var/crm.json"}, &elsewhere,
		&finding.Facts{Kind: "store", Owner: "crm", Place: "/the other's/crm.json", From: "/the other's"})
	add(finding.Troubled, finding.Misconfiguration, finding.CauseUnusable, "", detail)
	add(finding.TokenRefreshFailed, finding.Backoff, finding.CauseStore, "", detail)
	add(finding.OrderRefused, finding.Backoff, finding.CauseStore, "order unsaved")
	add(finding.TokenRefreshFailed, finding.Backoff, finding.CauseLeaseHeld, "")
	add(finding.TokenRefreshFailed, finding.Backoff, finding.CauseCanceled, "late")
	add(finding.TokenRefreshFailed, finding.Backoff, finding.CauseCanceled, "lease lost", detail, nil)
	add(finding.TokenRefreshFailed, finding.Backoff, finding.CauseInternal, "", detail, nil)
	add(finding.Troubled, finding.Backoff, finding.CauseContested, "")
	add(finding.Troubled, finding.Backoff, finding.CauseContested, "foreign")
	add(finding.OrderRefused, finding.Backoff, finding.CauseContested, "overtaken")
	add(finding.OrderRefused, finding.Misconfiguration, finding.CauseNotRotating, "")
	add(finding.OrderRefused, finding.Misconfiguration, finding.CauseNotRotating, "revoke")
	add(finding.OrderRefused, finding.Misconfiguration, finding.CauseNoRevocation, "no endpoint")
	add(finding.OrderRefused, finding.Backoff, finding.CauseNoRevocation, "", detail)
	add(finding.OrderRefused, finding.Misconfiguration, finding.CauseSeedUsed, "known")
	add(finding.OrderRefused, finding.Misconfiguration, finding.CauseSeedUsed, "refused")
	add(finding.Troubled, finding.Misconfiguration, finding.CauseSeedUsed, "used")
	add(finding.SeedRefused, finding.Backoff, finding.CauseSeedUsed, "beside", detail, &finding.Facts{Detail: "<detail>", Imported: true})
	add(finding.OrderRefused, finding.Backoff, finding.CauseRetryAfter, "", &finding.Facts{Wait: 90 * time.Second})
	add(finding.OrderRefused, finding.Well, finding.CauseStopped, "")

	add(finding.Troubled, finding.AwaitingGrant, finding.CauseNoGrant, "")
	add(finding.GrantLost, finding.Lost, finding.CauseRefused, "", nil, loss(record.Loss{Cause: finding.CauseRefused}), loss(record.Loss{Cause: finding.CauseRefused, Imported: true}))
	add(finding.GrantLost, finding.Lost, finding.CauseRefused, "", loss(record.Loss{Cause: finding.CauseRefused, Sentence: "<what the first release wrote>"}))
	add(finding.GrantLost, finding.Lost, finding.CauseSeedUsed, "", loss(record.Loss{Cause: finding.CauseSeedUsed}))
	add(finding.GrantLost, finding.Lost, finding.CauseRevoked, "", loss(record.Loss{Cause: finding.CauseRevoked}))
	add(finding.GrantLost, finding.Lost, finding.CauseResponseLost, "", loss(record.Loss{Cause: finding.CauseResponseLost, Unanswered: at, UnansweredBy: "process00.1-7"}), loss(record.Loss{Cause: finding.CauseResponseLost, Unanswered: at, UnansweredBy: "another-7"}))

	add(finding.GrantLost, finding.Lost, finding.CauseGrantEnds, "over", loss(record.Loss{Cause: finding.CauseGrantEnds, EndedAt: at}))
	add(finding.GrantEnds, finding.Well, finding.CauseGrantEnds, "", &finding.Facts{Ends: at})
	worked := finding.Facts{Detail: "<detail>", Remedy: "<remedy>", DeadGrant: "'terminal_errors 400 x'", Since: at}
	accepted, never := worked, worked
	accepted.Accepted, never.Since = true, time.Time{}
	for _, c := range []finding.Condition{finding.Backoff, finding.Misconfiguration} {
		for _, cause := range []string{"server_error", "invalid_client", "code_of_its_own"} {
			add(finding.TokenRefreshFailed, c, cause, "", detail, &finding.Facts{Detail: "<detail>", Remedy: "<remedy>"}, &worked, &accepted, &never)
			add(finding.TokenRefreshFailed, c, cause, "beside", detail, &finding.Facts{Detail: "<detail>", Remedy: "<remedy>"}, &finding.Facts{Detail: "<detail>", Imported: true}, &worked)
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
	for _, t := range []finding.Trouble{{Cause: finding.CauseLeaseHeld}, {Cause: finding.CauseQueued}, {Cause: finding.CauseStarting}, {Cause: finding.CauseStore, Case: "memory"}} {
		detail, remedy := Of(t, about)
		fmt.Fprintf(&page, "\n%s\n\t%s\n\t%s\n", t.Cause, detail, remedy)
	}
	got := page.String()
	const golden = "testdata/said.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != got {
		t.Errorf("sentences have changed (-update writes them anew): %v\n%s", err, got)
	}
}
