package grant

import (
	"strings"
	"time"

	"lamplighter/module/internal/record"
)

// Where replicas share the store, a lease may end while its holder lives: paused, or cut
// off with an answer in its memory. What it was about to present is presented by another
// only when there is no way around it, and a refusal of it is believed only later.

// rival is the attempt of another holder whose answer may come.
type rival struct {
	id    string
	until int64 // when it is awaited no longer; monotonic
	look  int64 // when the record is read again if a request waits, 0 if it is over
	probe int64 // when its lease is looked at again: only what was seen to rest is over
	fresh bool  // it has begun just now, and is no repetition
}

// doubt is the refusal of a refresh token that was taken over from another holder. The
// answer of that one may be on its way to the store.
type doubt struct {
	record.Presented
	token  record.Fingerprint
	number uint32
	until  int64 // when the refusal is believed; monotonic
	answer *Answer
}

// foreignAttempt returns the attempt of another holder with a refresh token whose outcome
// nobody knows, nil if there is none. Where a lease ends with its holder, that is dead; and
// one who has noted a pause after the attempt has not heard an answer, and listens no more.
func (m *machine) foreignAttempt(f record.Fingerprint) *record.Attempt {
	open := m.record.Open(f)
	if open == nil || m.settings == nil || m.settings.Lease == 0 || strings.HasPrefix(open.ID, m.writer()) {
		return nil
	}
	if p := m.record.Paused; p != nil && p.Number == open.Number && p.Cause != CauseResponseLost {
		return nil
	}
	return open
}

// doubtNotice is what another replica is given to write what it believes by then.
const doubtNotice = 2 * time.Second

// doubted is until when another holder's refusal is in doubt, 0 if it is not.
func (m *machine) doubted(open *record.Attempt) int64 {
	p := m.record.Paused
	if p == nil || p.Number != open.Number {
		return 0
	}
	return fromWall(p.Until, m.now).Mono + int64(doubtNotice)
}

// meet takes note of the attempt of another holder with a refresh token, and returns until
// when an answer to it is awaited; ok is false if there is none. That is until its timeout
// ends or, where the server forgives a repetition for long enough, its lease.
func (m *machine) meet(f record.Fingerprint) (until int64, ok bool) {
	open := m.foreignAttempt(f)
	if open == nil {
		if m.rarely().rival.id != "" {
			m.seldom().rival = rival{}
		}
		return 0, false
	}
	r := &m.seldom().rival
	if r.id != open.ID {
		length := m.settings.Timeout
		if m.forgiven() {
			length = m.settings.Lease
		}
		age := time.Duration(max(0, m.now.Wall-wallOf(open.At)))
		*r = rival{
			id: open.ID, until: m.now.Mono + int64(max(0, length-age)), probe: m.now.Mono + int64(lookPause),
			fresh: age < freshAttempt && open.Unanswered.IsZero(),
		}
		r.looked(m.now)
	}
	if until := m.doubted(open); until > r.until {
		r.until, r.fresh = until, false
		r.looked(m.now)
	}
	return r.until, true
}

// freshAttempt is how old another holder's attempt may be that requests are held for.
const freshAttempt = 5 * time.Second

// looked notes that the record is read.
func (r *rival) looked(now Now) {
	if r.look = now.Mono + int64(lookPause); now.Mono >= r.until {
		r.look = 0
	}
}

// forgiven reports whether the server forgives a repetition for longer than a lease lasts.
func (m *machine) forgiven() bool { return m.settings.ReuseGrace > m.settings.Lease }

// probe looks at the lease of another holder, without any use for it.
func (m *machine) probe() {
	m.seldom().rival.probe = m.now.Mono + int64(max(m.settings.Lease/3, lookPause))
	m.plan = &plan{settings: m.settings, probes: true}
	m.await(Leasing, Lease{})
}

// probes reports whether it is time for that.
func (m *machine) probes() bool {
	r := m.rarely().rival
	return r.look != 0 && m.now.Mono >= r.probe && m.now.Mono < r.until && !m.leased
}

// yields returns until when a refresh token is not presented, because another holder has.
func (m *machine) yields(f record.Fingerprint) int64 {
	p := m.plan
	until, ok := m.meet(f)
	if d := m.rarely().doubt; d.token == f && d.token != 0 {
		return d.until
	}
	switch {
	case !ok:
		return 0
	case m.forgiven(), p.beside, p.order != nil, m.live == nil, m.live.Generation == m.forced.asked:
		return until
	}
	return max(until, m.now.Mono+int64(m.live.urgent().Until(m.now)))
}

// rivalWake is how long it is until something is to be done about another holder's attempt.
func (s *State) rivalWake(now Now) (wait time.Duration, ok bool) {
	r := s.rarely().rival
	if r.look == 0 {
		return 0, false
	}
	look := r.look // by a request that waits for its end
	if s.live != nil && s.live.Generation != s.forced.asked {
		look = max(look, now.Mono+int64(s.live.Expires.Until(now)))
	}
	return time.Duration(min(r.until, look, r.probe) - now.Mono), true
}

// doubtful notes a refusal after a takeover, so that no other replica presents the refresh
// token meanwhile. The attempt stays open.
func (m *machine) doubtful(a *Answer) {
	p := m.plan
	until := m.now.Mono + int64(p.settings.Lease)
	m.seldom().doubt = doubt{Presented: p.Presented, token: record.FingerprintOf(p.RefreshToken), number: p.number, until: until, answer: a}
	if m.settings != nil {
		m.schedule.failures++
		m.schedule.notBefore = until
		m.trouble = Trouble{Condition: Backoff, Cause: CauseResponseLost, Case: caseDoubtful, Facts: a.Facts, At: m.now.Wall}
		m.tell(TokenRefreshFailed, m.trouble)
		m.record = m.record.Rest(record.Pause{
			Number: p.number, Failures: m.schedule.failures, Until: m.wallAt(until), Cause: CauseResponseLost,
		})
		p.write = settle
		m.save()
		return
	}
	m.finish()
}

// doubtOver forgets the doubt if the record has another word of the refresh token by now,
// and reports whether there still is one, and its time is over.
func (m *machine) doubtOver() bool {
	d := m.rarely().doubt
	if d.token == 0 {
		return false
	}
	said := m.record.Of(d.token)
	if said != record.Living && said != record.Unjudged || !m.settings.Rotating || m.binding.Grant != d.Binding.Grant {
		m.seldom().doubt = doubt{}
		return false
	}
	return m.now.Mono >= d.until
}

// believe writes a refusal that nothing has disproved for the length of a lease, by reading
// first: the answer may be there by now.
func (m *machine) believe() {
	d := m.rarely().doubt
	m.seldom().doubt = doubt{}
	m.plan = &plan{settings: m.settings, Presented: d.Presented, number: d.number, answer: d.answer}
	m.judge(d.answer)
	m.await(Settling, Look{})
}
