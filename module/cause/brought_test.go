package cause_test

import (
	"slices"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/cause"
	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/percaller"
	"lamplighter/module/internal/record"
	"lamplighter/module/observe"
)

// example is trouble that has a row of the table.
type example struct {
	trouble finding.Trouble
	about   explain.About

	// ownWords says that the sentence is that of the error, which knows more than the row.
	ownWords bool
}

var at = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

// of is trouble of a cause, in the row that a kind of its facts has.
func of(c finding.Condition, name, which string, facts finding.Facts) example {
	if facts.Detail == "" {
		facts.Detail = "what the error says"
	}
	return example{trouble: finding.Trouble{Condition: c, Cause: name, Case: which, Facts: &facts, At: at.UnixNano()}, about: explain.About{Client: "erp", Place: "/data/erp.json", Process: "here", Rotating: true}}
}

// shared is the same where replicas share a store.
func shared(e example) example {
	e.about.Store = "redis"
	return e
}

// told is the same in the words of the error.
func told(e example) example {
	e.ownWords = true
	return e
}

func fixed(e example) example {
	e.about.Rotating = false
	return e
}

func former(e example, f explain.Former) example {
	e.about.Former = func() *explain.Former { return &f }
	return e
}

func lost(l record.Loss) example {
	l.At, l.Detail = at, "what the server said"
	return of(finding.Lost, l.Cause, "", finding.Facts{Loss: &l})
}

func misconfigured(name, which string, facts finding.Facts) example {
	return of(finding.Misconfiguration, name, which, facts)
}

func passing(name, which string, facts finding.Facts) example {
	return of(finding.Backoff, name, which, facts)
}

var (
	crm      = finding.Facts{Owner: "crm", Place: "/data/crm.json"}
	answer   = finding.Facts{Detail: "the server answered 400", DeadGrant: "'terminal_errors 400 x'", Since: at}
	accepted = finding.Facts{Detail: "the server answered 400", DeadGrant: "'terminal_errors 400 x'", Since: at, Accepted: true}
)

func kind(f finding.Facts, k string) finding.Facts {
	f.Kind = k
	return f
}

// elsewhere says that a record is in another store.
func elsewhere(f finding.Facts, k string) finding.Facts {
	f.From = "/other"
	return kind(f, k)
}

