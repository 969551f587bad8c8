package keeper

import (
	"math/rand/v2"
	"time"
)

// Retries after a failure: quickly at first, because servers that forgive a
// repeated refresh token do so for a few seconds only; slowly where a human has
// to change something.
const (
	retryMin       = time.Second
	retryMax       = 30 * time.Second
	retryJitter    = 0.2
	slowRetryMin   = 30 * time.Second
	slowRetryMax   = 5 * time.Minute
	scheduleJitter = 0.05
)

// schedule says when the next token request is due, and when it may be sent.
type schedule struct {
	refresh  instant // the token wants to be refreshed; zero: at once
	pressing bool    // something else than its age wants that, at once
	idle     bool    // nothing is due, whatever refresh says
	backoff          // no token request before it ends
}

// backoff grows the pause between attempts that fail.
type backoff struct {
	notBefore  time.Time // monotonic
	retryAfter time.Time // until when the server itself asked to wait; monotonic
	failures   int       // since the last success

	random func() float64 // replaces the jitter in tests
}

func (b *backoff) draw() float64 {
	if b.random != nil {
		return b.random()
	}
	return rand.Float64()
}

// succeed plans the refresh of a token that was asked for at sent and lives for
// lifetime: when ratio of it remains, up to 5 % of it earlier so that many
// clients do not ask at once.
func (s *schedule) succeed(sent instant, lifetime time.Duration, set *Settings, now time.Time) {
	share := 1 - set.RefreshWindowRatio - s.draw()*scheduleJitter
	s.refresh = sent.add(time.Duration(float64(lifetime) * max(0, share)))
	s.pressing, s.idle = false, false
	s.failures = 0
	s.notBefore, s.retryAfter = now.Add(set.MinRefreshInterval), time.Time{}
}

// fail plans a retry: a pause doubling between lo and hi, ±20 %, not before the
// server wants it.
func (b *backoff) fail(now time.Time, lo, hi, retryAfter time.Duration) {
	wait := hi
	if b.failures < 16 {
		wait = min(hi, lo<<b.failures)
	}
	b.failures++
	wait = time.Duration(float64(wait) * (1 + retryJitter*(2*b.draw()-1)))
	b.notBefore = now.Add(max(wait, retryAfter))
	if retryAfter > 0 {
		b.retryAfter = now.Add(retryAfter)
	}
}

// pauses grow between things that may be right once, and are a loop when they
// come again and again.
type pauses struct {
	backoff
	quiet time.Time // from when on they start anew; monotonic
}

// next begins a pause: doubling between lo and hi, unless it has been quiet for
// as long again as the last one lasted.
func (p *pauses) next(now time.Time, lo, hi time.Duration) {
	if now.After(p.quiet) {
		p.retryNow()
	}
	p.fail(now, lo, hi, 0)
	p.quiet = p.notBefore.Add(p.notBefore.Sub(now))
}

// retryNow forgets the failures: something changed.
func (b *backoff) retryNow() { b.notBefore, b.failures = time.Time{}, 0 }

// stop plans nothing: only a change from outside goes on.
func (s *schedule) stop() { s.idle = true }

// due reports whether a token request is due and may be sent.
func (s *schedule) due(mono, wall time.Time) bool {
	return !s.idle && s.wanted(mono, wall) && !mono.Before(s.notBefore) && !mono.Before(s.retryAfter)
}

// wanted reports whether the token is to be refreshed as soon as that may be.
func (s *schedule) wanted(mono, wall time.Time) bool {
	return s.pressing || s.refresh.isZero() || s.refresh.reached(mono, wall)
}

// next is how long until a token request is due; ok is false if none is planned.
func (s *schedule) next(mono, wall time.Time) (wait time.Duration, ok bool) {
	if s.idle {
		return 0, false
	}
	if !s.wanted(mono, wall) {
		wait = s.refresh.until(mono, wall)
	}
	return max(wait, s.notBefore.Sub(mono), s.retryAfter.Sub(mono)), true
}
