package grant

import (
	"strings"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/choice"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// looked goes on with what was read.
func (m *machine) looked(e step.Looked) {
	switch {
	case m.phase == Joining:
		m.joining(e)
		return
	case m.phase != Looking && m.phase != LookingAgain:
		return
	case m.settings == nil || m.plan.stale:
		m.orderBack(m.now.Mono)
		m.finish()
		return
	}
	if m.phase == Looking && !m.resolved(e) || !m.read(e) {
		if m.plan.Beside {
			m.restCandidate(when.RetryMin, when.RetryMax, 0)
		}
		m.finish()
		return
	}
	m.plan.alone = e.Store == step.Missing || e.Store == step.Damaged || e.Store == step.None && e.Stored.Of(m.plan.Fingerprint()) == record.Unknown
	m.loaded = true
	if m.phase == Looking {
		m.recheck(e.Taken, e.Unknown)
	}
	if o := m.plan.order; o != nil && o.Revoke {
		m.planRevocation()
		return
	}
	if m.phase == LookingAgain && e.Taken != nil {
		m.deny(e.Taken)
		return
	}
	m.proceed()
}

// resolved takes over what the settings resolve to, or says why they do not.
func (m *machine) resolved(e step.Looked) bool {
	switch e.Config {
	case step.None:
		m.plan.seed, m.plan.fault, m.plan.outdated, m.plan.proof = e.Inputs.Seed, e.Inputs.SeedFault, e.Inputs.Outdated, e.Inputs.Proof
		if d := m.rarely().denied.token; d != 0 && d != record.FingerprintOf(e.Inputs.Seed) {
			m.seldom().denied = denial{} // it was taken back
		}
		m.binding, m.credits, m.revokes = e.Inputs.Binding, e.Inputs.Credentials, e.Inputs.Revocable
		if m.unbound {
			m.unbound, m.seen = false, sighting{}
			m.restore() // whatever becomes of the store
		}
		return true
	case step.NotYet:
		m.fail(finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseNotYet, Facts: e.Facts, Local: true}, 0)
	default:
		m.blocked(finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseUnresolved, Facts: e.Facts})
	}
	return false
}

// read takes over what the store has. It reports whether one can go on.
func (m *machine) read(e step.Looked) bool {
	switch e.Store {
	case step.None:
		if m.carriedOff(e.Stored) {
			return false
		}
		m.adopt(e.Stored)
		return true
	case step.Missing: // a record that was there before is not forgotten because its file went
		m.adopt(new(record.Record))
		return true
	default: // it cannot be read
	}
	holds := m.loaded && m.record.Lives(m.binding.Grant)
	switch {
	case !m.settings.Rotating: // a cache that cannot be read is an empty one
		m.adopt(new(record.Record))
		return true
	case e.Store == step.Damaged && holds: // it was ours, and what was in it is in memory
		m.damaged(e.Facts)
		if m.unsaved { // it could not be written over
			return true
		}
		m.owe()
		return false
	case m.unsaved:
		return true // what we hold is newer than what cannot be read
	case e.Store == step.Damaged, e.Store == step.Unreadable:
		t := finding.Trouble{Condition: finding.Misconfiguration, Cause: finding.CauseRecord, Facts: e.Facts}
		if holds {
			t.Case = finding.CaseKnown
		}
		m.blocked(t)
	default:
		t := finding.StoreTrouble(e.Facts)
		t.Local = true
		m.fail(t, 0)
	}
	return false
}

// adopt joins what the store has with what is in memory, and publishes an access
// token that is newer than the present one. It is owed to the store what that has
// lost.
func (m *machine) adopt(stored *record.Record) {
	m.join(stored)
	if m.settings.Rotating && m.loaded && !record.Holds(stored, m.record) {
		m.owe()
	}
	m.restore()
}