// brought are the rows that have their words from package explain, as the engine brings
// them about.
var brought = map[string]example{
	"refused":                                lost(record.Loss{Cause: finding.CauseRefused}),
	"refused, shared":                        shared(lost(record.Loss{Cause: finding.CauseRefused})),
	"refused, imported":                      lost(record.Loss{Cause: finding.CauseRefused, Imported: true}),
	"refused, without rotation":              fixed(lost(record.Loss{Cause: finding.CauseRefused})),
	"response_lost":                          lost(record.Loss{Cause: finding.CauseResponseLost, Unanswered: at, UnansweredBy: "here.1-7"}),
	"response_lost, crash":                   lost(record.Loss{Cause: finding.CauseResponseLost, Unanswered: at, UnansweredBy: "there.1-7"}),
	"response_lost, shared":                  shared(lost(record.Loss{Cause: finding.CauseResponseLost, Unanswered: at, UnansweredBy: "there.1-7"})),
	"response_lost, doubtful":                shared(passing(finding.CauseResponseLost, finding.CaseDoubtful, finding.Facts{})),
	"seed_refused":                           lost(record.Loss{Cause: finding.CauseSeedUsed}),
	"seed_refused, beside":                   passing(finding.CauseSeedUsed, finding.CaseBeside, finding.Facts{}),
	"seed_refused, known":                    misconfigured(finding.CauseSeedUsed, finding.CaseKnown, finding.Facts{}),
	"seed_refused, refused":                  misconfigured(finding.CauseSeedUsed, finding.CaseRefused, finding.Facts{}),
	"seed_refused, used":                     misconfigured(finding.CauseSeedUsed, finding.CaseUsed, finding.Facts{}),
	"seed_of_another_record":                 misconfigured(finding.CauseSeedTaken, "", crm),
	"seed_of_another_record, store":          misconfigured(finding.CauseSeedTaken, "", elsewhere(crm, "store")),
	"seed_of_another_record, name and store": misconfigured(finding.CauseSeedTaken, "", elsewhere(crm, "name and store")),
	"seed_of_another_record, in use":         misconfigured(finding.CauseSeedTaken, "", kind(crm, "in use")),
	"seed_of_another_record, service":        misconfigured(finding.CauseSeedTaken, "", kind(crm, "service")),
	"seed_of_another_record, beside":         misconfigured(finding.CauseSeedTaken, finding.CaseBeside, crm),
	"record_missing":                         misconfigured(finding.CauseMissing, "", finding.Facts{Kind: finding.KindMissing, Place: "/data/erp.json"}),
	"record_missing, beside":                 misconfigured(finding.CauseMissing, finding.CaseBeside, finding.Facts{Kind: finding.KindMissing, Place: "/data/erp.json"}),
	"grant_ends":                             of(finding.Well, finding.CauseGrantEnds, "", finding.Facts{Ends: at}),
	"grant_ends, over":                       lost(record.Loss{Cause: finding.CauseGrantEnds, EndedAt: at}),
	"revoked":                                lost(record.Loss{Cause: finding.CauseRevoked}),
	"no_refresh_token":                       of(finding.AwaitingGrant, finding.CauseNoGrant, "", finding.Facts{}),
	"no_refresh_token, kept":                 of(finding.AwaitingGrant, finding.CauseNoGrant, finding.CaseKept, finding.Facts{}),
	"no_refresh_token, renamed":              former(of(finding.AwaitingGrant, finding.CauseNoGrant, "", finding.Facts{}), explain.Former{Client: "crm", Place: "/data/crm.json"}),
	"no_refresh_token, store":                former(of(finding.AwaitingGrant, finding.CauseNoGrant, "", finding.Facts{}), explain.Former{Client: "erp", Place: "/other/erp.json", Store: "/other"}),
	"rotation_missing":                       of(finding.Well, finding.CauseRotationMissing, "", finding.Facts{}),

	"configuration_changed":              misconfigured(finding.CauseRebound, "", finding.Facts{Endpoint: "https://former.example/token"}),
	"configuration_changed, certificate": misconfigured(finding.CauseRebound, "", finding.Facts{Kind: "certificate"}),
	"dpop_key_changed":                   told(misconfigured(finding.CauseKeyChanged, "", ofRow(finding.CauseKeyChanged))),
	"unresolved_setting":                 told(misconfigured(finding.CauseUnresolved, "", finding.Facts{})),
	"not_yet":                            told(passing(finding.CauseNotYet, "", finding.Facts{})),

	"canceled, late":       passing(finding.CauseCanceled, finding.CaseLate, finding.Facts{}),
	"canceled, lease lost": passing(finding.CauseCanceled, finding.CaseLease, finding.Facts{}),

	", configuration":        told(misconfigured("code_of_its_own", "", finding.Facts{})),
	", transient":            told(passing("code_of_its_own", "", finding.Facts{})),
	", of another replica":   {trouble: finding.Trouble{Condition: finding.Backoff, Cause: "server_error"}},
	", beside":               passing("code_of_its_own", finding.CaseBeside, finding.Facts{}),
	", beside, imported":     passing("code_of_its_own", finding.CaseBeside, finding.Facts{Detail: "what the error says", Imported: true}),
	", dead grant":           misconfigured("code_of_its_own", "", accepted),
	", perhaps a dead grant": misconfigured("code_of_its_own", "", answer),

	"record_unreadable":            told(misconfigured(finding.CauseRecord, "", finding.Facts{})),
	"record_unreadable, newer":     told(misconfigured(finding.CauseRecord, "", finding.Facts{Kind: "newer"})),
	"record_unreadable, exposed":   told(misconfigured(finding.CauseRecord, "", finding.Facts{Kind: "exposed"})),
	"record_unreadable, sealed":    told(misconfigured(finding.CauseRecord, "", finding.Facts{Kind: "sealed"})),
	"record_unreadable, known":     told(misconfigured(finding.CauseRecord, finding.CaseKnown, finding.Facts{})),
	"record_unreadable, shared":    told(shared(misconfigured(finding.CauseRecord, finding.CaseKnown, finding.Facts{}))),
	"record_unreadable, damaged":   told(of(finding.Well, finding.CauseRecord, "damaged", finding.Facts{})),
	"record_moved":                 misconfigured(finding.CauseMoved, "", crm),
	"record_moved, store":          misconfigured(finding.CauseMoved, "", finding.Facts{Kind: "store", Owner: "erp", Place: "/other/erp.json", From: "/other"}),
	"record_moved, name and store": misconfigured(finding.CauseMoved, "", elsewhere(crm, "store")),
	"lease_held":                   of(finding.Well, finding.CauseLeaseHeld, "", finding.Facts{}),
	"lease_held, too long":         passing(finding.CauseLeaseHeld, "", finding.Facts{}),
	"record_contested":             passing(finding.CauseContested, "", finding.Facts{}),
	"record_contested, overtaken":  passing(finding.CauseContested, finding.CaseOvertaken, finding.Facts{}),
	"record_contested, foreign":    passing(finding.CauseContested, finding.CaseForeign, finding.Facts{}),

	"retry_after":                    passing(finding.CauseRetryAfter, "", finding.Facts{Wait: 90 * time.Second}),
	"no_rotation":                    misconfigured(finding.CauseNotRotating, "", finding.Facts{}),
	"no_rotation, revoke":            misconfigured(finding.CauseNotRotating, "revoke", finding.Facts{}),
	"revocation_failed":              passing(finding.CauseNoRevocation, "", finding.Facts{}),
	"revocation_failed, no endpoint": misconfigured(finding.CauseNoRevocation, "no endpoint", finding.Facts{}),
	"not_running":                    of(finding.Well, finding.CauseStopped, "", finding.Facts{}),
	"starting":                       of(finding.Well, finding.CauseStarting, "", finding.Facts{}),
	"refresh_queued":                 of(finding.Well, finding.CauseQueued, "", finding.Facts{}),
	"expired":                        of(finding.Well, finding.CauseExpired, "", finding.Facts{}),
	"internal_error":                 told(misconfigured(finding.CauseInternal, "", finding.Facts{})),

	"store_unavailable":                       passing(finding.CauseStore, "", finding.Facts{}),
	"store_unavailable, shared":               shared(passing(finding.CauseStore, "", finding.Facts{})),
	"store_unavailable, cache":                told(of(finding.Well, finding.CauseStore, "cache", finding.Facts{})),
	"store_unavailable, unsaved":              told(of(finding.Well, finding.CauseStore, "unsaved", finding.Facts{})),
	"store_unavailable, unsaved shared":       told(shared(of(finding.Well, finding.CauseStore, "unsaved", finding.Facts{}))),
	"store_unavailable, order unsaved":        passing(finding.CauseStore, finding.CaseUnsaved, finding.Facts{}),
	"store_unavailable, order unsaved shared": shared(passing(finding.CauseStore, finding.CaseUnsaved, finding.Facts{})),
	"store_unavailable, memory":               of(finding.Well, finding.CauseStore, "memory", finding.Facts{}),
	"store_unavailable, memory shared":        shared(of(finding.Well, finding.CauseStore, "memory", finding.Facts{})),
	"store_unavailable, stopped":              told(of(finding.Well, finding.CauseStore, "stopped", finding.Facts{})),
	"store_unavailable, rolled back":          told(shared(passing(finding.CauseStore, finding.CaseRollback, finding.Facts{}))),
	"store_refused":                           shared(misconfigured(finding.CauseStoreRefused, "", finding.Facts{Kind: finding.KindRefused})),
	"store_unsafe":                            shared(misconfigured(finding.CauseStoreUnsafe, "", finding.Facts{Kind: finding.KindUnsafe})),
	"store_full":                              passing(finding.CauseStoreFull, "", finding.Facts{Kind: finding.KindFull}),
	"store_full, shared":                      shared(passing(finding.CauseStoreFull, "", finding.Facts{Kind: finding.KindFull})),

	"token_needs_certificate": misconfigured(explain.CauseNeedsCertificate, "", finding.Facts{}),

	"token_unusable":               misconfigured(finding.CauseUnusable, "", finding.Facts{}),
	"token_not_bound":              misconfigured(finding.CauseNotBound, "", finding.Facts{}),
	"token_not_bound, certificate": misconfigured(finding.CauseNotBound, "", finding.Facts{Kind: "certificate"}),
}

