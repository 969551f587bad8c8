package grant

import (
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/ending"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// endOf is when the grant ends after an answer, zero if it does not, or if nobody knows.
func (m *machine) endOf(a *step.Answer, sent time.Time) time.Time {
	p := m.plan
	left := m.record.Current(p.Binding.Grant)
	if p.rotated || left != nil && left.RefreshToken != p.RefreshToken {
		left = nil
	}
	return ending.Of(a, left, p.settings, sent)
}

// beforeGrantEnds brings the refresh forward, so that it moves the end.
func (m *machine) beforeGrantEnds() {
	if by, ok := ending.RefreshBy(m.record.Current(m.binding.Grant), m.now.Draw); ok {
		m.schedule.Refresh = m.schedule.Refresh.Earlier(when.FromWall(by, m.now))
	}
}

// GrantEnds returns when the grant ends by itself, zero if it does not, or if nobody
// knows. soon says that a tenth of its life remains, and that refreshing does not
// help: it did not move the end, or fails.
func (s *State) GrantEnds(now when.Now) (at time.Time, soon bool) {
	t := s.ending()
	if t == nil {
		return time.Time{}, false
	}
	return t.ExpiresAt, s.stays(t) && ending.Soon(t, now)
}

// ending returns the refresh token of a grant that ends by itself, nil if it does not.
func (s *State) ending() *record.Token {
	if s.settings == nil || !s.settings.Rotating {
		return nil
	}
	if t := s.record.Current(s.binding.Grant); t != nil && !t.ExpiresAt.IsZero() {
		return t
	}
	return nil
}

// stays reports whether no refresh moves the end of the grant, as far as is known.
func (s *State) stays(t *record.Token) bool {
	return t.Unmoved() || s.schedule.Failures > 0 || s.trouble.Blocking() && !s.trouble.Beside
}

// untilWarning is how long it is until the end of the grant is to be told of; ok is false if it
// is not.
func (s *State) untilWarning(now when.Now) (wait time.Duration, ok bool) {
	t := s.ending()
	if t == nil || !s.known || !s.stays(t) {
		return 0, false
	}
	return ending.Warning(t, s.rarely().warned, now)
}

// warn tells of the end of the grant while there is time to log in again.
func (m *machine) warn() {
	if m.phase != Idle || !m.known {
		return
	}
	wait, ok := m.untilWarning(m.now)
	switch {
	case ok && wait == 0:
		m.seldom().warned = m.now.Mono
		m.do(step.Tell{Kind: finding.GrantEnds, Trouble: finding.Trouble{Cause: finding.CauseGrantEnds, Facts: &finding.Facts{Ends: m.ending().ExpiresAt}, At: m.now.Wall}})
	case m.rarely().warned != 0 && (!ok || !ending.Soon(m.ending(), m.now)):
		m.seldom().warned = 0 // the end has moved
	}
}

// pastEnd returns when the grant of the refresh token that was presented ended by
// itself, zero if it did not.
func (m *machine) pastEnd() time.Time {
	return ending.Past(m.record.Current(m.plan.Binding.Grant), m.plan.RefreshToken, m.now)
}
