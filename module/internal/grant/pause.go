package grant

import (
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// Replicas that share a store share the pauses after failures too: together they ask a
// server in trouble no more often than one would.

// rest notes in the record how long the server is to be left alone, and reports whether
// there is something to note. What is wrong with settings is not shared: another
// replica may have better ones.
func (m *machine) rest(a *step.Answer) bool {
	p := m.plan
	if m.settings == nil || m.settings.Lease == 0 || m.trouble.Condition != finding.Backoff || p.Beside && a.RetryAfter == 0 {
		return false
	}
	pause := record.Pause{Number: p.number, Failures: m.schedule.Failures, Until: m.now.Later(m.schedule.NotBefore), Cause: a.Cause}
	if a.RetryAfter > 0 {
		pause.RetryAfter = m.now.Later(m.schedule.RetryAfter)
	}
	if p.Beside {
		pause.Until = pause.RetryAfter
	}
	m.record = m.record.Rest(pause)
	m.seldom().rested = p.number
	return true
}

// obeyPause takes over the pause that another replica has noted. A refusal in doubt is no
// reason to leave the server alone, only not to present that refresh token: see meet.
func (m *machine) obeyPause() {
	pause := m.record.Pause()
	if r := m.rarely(); r.rested != 0 && (pause == nil || pause.Number != r.rested) {
		m.seldom().rested = 0
	}
	if pause == nil || m.settings.Lease == 0 || pause.Cause == finding.CauseResponseLost || pause.Number == m.rarely().rested {
		return
	}
	s := &m.schedule
	s.Failures = max(s.Failures, pause.Failures)
	s.NotBefore = max(s.NotBefore, when.FromWall(pause.Until, m.now).Mono)
	if !pause.RetryAfter.IsZero() {
		s.RetryAfter = max(s.RetryAfter, when.FromWall(pause.RetryAfter, m.now).Mono)
	}
	if m.trouble.Condition == finding.Well && when.Wall(pause.Until) > m.now.Wall {
		m.trouble = finding.Trouble{Condition: finding.Backoff, Cause: pause.Cause, At: m.now.Wall, Local: true}
	}
}
