package grant

import (
	"time"

	"lamplighter/module/internal/record"
)

// Replicas that share a store share the pauses after failures too: together they ask a
// server in trouble no more often than one would.

// rest notes in the record how long the server is to be left alone, and reports whether
// there is something to note. What is wrong with settings is not shared: another
// replica may have better ones.
func (m *machine) rest(a *Answer) bool {
	p := m.plan
	if m.settings == nil || m.settings.Lease == 0 || m.trouble.Condition != Backoff || p.beside && a.RetryAfter == 0 {
		return false
	}
	pause := record.Pause{Number: p.number, Failures: m.schedule.failures, Until: m.wallAt(m.schedule.notBefore), Cause: a.Cause}
	if a.RetryAfter > 0 {
		pause.RetryAfter = m.wallAt(m.schedule.retryAfter)
	}
	if p.beside {
		pause.Until = pause.RetryAfter
	}
	m.record = m.record.Rest(pause)
	return true
}

// wallAt is what the wall clock tells at a monotonic moment.
func (m *machine) wallAt(mono int64) time.Time {
	return m.now.Time().Add(time.Duration(mono - m.now.Mono))
}

// obeyPause takes over the pause that another replica has noted. A refusal in doubt is no
// reason to leave the server alone, only not to present that refresh token: see meet.
func (m *machine) obeyPause() {
	pause := m.record.Pause()
	if pause == nil || m.settings.Lease == 0 || pause.Cause == CauseResponseLost {
		return
	}
	s := &m.schedule
	s.failures = max(s.failures, pause.Failures)
	s.notBefore = max(s.notBefore, fromWall(pause.Until, m.now).Mono)
	if !pause.RetryAfter.IsZero() {
		s.retryAfter = max(s.retryAfter, fromWall(pause.RetryAfter, m.now).Mono)
	}
	if m.trouble.Condition == Well && wallOf(pause.Until) > m.now.Wall {
		m.trouble = Trouble{Condition: Backoff, Cause: pause.Cause, At: m.now.Wall, local: true}
	}
}
