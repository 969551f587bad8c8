package grant

import (
	"cmp"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/choice"
	"lamplighter/module/internal/grant/kept"
	"lamplighter/module/internal/grant/refusal"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
)

// answered acts on an answer. Whatever else it says, a new refresh token in it is
// kept first.
func (m *machine) answered(a *step.Answer) {
	if m.phase == Connecting { // nothing was sent
		m.plan.answer = a
		m.giveTurn()
		if m.settings != nil && !m.plan.calledOff {
			m.failed(a)
		}
		m.keepImport()
		return
	}
	if m.phase != Asking {
		return
	}
	p := m.plan
	p.answer = a
	m.giveTurn() // before the answer is written
	rotating := p.settings.Rotating
	if !rotating {
		p.number = m.record.Number + 1
	}
	p.rotated = rotating && a.RefreshToken != "" && a.RefreshToken != p.RefreshToken
	switch {
	case a.Outcome == step.Granted || p.rotated:
		m.keep(a)
	case a.Outcome == step.RefusedGrant && p.takeover && !p.Beside && !p.Revived:
		m.doubtful(a)
	case a.Outcome == step.RefusedGrant && p.RefreshToken != "":
		m.refuse(a)
	case a.Settles() && rotating:
		m.failed(a)
		m.rest(a)
		m.settle()
	default:
		// A success without a token, or a 5xx of a server or gateway, may have
		// consumed the token all the same: the attempt stays open.
		m.failed(a)
		if m.rest(a) {
			p.write = note
			m.save()
			return
		}
		m.finish()
	}
}

// keepImport keeps a refresh token that was supplied by hand although it could not be
// presented: whoever obtained it has no other. It is tried again, which the order's answer says.
func (m *machine) keepImport() {
	p := m.plan
	if !p.Imported || m.record.Of(p.Fingerprint()) != record.Unknown {
		m.finish()
		return
	}
	m.record = m.record.Supply(m.record.Number+1, p.Presented)
	p.write = note
	m.save()
}

// keep writes what an answer brought, and publishes it: a grant that rotates after
// its new refresh token was written, or could not be; any other before, for its
// record is only a cache.
func (m *machine) keep(a *step.Answer) {
	p := m.plan
	p.sent = p.sent.SeenFrom(m.now)
	sent := time.Unix(0, p.sent.Wall).UTC()
	attempt := kept.Attempt{
		Choice: p.Choice, Settings: p.settings, Number: p.number, Seed: p.seed, Sent: sent, Ends: m.endOf(a, sent), Rotated: p.rotated,
	}
	rec, same := attempt.Record(m.record, a, m.record.Access(m.binding.Request), m.now.Time())
	p.same = same
	m.record, p.write = rec, keep
	if p.settings.Rotating {
		m.unsaved = true
	} else {
		m.present()
	}
	m.save()
}

// present publishes what an answer brought, and plans what follows.
func (m *machine) present() {
	p, a := m.plan, m.plan.answer
	if !a.Usable() {
		m.schedule.AtOnce() // an access token is still to be had
		m.failed(a)
		if m.access() == nil {
			m.live = nil
		}
		return
	}
	t := m.access()
	expires := p.sent.Add(a.ExpiresIn)
	lifetime := a.ExpiresIn
	if t != nil && m.live != nil && p.same && t.ExpiresAt.Equal(m.live.Token.ExpiresAt) {
		expires, lifetime = m.live.Expires, time.Duration(m.live.Expires.Mono-p.sent.Mono)
	}
	switch {
	case t == nil, !m.sendable(t):
		m.live = nil
	default:
		m.publish(t, expires)
	}
	set := p.settings
	m.schedule.Succeed(p.sent, lifetime, set.RefreshWindowRatio, set.MinRefreshInterval, m.now)
	if set.Rotating {
		m.beforeGrantEnds()
	}
	m.trouble, m.accepted = finding.Trouble{}, m.credits
	m.renewed(p.same)
	m.tell(finding.TokenObtained, finding.Trouble{})
	if p.rotated {
		m.tell(finding.RefreshTokenRotated, finding.Trouble{})
	}
	m.complain(a)
}

// complain tells what is odd about an answer that was kept.
func (m *machine) complain(a *step.Answer) {
	if m.plan.settings.RequireRotation && !m.plan.rotated {
		m.tell(finding.RotationMissing, finding.Trouble{Cause: finding.CauseRotationMissing})
	}
	if a.ExpiresDefaulted != "" {
		m.tell(finding.LifetimeMissing, finding.Trouble{Facts: &finding.Facts{Detail: a.ExpiresDefaulted}})
	}
	for _, remark := range a.Remarks {
		m.tell(finding.AnswerRemarked, finding.Trouble{Facts: remark})
	}
}