// ofRow are the words of a row as facts, where whoever found it has put it into words.
func ofRow(name string, cases ...string) finding.Facts {
	filled := cause.Of(name, cases...).With("client", "erp")
	return finding.Facts{Detail: filled.Sentence, Remedy: filled.Remedy}
}

// byAnAnswer brings a row about that whoever asks the token endpoint puts into words: it
// goes along as it is.
func byAnAnswer(row cause.Cause) (example, bool) {
	asked := []cause.Source{cause.TokenEndpoint, cause.Proxy, cause.Metadata, cause.Configuration, cause.Engine}
	if row.Name == "" || !slices.Contains(asked, row.Source) {
		return example{}, false
	}
	filled := row.With("client", "erp")
	e := passing(row.Name, "", finding.Facts{Detail: filled.Sentence, Remedy: filled.Remedy})
	if !row.Passes {
		e.trouble.Condition = finding.Misconfiguration
	}
	return e, true
}

// exchanges are the rows of a caller whose own token is exchanged, as its answer has them.
var exchanges = map[string]*percaller.Failure{
	", caller":                 {Refused: true, Cause: "invalid_grant", Detail: "what the server says"},
	", exchange configuration": {Misconfigured: true, Cause: "code_of_its_own", Detail: "what the server says"},
	", exchange":               {Cause: "server_error", Detail: "what the server says"},
	"no_subject_token":         percaller.ErrNoSubjectToken,
	"subject_token_malformed":  percaller.CheckSubjectToken("two, of them"),
	"too_many_exchanges":       {Cause: "too_many_exchanges", Detail: cause.Of("too_many_exchanges").Sentence},
	"token_expired":            {Cause: "token_expired", Detail: cause.Of("token_expired").Sentence},
	"slow":                     {Cause: "slow", Detail: cause.Of("slow").Sentence},
}

