package grant

import (
	"time"

	"lamplighter/module/internal/grant/rival"
	"lamplighter/module/internal/grant/when"
)

// forced bounds refreshes that upstreams ask for by answering 401: one per
// generation, none for a generation that was obtained that way until some
// upstream has accepted it, and ever longer pauses between them where one
// upstream accepts what another, or another of its paths, always refuses.
type forced struct {
	asked       uint64 // newest generation a refresh was forced for
	obtained    uint64 // newest generation that a forced refresh of ours brought
	unconfirmed uint64 // generation that was obtained by force and that nobody accepted yet
	waits       bool   // somebody waits for that
	look        int64  // from when on a 401 that forces nothing may bring about a look at the record; monotonic
}

// underWay reports whether a token request is made, or about to be, that no 401
// brought about.
func (m *machine) underWay() bool {
	return m.Refreshing() || m.inLine || m.called || m.phase != Idle && m.schedule.Wanted(m.now)
}

// unauthorized acts on the 401 that an upstream answered to a token.
func (m *machine) unauthorized(generation uint64) {
	switch {
	case m.live != nil && m.live.Generation > generation:
	case m.underWay() && m.forced.asked != generation: // its token died under way
	case m.settings == nil:
	case m.forced.asked == generation, m.forced.unconfirmed == generation:
		if m.settings.Lease > 0 {
			m.glance()
		}
	case m.trouble.Blocking() && !m.trouble.Beside:
	case m.now.Mono < m.rarely().forced.NotBefore || !m.soon():
		m.glance()
	default: // which looks before anything else
		m.forced.asked = generation
		m.forced.look = m.now.Mono + int64(rival.LookPause)
		m.putOff = m.now.Mono < m.schedule.NotBefore
		m.schedule.AtOnce()
		m.again = true
	}
}

// glance looks at the record, not too often: another holder may have rotated. Where
// replicas do, whoever comes too early waits for the next look.
func (m *machine) glance() {
	switch {
	case m.now.Mono >= m.forced.look:
		m.forced.look = m.now.Mono + int64(rival.LookPause)
		m.again = true
	case m.settings.Lease > 0 && (!m.unsaved || m.urgent()): // else it is not looked at before that is written
		m.forced.waits = true
	}
}

// glanced notes a look that somebody waits for.
func (m *machine) glanced() {
	if m.forced.waits {
		m.forced.waits, m.forced.look = false, m.now.Mono+int64(rival.LookPause)
	}
}

// soon reports whether a request may be made, or may be in a moment: whoever got a 401
// waits for the end of the least interval, and not for that of a backoff.
func (m *machine) soon() bool {
	wait := time.Duration(m.schedule.NotBefore - m.now.Mono)
	return wait <= 0 || wait <= when.RetryMin && m.schedule.Failures == 0
}

// renewed notes what a token request of ours brought. One that another holder of
// the record made does not count, whoever asked for it.
func (m *machine) renewed(same bool) {
	f, generation := &m.forced, m.record.Generation
	if m.live != nil {
		generation = m.live.Generation
	}
	switch {
	case f.asked == 0:
		return
	case !same && f.asked+1 == generation:
		f.unconfirmed, f.obtained = generation, generation
	case same && f.asked == generation:
	default:
		return
	}
	m.seldom().forced.Next(m.now, max(when.RetryMin, m.plan.settings.MinRefreshInterval), when.SlowRetryMax)
}
