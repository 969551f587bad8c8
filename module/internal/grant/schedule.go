package grant

import "time"

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

// SlowRetry is the least pause after what a human has to mend.
const SlowRetry = slowRetryMin

// schedule says when the next token request is due, and when it may be sent.
type schedule struct {
	refresh  Instant // the token wants to be refreshed, if planned; else at once
	planned  bool
	pressing bool  // something else than its age wants that, at once
	idle     bool  // nothing is due, whatever refresh says
	yields   int64 // until when another holder is given way, monotonic; 0 is long ago
	backoff        // no token request before it ends
}

// backoff grows the pause between attempts that fail. Moments are monotonic; 0 is
// long ago.
type backoff struct {
	notBefore  int64
	retryAfter int64 // until when the server itself asked to wait
	failures   uint8 // since the last success
}

// succeed plans the refresh of a token that was asked for at sent and lives for
// lifetime: when ratio of it remains, up to 5 % of it earlier so that many
// clients do not ask at once.
func (s *schedule) succeed(sent Instant, lifetime time.Duration, set *Settings, now Now) {
	share := 1 - set.RefreshWindowRatio - now.Draw*scheduleJitter
	*s = schedule{refresh: sent.Add(time.Duration(float64(lifetime) * max(0, share))), planned: true}
	s.notBefore = now.Mono + int64(set.MinRefreshInterval)
}

// atOnce wants a refresh as soon as that may be.
func (s *schedule) atOnce() { s.planned, s.idle = false, false }

// fail plans a retry: a pause doubling between lo and hi, ±20 %, not before the
// server wants it.
func (b *backoff) fail(now Now, lo, hi, retryAfter time.Duration) {
	wait := hi
	if b.failures < 16 {
		wait = min(hi, lo<<b.failures)
		b.failures++
	}
	wait = time.Duration(float64(wait) * (1 + retryJitter*(2*now.Draw-1)))
	b.notBefore = now.Mono + int64(max(wait, retryAfter))
	if retryAfter > 0 {
		b.retryAfter = now.Mono + int64(retryAfter)
	}
}

// retryNow forgets the failures: something changed.
func (b *backoff) retryNow() { b.notBefore, b.failures = 0, 0 }

// pauses grow between things that may be right once, and are a loop when they
// come again and again.
type pauses struct {
	backoff
	quiet int64 // from when on they start anew
}

// next begins a pause: doubling between lo and hi, unless it has been quiet for
// as long again as the last one lasted.
func (p *pauses) next(now Now, lo, hi time.Duration) {
	if now.Mono > p.quiet {
		p.retryNow()
	}
	p.fail(now, lo, hi, 0)
	p.quiet = 2*p.notBefore - now.Mono
}

// due reports whether a token request is due and may be sent.
func (s *schedule) due(now Now) bool {
	return !s.idle && s.wanted(now) && now.Mono >= max(s.notBefore, s.retryAfter, s.yields)
}

// wanted reports whether the token is to be refreshed as soon as that may be.
func (s *schedule) wanted(now Now) bool {
	return s.pressing || !s.planned || s.refresh.Reached(now)
}

// next is how long until a token request is due; ok is false if none is planned.
func (s *schedule) next(now Now) (wait time.Duration, ok bool) {
	if s.idle {
		return 0, false
	}
	if !s.wanted(now) {
		wait = s.refresh.Until(now)
	}
	return max(wait, time.Duration(max(s.notBefore, s.retryAfter, s.yields)-now.Mono)), true
}
