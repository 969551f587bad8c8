package grant

import (
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/choice"
	"lamplighter/module/internal/grant/rival"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// Where replicas share the store, a lease may end while its holder lives: paused, or cut
// off with an answer in its memory. What it was about to present is presented by another
// only when there is no way around it, and a refusal of it is believed only later.

// rivalAttempt returns the attempt of another holder with a refresh token whose outcome
// nobody knows, nil if there is none.
func (m *machine) rivalAttempt(f record.Fingerprint) *record.Attempt {
	return rival.Attempt(m.record, m.settings, m.writer(), f)
}

// meet takes note of the attempt of another holder with a refresh token, and returns until
// when an answer to it is awaited; ok is false if there is none.
func (m *machine) meet(f record.Fingerprint) (until int64, ok bool) {
	open := m.rivalAttempt(f)
	if open == nil {
		if m.rarely().rival.ID != "" {
			m.seldom().rival = rival.Rival{}
		}
		return 0, false
	}
	r := &m.seldom().rival
	r.Meet(open, m.record, m.settings, m.now)
	return r.Until, true
}

// probe looks at the lease of another holder, without any use for it.
func (m *machine) probe() {
	m.seldom().rival.Probe = m.now.Mono + int64(max(m.settings.Lease/3, rival.LookPause))
	m.plan = &plan{settings: m.settings, probes: true}
	m.await(Leasing, step.Lease{})
}

// probes reports whether it is time for that.
func (m *machine) probes() bool {
	r := m.rarely().rival
	return !m.leased && r.Probes(m.now)
}

// yields returns until when a refresh token is not presented, because another holder has.
func (m *machine) yields(f record.Fingerprint) int64 {
	p := m.plan
	until, ok := m.meet(f)
	if d := m.rarely().doubt; d.Token == f && d.Token != 0 {
		return d.Until
	}
	switch {
	case !ok:
		return 0
	case rival.Forgiven(m.settings), p.Beside, p.order != nil, m.live == nil, m.live.Generation == m.forced.asked:
		return until
	}
	return max(until, m.now.Mono+int64(m.live.urgent().Until(m.now)))
}

// rivalWake is how long it is until something is to be done about another holder's attempt.
func (s *State) rivalWake(now when.Now) (wait time.Duration, ok bool) {
	r := s.rarely().rival
	if r.Look == 0 {
		return 0, false
	}
	look := r.Look // by a request that waits for its end
	if s.live != nil && s.live.Generation != s.forced.asked {
		look = max(look, now.Mono+int64(s.live.Expires.Until(now)))
	}
	wake := min(r.Until, look)
	if !s.leased {
		wake = min(wake, r.Probe)
	}
	return time.Duration(wake - now.Mono), true
}

// doubtful notes a refusal after a takeover, so that no other replica presents the refresh
// token meanwhile. The attempt stays open. An order that had the same one presented again renews
// no doubt: it is the answer to the other holder's attempt that may be late.
func (m *machine) doubtful(a *step.Answer) {
	p := m.plan
	until := m.now.Mono + int64(p.settings.Lease)
	if d := m.rarely().doubt; d.Token == p.Fingerprint() {
		until = min(until, d.Until)
	}
	m.seldom().doubt = rival.Doubt{Presented: p.Presented, Token: p.Fingerprint(), Number: p.number, Until: until, Answer: a}
	if m.settings != nil {
		m.schedule.Failures++
		m.schedule.NotBefore = until
		m.trouble = finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseResponseLost, Case: finding.CaseDoubtful, Facts: a.Facts, At: m.now.Wall}
		m.tell(finding.TokenRefreshFailed, m.trouble)
		m.record = m.record.Rest(record.Pause{
			Number: p.number, Failures: m.schedule.Failures, Until: m.now.Later(until), Cause: finding.CauseResponseLost,
		})
		p.write = note
		m.save()
		return
	}
	m.finish()
}

// doubtOver forgets the doubt if the record has another word of the refresh token by now,
// and reports whether there still is one, and its time is over.
func (m *machine) doubtOver() bool {
	d := m.rarely().doubt
	if d.Token == 0 {
		return false
	}
	if d.Resolved(m.record) || !m.settings.Rotating || m.binding.Grant != d.Binding.Grant {
		m.seldom().doubt = rival.Doubt{}
		return false
	}
	return m.now.Mono >= d.Until
}

// believe writes a refusal that nothing has disproved for the length of a lease, by reading
// first: the answer may be there by now. Where nothing can be read, the doubt stays.
func (m *machine) believe() {
	d := m.rarely().doubt
	m.seldom().doubt.Until = m.now.Mono + int64(when.RetryMin)
	m.plan = &plan{settings: m.settings, Choice: choice.Choice{Presented: d.Presented}, number: d.Number, answer: d.Answer}
	m.await(Joining, step.Look{})
}