// join is the one rule for two versions of the record, whoever wrote them.
func (m *machine) join(stored *record.Record) {
	told := m.aside == step.Foreign
	m.tag, m.aside = stored.Revision, step.None
	if m.loaded && stored.WriteID != "" && stored.WriteID == m.record.WriteID {
		return // our own write
	}
	if m.loaded && record.Foreign(m.record, stored, m.binding.Grant) {
		m.aside = step.Foreign
		if !m.unsaved { // whoever put it there may do so again
			m.owe()
			r := m.seldom()
			r.contest.Next(m.now, when.RetryMin, when.SlowRetryMax)
			r.saving.NotBefore = r.contest.NotBefore
		}
		if !told {
			m.tell(finding.Troubled, choice.Usurped(m.now.Wall))
		}
		return
	}
	ours, left := m.record, record.Record{Attempts: m.rarely().left}
	m.record = record.Merge(ours, stored)
	for _, a := range m.record.Attempts {
		// A journal of ours that was written although the store did not say so.
		if strings.HasPrefix(a.ID, m.writer()) && !ours.Made(a.ID) && !left.Made(a.ID) {
			m.record = m.record.Settle(a.Number)
		}
	}
}

// Usurped returns the trouble that another grant is in the place of the record, and ours only in
// memory. ok is false if it is not.
func (s *State) Usurped() (t finding.Trouble, ok bool) {
	return choice.Usurped(0), s.unsaved && s.aside == step.Foreign
}

// owe notes that memory has what the store has not.
func (m *machine) owe() {
	if !m.unsaved {
		m.unsaved, m.again = true, true
		m.seldom().saving.RetryNow()
	}
}

// clockTolerance is how far in the future a record may seem to be written
// before its access token is not trusted: the clock was set back since, and
// nobody knows how much of its lifetime is left.
const clockTolerance = time.Minute

// restore publishes the record's access token, if it is newer than the one that is
// published and may be injected now.
func (m *machine) restore() {
	t := m.access()
	if t == nil {
		if m.live != nil && m.revoked() {
			m.schedule.AtOnce()
		}
		m.live = nil // its grant was ended, or it is not what is asked for now
		return
	}
	if m.contested(t) {
		return
	}
	if m.live != nil && (t.Number <= m.live.Token.Number || t.AccessToken == m.live.Token.AccessToken) {
		return
	}
	sight := sighting{t.Number, t.Request}
	if sight == m.seen {
		return
	}
	m.seen = sight
	if !m.sendable(t) || t.ObtainedAt.After(m.now.Time().Add(clockTolerance)) || when.Wall(t.ExpiresAt) <= m.now.Wall {
		return
	}
	m.publish(t, when.FromWall(t.ExpiresAt, m.now))
	lifetime := t.ExpiresAt.Sub(t.ObtainedAt)
	m.schedule.Succeed(m.live.Expires.Add(-lifetime), lifetime, m.settings.RefreshWindowRatio, m.settings.MinRefreshInterval, m.now)
	m.schedule.NotBefore = 0
	m.beforeGrantEnds()
	m.trouble = finding.Trouble{}
	m.tell(finding.TokenRestored, finding.Trouble{})
}

// access returns the record's access token for what is asked for now, of the
// authorization server and client that are configured now: another one's may be for
// another service.
func (m *machine) access() *record.AccessToken {
	t := m.record.Access(m.binding.Request)
	if m.unbound || t == nil || t.Grant != 0 && t.Grant != m.binding.Grant {
		return nil
	}
	return t
}

// contested reports whether another holder of the record obtained a token for other
// settings, and thereby ended this one. Each would undo what the other does.
func (m *machine) contested(t *record.AccessToken) bool {
	newest := m.record.Newest()
	if !m.settings.Drain || newest == nil || newest.Number <= t.Number || newest.Lineage != t.Lineage {
		return false
	}
	if m.live == nil {
		return true
	}
	m.live = nil
	r := m.seldom()
	r.contest.Next(m.now, when.RetryMin, when.SlowRetryMax)
	m.schedule.AtOnce()
	m.schedule.NotBefore = r.contest.NotBefore
	m.trouble = finding.Trouble{Condition: finding.Backoff, Cause: finding.CauseContested, At: m.now.Wall}
	m.tell(finding.Troubled, m.trouble)
	return true
}

// revoked reports whether the grant was ended on purpose.
func (m *machine) revoked() bool {
	l := m.record.Grant(m.binding.Grant)
	return l != nil && l.Ended()
}

// publish makes a token the one that is injected, with a generation of its own.
func (m *machine) publish(t *record.AccessToken, expires when.Instant) {
	l := &Live{Token: t, Generation: m.record.Generation, Expires: expires}
	if before := m.live; before != nil && before.Token.AccessToken != t.AccessToken {
		l.Generation = max(l.Generation, before.Generation+1)
	}
	m.live = l
}