// answers are the rows about a request, whoever's client it wants a token of: an answer of
// ours and, in the log, the line about it are made of the row as it is.
var answers = []string{
	"caller_refused", "caller_unknown", "caller_unknown, token", "token_not_asked_for", "forwarded_refused", "token_rejected", "token_not_in_header",
	"caller_secret_unreadable", "unknown_host", "browser_refused", "trace_refused", "connect_refused", "connect_refused, token", "target_refused", "target_refused, path",
	"request_body_broken", "token_destination_denied", "token_destination_denied, proxy", "token_destination_denied, secrets", "dpop_nonce_refused",
	"dpop_proof_refused", "dpop_not_understood", "dpop_credentials_doubled", "token_injected_twice",
	"upstream_unreachable", "upstream_unreachable, connection_refused", "upstream_unreachable, host_not_found", "upstream_unreachable, dns_failed", "upstream_unreachable, connect_timeout",
	"upstream_unreachable, network_unreachable", "upstream_unreachable, connection_forbidden", "upstream_unreachable, socket", "upstream_unreachable, proxy", "upstream_unreachable, unknown_authority",
	"upstream_unreachable, certificate_name_mismatch", "upstream_unreachable, certificate_expired", "upstream_unreachable, certificate_not_yet_valid", "upstream_unreachable, certificate_invalid",
	"upstream_unreachable, client_certificate_required", "upstream_unreachable, not_tls", "upstream_unreachable, tls_refused", "upstream_no_answer", "upstream_no_answer, in time", "upstream_broken_answer",
}

// beside is what is said of a client that has a token, and whose token may not last or is
// of no use: the store that its replicas share is away, or an upstream rejects it.
func beside(row cause.Cause) (s adminapi.ClientStatus, ok bool) {
	s = adminapi.ClientStatus{Client: "erp", Token: "valid", State: "ok"}
	var counts observe.Counts
	switch row.Name + ", " + row.Case {
	case "store_unavailable, away":
		s.Store, s.StoreUp = "redis", new(bool)
	case "token_rejected, upstream": // as the log, the history and the status have it
		why := observe.OfRejection("erp", &adminapi.Rejection{Upstream: "https://api.example.com", Status: 401})
		s.Cause, s.Detail, s.Remedy = why.Name, why.Sentence, why.Remedy
	default:
		return s, false
	}
	counts.Show(&s)
	return s, true
}
