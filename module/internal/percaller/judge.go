package percaller

import (
	"cmp"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

// How long what an exchange came to is remembered, so that a caller in a loop is no
// attack on the token endpoint.
const (
	refusalKept  = 5 * time.Second
	failureKept  = time.Second // doubling to pauseMax while the same exchange fails
	renewPause   = 30 * time.Second
	forceMax     = time.Hour   // the pause between exchanges forced by 401, from renewPause on
	acceptedKept = time.Second // a subject token that the server accepts although it expired by our clock
	maxRefusals  = 1024
)

// entry is the token that is kept for a key. It does not change.
type entry struct {
	token    *keeper.Token
	renewAt  time.Time     // from then on it is exchanged anew
	forceAt  time.Time     // from then on a 401 brings that about
	forced   time.Duration // how long that was put off, 0 if no 401 has brought it about
	deadline time.Time     // monotonic
}

// refusal is why there is no token for a key.
type refusal struct {
	failure *Failure
	until   time.Time // then it may be asked for again
	pause   time.Duration
}

// judge remembers what an answer means.
func (c *Cache) judge(f *flight, a *tokenendpoint.Answer, asked time.Time) {
	now := time.Now()
	if a.SentAt.After(asked) {
		asked = a.SentAt // metadata was read first, or another client secret tried
	}
	if a.Outcome != tokenendpoint.Granted || a.Unusable != "" {
		c.fail(f, a, failureOf(a, now), asked)
		return
	}
	e := f.entry(a, asked, now)
	if !now.Before(e.deadline) {
		c.fail(f, a, &Failure{
			Cause: causeExpired, Detail: cause.Of(causeExpired).Sentence,
			At: now.Round(0),
		}, asked)
		return
	}
	c.tokens.put(f.x.Key, e, e.deadline, now, f.x.MaxEntries)
	c.refusals.drop(f.x.Key)
	c.pause.answered(f.x.Settings)
	c.last.Store(nil)
	f.token, f.failure = e.token, nil
	c.tellGranted(&f.x, a, e, now)
}

// entry is what is kept of a token. Its life counts from when it was asked for, and
// ends with that of the subject token.
func (f *flight) entry(a *tokenendpoint.Answer, asked, now time.Time) *entry {
	lifetime := a.ExpiresIn
	if exp, ok := expiryOf(f.x.SubjectToken); ok {
		ends := max(exp.Sub(asked.Round(0)), now.Sub(asked)+acceptedKept)
		lifetime = min(lifetime, ends)
	}
	e := &entry{
		token: &keeper.Token{
			AccessToken: a.AccessToken, IDToken: a.IDToken, TokenType: a.TokenType, Scope: a.Scope, Response: a.Response, Certificate: a.Certificate, Key: a.BoundTo,
			ObtainedAt: asked.Round(0), ExpiresAt: asked.Round(0).Add(lifetime),
		},
		renewAt:  asked.Add(time.Duration(float64(lifetime) * (1 - f.x.RefreshWindowRatio))),
		deadline: asked.Add(lifetime),
	}
	if e.token.Key != nil {
		e.token.Hash = dpop.Hash(a.AccessToken)
	}
	if f.forced {
		f.putOff(e, now)
	}
	return e
}

// putOff lets an entry wait before a 401 may bring another exchange about: the
// longer, the more often that has been of no use.
func (f *flight) putOff(e *entry, now time.Time) {
	e.forced = min(max(renewPause, 2*f.held.forced), forceMax)
	e.forceAt = now.Add(e.forced)
}

// failureOf says why an answer brings no token.
func failureOf(a *tokenendpoint.Answer, now time.Time) *Failure {
	f := &Failure{Cause: a.Cause, Detail: a.Detail, At: now.Round(0)}
	switch {
	case a.Outcome == tokenendpoint.Granted:
		f.Misconfigured, f.Cause, f.Detail = true, cmp.Or(a.Cause, finding.CauseUnusable), "the access token cannot be injected: "+a.Unusable
	case refusesSubject(a):
		f.Refused = true
	case a.Outcome == tokenendpoint.Misconfigured:
		f.Misconfigured = true
	}
	if !a.Passes && a.Remedy != cause.Code("configuration").Remedy {
		f.told = a.Remedy
	}
	return f
}

// refusesSubject reports whether it is the subject token that the server does not
// accept: RFC 8693 section 2.2.2 makes that an invalid_request.
func refusesSubject(a *tokenendpoint.Answer) bool {
	return a.Outcome == tokenendpoint.Refused ||
		a.Outcome == tokenendpoint.Misconfigured && (a.Cause == "invalid_request" || a.Cause == "invalid_token")
}

// fail remembers an exchange that brought no token.
func (c *Cache) fail(f *flight, a *tokenendpoint.Answer, why *Failure, asked time.Time) {
	now := time.Now()
	if why.Refused {
		f.failure = why
		c.refuse(f, a, now)
		return
	}
	c.pause.failed(&f.x, a, why, asked, now)
	told := *why
	told.RetryAfter = c.setBack(f, why, now)
	if f.token == nil {
		f.failure = &told
	}
	c.last.Store(&told)
	c.tellFailed(&f.x, a, &told, asked)
}

// setBack puts the next exchange off: while a token is still good, and otherwise at
// growing intervals. It returns when another request is worth the while.
func (c *Cache) setBack(f *flight, why *Failure, now time.Time) time.Duration {
	if held, ok := c.tokens.get(f.x.Key, now); ok && held == f.held {
		c.keepOn(f, now)
		return renewPause
	}
	pause := failureKept
	if before, ok := c.refusals.get(f.x.Key, now); ok {
		pause = min(max(pause, 2*before.pause), pauseMax)
	}
	// It is remembered until another exchange has come to something, so that the
	// pauses can grow.
	r := &refusal{failure: why, until: now.Add(pause), pause: pause}
	c.refusals.put(f.x.Key, r, r.until.Add(pause+f.x.Timeout), now, maxRefusals)
	if paused := c.pause.over(f.x.Settings, now); paused != nil {
		return max(pause, paused.RetryAfter)
	}
	return pause
}

// refuse remembers that the server does not accept a subject token, and forgets
// what it was exchanged for.
func (c *Cache) refuse(f *flight, a *tokenendpoint.Answer, now time.Time) {
	c.pause.answered(f.x.Settings)
	c.tokens.drop(f.x.Key)
	r := &refusal{failure: f.failure, until: now.Add(max(refusalKept, a.RetryAfter))}
	c.refusals.put(f.x.Key, r, r.until, now, maxRefusals)
}

// keepOn goes on with a token that is still good, and tries again later to replace
// it.
func (c *Cache) keepOn(f *flight, now time.Time) {
	e := *f.held
	e.renewAt = now.Add(renewPause)
	if f.forced {
		f.putOff(&e, now)
	}
	c.tokens.put(f.x.Key, &e, e.deadline, now, f.x.MaxEntries)
	f.token, f.failure = e.token, nil
}
