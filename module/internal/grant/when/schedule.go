package when

import "time"

// Retries after a failure: quickly at first, because servers that forgive a
// repeated refresh token do so for a few seconds only; slowly where a human has
// to change something. What is found by a look at files of this machine is looked at again
// soon: that costs nothing, and whoever has mended it waits to see that.
const (
	RetryMin     = time.Second
	RetryMax     = 30 * time.Second
	retryJitter  = 0.2
	LookMax      = 8 * time.Second
	SlowRetryMin = 30 * time.Second
	SlowRetryMax = 5 * time.Minute
	Jitter       = 0.05
)

// Bounds are those of the pauses after a failure: of a look at this machine, which costs
// nothing, of what lasts until somebody mends it, or of all else.
func Bounds(look, lasts bool) (lo, hi time.Duration) {
	switch {
	case look:
		return RetryMin, LookMax
	case lasts:
		return SlowRetryMin, SlowRetryMax
	}
	return RetryMin, RetryMax
}

// Schedule says when the next token request is due, and when it may be sent.
type Schedule struct {
	Refresh  Instant // the token wants to be refreshed, if planned; else at once
	Planned  bool
	Pressing bool  // something else than its age wants that, at once
	Idle     bool  // nothing is due, whatever refresh says
	Yields   int64 // until when another holder is given way, monotonic; 0 is long ago
	Backoff        // no token request before it ends
}

// Backoff grows the pause between attempts that fail. Moments are monotonic; 0 is
// long ago.
type Backoff struct {
	NotBefore  int64
	RetryAfter int64 // until when the server itself asked to wait
	Failures   uint8 // since the last success
}

// Succeed plans the refresh of a token that was asked for at sent and lives for
// lifetime: when ratio of it remains, up to 5 % of it earlier so that many
// clients do not ask at once, and no request before the interval is over.
func (s *Schedule) Succeed(sent Instant, lifetime time.Duration, ratio float64, interval time.Duration, now Now) {
	share := 1 - ratio - now.Draw*Jitter
	*s = Schedule{Refresh: sent.Add(time.Duration(float64(lifetime) * max(0, share))), Planned: true}
	s.NotBefore = now.Mono + int64(interval)
}

// AtOnce wants a refresh as soon as that may be.
func (s *Schedule) AtOnce() { s.Planned, s.Idle = false, false }

// Fail plans a retry: a pause doubling between lo and hi, ±20 %, not before the
// server wants it.
func (b *Backoff) Fail(now Now, lo, hi, retryAfter time.Duration) {
	wait := hi
	if b.Failures < 16 {
		wait = min(hi, lo<<b.Failures)
		b.Failures++
	}
	wait = time.Duration(float64(wait) * (1 + retryJitter*(2*now.Draw-1)))
	b.NotBefore = now.Mono + int64(max(wait, retryAfter))
	if retryAfter > 0 {
		b.RetryAfter = now.Mono + int64(retryAfter)
	}
}

// RetryNow forgets the failures: something changed.
func (b *Backoff) RetryNow() { b.NotBefore, b.Failures = 0, 0 }

// Pauses grow between things that may be right once, and are a loop when they
// come again and again.
type Pauses struct {
	Backoff
	Quiet int64 // from when on they start anew
}

// Next begins a pause: doubling between lo and hi, unless it has been quiet for
// as long again as the last one lasted.
func (p *Pauses) Next(now Now, lo, hi time.Duration) {
	if now.Mono > p.Quiet {
		p.RetryNow()
	}
	p.Fail(now, lo, hi, 0)
	p.Quiet = 2*p.NotBefore - now.Mono
}

// Due reports whether a token request is due and may be sent.
func (s *Schedule) Due(now Now) bool {
	return !s.Idle && s.Wanted(now) && now.Mono >= max(s.NotBefore, s.RetryAfter, s.Yields)
}

// Wanted reports whether the token is to be refreshed as soon as that may be.
func (s *Schedule) Wanted(now Now) bool {
	return s.Pressing || !s.Planned || s.Refresh.Reached(now)
}

// Next is how long until a token request is due; ok is false if none is planned.
func (s *Schedule) Next(now Now) (wait time.Duration, ok bool) {
	if s.Idle {
		return 0, false
	}
	if !s.Wanted(now) {
		wait = s.Refresh.Until(now)
	}
	return max(wait, time.Duration(max(s.NotBefore, s.RetryAfter, s.Yields)-now.Mono)), true
}