// failed records what an answer says that brought no access token.
func (m *machine) failed(a *step.Answer) {
	p := m.plan
	t := finding.Trouble{Condition: finding.Backoff, Cause: a.Cause, Facts: a.Facts}
	if a.Outcome == step.Misconfigured || a.Outcome == step.RefusedGrant {
		t.Condition = finding.Misconfiguration
	}
	switch {
	case a.Outcome == step.Granted:
		t = m.odd(a)
	case p.Beside && !p.rotated:
		m.failedBeside(t, a)
		return
	case t.Condition == finding.Misconfiguration:
		t.Facts = refusal.Suspect(a, p.RefreshToken, m.record.Newest(), m.record.Current(m.binding.Grant), m.accepted != 0 && m.accepted == m.credits)
	}
	m.fail(t, a.RetryAfter)
}

// odd is what is wrong with an access token that cannot be injected. Where these settings have
// brought one before, it may be better the next time, like an answer without one.
func (m *machine) odd(a *step.Answer) finding.Trouble {
	t := finding.Trouble{Condition: finding.Misconfiguration, Cause: cmp.Or(a.Cause, finding.CauseUnusable), Facts: cmp.Or(a.Facts, &finding.Facts{Detail: a.Access.Unusable})}
	if m.live != nil || m.accepted != 0 && m.accepted == m.credits {
		t.Condition = finding.Backoff
	}
	return t
}

// failedBeside records that a candidate could not be tried beside a grant that
// lives.
func (m *machine) failedBeside(t finding.Trouble, a *step.Answer) {
	p, r := m.plan, m.seldom()
	lo, hi := m.pauses(t)
	if t.Condition == finding.Misconfiguration && p.Imported { // whoever made it has the answer, and may make it again
		m.record = m.record.Withdraw(max(p.number, m.record.Number), p.Presented)
	}
	m.restCandidate(lo, hi, a.RetryAfter)
	m.schedule.RetryAfter = r.trial.RetryAfter // it is the same server
	facts := finding.Facts{}
	if a.Facts != nil {
		facts = *a.Facts
	}
	facts.Imported = p.Imported
	t.Case, t.Facts, t.At, t.Beside = finding.CaseBeside, &facts, m.now.Wall, true
	m.trouble = t
	m.tell(finding.TokenRefreshFailed, t)
}

// restCandidate leaves the candidate alone for a while, in which the grant beside it is
// refreshed.
func (m *machine) restCandidate(lo, hi, retryAfter time.Duration) {
	r := m.seldom()
	if f := m.plan.Fingerprint(); r.trial.token != f {
		r.trial = trial{token: f}
	}
	r.trial.Fail(m.now, lo, hi, retryAfter)
}

// refuse notes that the server refused a refresh token: of a candidate beside a
// grant that lives, and of a token beside which there is a spare, that is all.
func (m *machine) refuse(a *step.Answer) {
	m.judge(a)
	m.save()
}

// judge has a refusal in the record, to be written.
func (m *machine) judge(a *step.Answer) {
	p := m.plan
	f := p.Fingerprint()
	var loss *record.Loss
	if !p.Beside && !p.Revived {
		loss = refusal.Loss(a, &p.Choice, m.record.Open(f), m.record.Grant(m.binding.Grant), m.pastEnd(), m.now.Time())
	}
	m.record = m.record.Refuse(p.number, p.Presented, !p.Beside, loss)
	if loss != nil && loss.Cause == finding.CauseResponseLost && p.settings != nil && p.settings.Drain {
		m.died(m.record.LineageOf(f))
	}
	p.write = verdict
}

// died takes away the access token of a grant, which an answer that was lost had replaced.
func (m *machine) died(lineage record.Fingerprint) {
	t := m.access()
	if t == nil || t.Lineage != lineage {
		return
	}
	m.live = nil
	m.record = m.record.Obtain(record.AccessToken{Request: t.Request, Grant: t.Grant, Lineage: lineage, Number: m.plan.number})
}

// judged goes on after a refusal was noted.
func (m *machine) judged() {
	p := m.plan
	switch {
	case p.Beside:
		p.refused = finding.Trouble{
			Condition: finding.Misconfiguration, Cause: finding.CauseSeedUsed, Case: finding.CaseBeside, At: m.now.Wall,
			Facts: &finding.Facts{Imported: p.Imported, Detail: p.answer.Detail()},
		}
		p.judged = true
		m.again = true
		m.tell(finding.SeedRefused, p.refused)
	case m.settings != nil && m.settings.Rotating && m.record.Lives(m.binding.Grant):
		m.again = true // with a spare, or with what another holder obtained
		m.schedule.AtOnce()
	case m.settings != nil:
		m.over()
	}
	m.finish()
}

// over goes on after the refusal of a refresh token beside which there is none that
// could be presented.
func (m *machine) over() {
	p := m.plan
	of := m.record.Lineage(m.record.LineageOf(p.Fingerprint()))
	p.refused = choice.Lost(of)
	if lost := m.record.Lost(m.binding.Grant); m.settings.Rotating && lost != nil && lost != of {
		p.judged = true
		m.tell(finding.SeedRefused, p.refused)
		of = lost
	}
	m.blocked(choice.Lost(of))
}
