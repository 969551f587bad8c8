package authserver

import (
	"sync"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/placeholder"
)

// readyAssertion is the client assertion that a setting names.
func readyAssertion(setting string) *tokenendpoint.ReadyAssertion {
	return &tokenendpoint.ReadyAssertion{
		Place: placeholder.Place(setting, "client_assertion"),
		Read: func() (string, error) {
			var r placeholder.Resolver
			assertion := r.Value("client_assertion", setting)
			redact.Remember(assertion)
			return assertion, r.Err
		},
	}
}

// outdated says why nothing is to be asked with what authenticates the client, nil if it
// may be.
func (c *Client) outdated(req *tokenendpoint.Request) *finding.Facts {
	if req.ReadyAssertion == nil {
		return nil
	}
	_, err := req.ReadyAssertion.Take(time.Now())
	expired, ok := err.(*tokenendpoint.AssertionExpired) //nolint:errorlint // Take says that it is not wrapped
	if !ok {
		return nil
	}
	return &finding.Facts{Detail: expired.Error(), Remedy: expired.Row().Remedy}
}

// lastAssertion is what the server made of the last client assertion that somebody else
// had made. Requests of several callers may be under way at once.
type lastAssertion struct {
	mu       sync.Mutex
	accepted [32]byte // its SHA-256
}

// judge notes that an assertion was accepted, or gives the refusal of one that was a truer
// cause: many servers do not say that they take each one once.
func (l *lastAssertion) judge(a *tokenendpoint.Answer, ready *tokenendpoint.ReadyAssertion) {
	if ready == nil || a.ReadyAssertion == [32]byte{} {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case a.Outcome == tokenendpoint.Granted, a.Outcome == tokenendpoint.Refused:
		l.accepted = a.ReadyAssertion
	case a.ClientRefused && a.Cause != tokenendpoint.CauseAssertionReused && l.accepted == a.ReadyAssertion:
		why := cause.Of(tokenendpoint.CauseAssertionReused, "perhaps").With("file", ready.Place)
		a.Cause, a.Detail, a.Remedy = why.Name, why.Sentence+": "+a.Detail, why.Remedy
	}
}
