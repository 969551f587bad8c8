package grant

import (
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// A grant may end by itself. What an answer says of that is kept with its refresh
// token; a refresh that is early enough may move the end, and one that cannot is
// told of in time.

// endOf is when the grant ends after an answer, zero if it does not, or if nobody
// knows: as the answer says, as was known of a refresh token that it left as it was,
// or as the settings say of one that is new.
func (m *machine) endOf(a *step.Answer, sent time.Time) time.Time {
	p := m.plan
	known := m.record.Current(p.Binding.Grant)
	switch {
	case a.RefreshExpiresIn > 0:
		return sent.Add(a.RefreshExpiresIn)
	case a.RefreshExpiresIn < 0:
		return time.Time{}
	case !p.rotated && known != nil && known.RefreshToken == p.RefreshToken && !known.ExpiresAt.IsZero():
		return known.ExpiresAt
	case p.settings.RefreshTokenExpiresIn > 0:
		return sent.Add(p.settings.RefreshTokenExpiresIn)
	}
	return time.Time{}
}

// beforeGrantEnds brings the refresh forward to two thirds of the refresh token's
// own life. That is fixed by its answer: counted anew it would recede for ever.
// Where an answer did not move the end, refreshing early is of no use.
func (m *machine) beforeGrantEnds() {
	t := m.record.Current(m.binding.Grant)
	if t == nil || t.Unmoved() || t.ExpiresAt.IsZero() || t.ObtainedAt.IsZero() {
		return
	}
	share := 2.0/3 - m.now.Draw*when.Jitter
	by := t.ObtainedAt.Add(time.Duration(float64(t.ExpiresAt.Sub(t.ObtainedAt)) * share))
	m.schedule.Refresh = m.schedule.Refresh.Earlier(when.FromWall(by, m.now))
}

// endWarnings is the least time between two warnings of a grant's end.
const endWarnings = 24 * time.Hour

// GrantEnds returns when the grant ends by itself, zero if it does not, or if nobody
// knows. soon says that a tenth of its life remains, and that refreshing does not
// help: it did not move the end, or fails.
func (s *State) GrantEnds(now when.Now) (at time.Time, soon bool) {
	t := s.ending()
	if t == nil {
		return time.Time{}, false
	}
	return t.ExpiresAt, s.stays(t) && now.Wall >= when.Wall(t.EndsSoon())
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

// untilWarning is how long it is until the end of the grant is to be told of, again
// if it was; ok is false if it is not.
func (s *State) untilWarning(now when.Now) (wait time.Duration, ok bool) {
	t := s.ending()
	if t == nil || !s.stays(t) || when.Wall(t.ExpiresAt) <= now.Wall {
		return 0, false
	}
	wait = time.Duration(when.Wall(t.EndsSoon()) - now.Wall)
	if warned := s.rarely().warned; warned != 0 {
		wait = max(wait, time.Duration(warned-now.Mono)+endWarnings)
	}
	return max(0, wait), true
}

// warn tells of the end of the grant while there is time to log in again.
func (m *machine) warn() {
	if m.phase != Idle || !m.settled {
		return
	}
	wait, ok := m.untilWarning(m.now)
	switch {
	case ok && wait == 0:
		m.seldom().warned = m.now.Mono
		m.do(step.Tell{Kind: finding.GrantEnds, Trouble: finding.Trouble{Cause: finding.CauseGrantEnds, Facts: &finding.Facts{Ends: m.ending().ExpiresAt}, At: m.now.Wall}})
	case m.rarely().warned != 0 && (!ok || when.Wall(m.ending().EndsSoon()) > m.now.Wall):
		m.seldom().warned = 0 // the end has moved
	}
}

// pastEnd returns when the grant of the refresh token that was presented ended by
// itself, zero if it did not.
func (m *machine) pastEnd() time.Time {
	t := m.record.Current(m.plan.Binding.Grant)
	if t == nil || t.RefreshToken != m.plan.RefreshToken || t.ExpiresAt.IsZero() || when.Wall(t.ExpiresAt) > m.now.Wall {
		return time.Time{}
	}
	return t.ExpiresAt
}
