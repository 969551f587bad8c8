package grant

import (
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/rival"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// save writes the record, for the plan's purpose.
func (m *machine) save() {
	rec := *m.record
	rec.WriteID = m.writeID()
	m.plan.writing, m.plan.into = &rec, nil
	m.await(Saving, step.Save{Record: &rec, IfRevision: m.tag, SetAside: m.aside})
}

// settle notes that the request consumed nothing.
func (m *machine) settle() {
	m.record = m.record.Settle(m.plan.number)
	m.plan.write = note
	m.save()
}

// handOver writes what is owed into the record that the grant was carried over to: the
// answer came when that was under way, or its holder was cut off from the store.
func (m *machine) handOver(to *record.Moved) {
	p := m.plan
	p.into, p.writing, p.write = to, new(record.Record), keep
	m.await(Saving, step.Save{Record: m.record, Into: to})
}

// maxTries is how often a write that conflicts is begun anew at once.
const maxTries = 4

// saved goes on after a write. What only we have is owed: after a conflict, or where the
// stored record is damaged and written over, it is joined and written again at once; after any
// other failure, as when nobody knows whether the write happened, later. A note is given up then.
func (m *machine) saved(e step.Saved) {
	p := m.plan
	if p.write == journal {
		m.journaled(e)
		return
	}
	switch {
	case e.Fault == step.None:
		m.written()
	case (e.Fault == step.Conflict || e.Fault == step.Damaged) && p.tries < maxTries:
		p.tries++
		m.await(Joining, step.Look{})
	default:
		m.notWritten(e.Facts)
	}
}

// wrote takes over a record that was written.
func (m *machine) wrote() {
	if m.unsaved && m.plan.answer == nil && !m.plan.revoked || m.cacheFailed {
		m.tell(finding.StoreRecovered, finding.Trouble{Cause: finding.CauseStore})
	}
	m.record = m.plan.writing
	if m.plan.into == nil {
		m.tag++
	}
	m.unsaved, m.aside, m.cacheFailed = false, step.None, false
	if m.rare != nil {
		m.seldom().saving.RetryNow()
	}
}

// written goes on after a write.
func (m *machine) written() {
	m.wrote()
	m.after()
}

// after ends the attempt whose outcome was written, or could not be.
func (m *machine) after() {
	p := m.plan
	switch {
	case p.into != nil: // it is another client's by now
	case p.write == verdict:
		m.judged()
		return
	case p.revoked:
		m.ended()
	case p.write == keep && p.answer != nil && p.settings.Rotating:
		m.present()
	}
	m.finish()
}

// notWritten keeps what the store refused in memory, if only we have it.
func (m *machine) notWritten(facts *finding.Facts) {
	p := m.plan
	switch {
	case p.write != keep && p.write != verdict:
	case p.settings != nil && !p.settings.Rotating:
		// Only a cache: the token is used, and the next answer tries again.
		if !m.cacheFailed {
			m.tell(finding.StoreFailed, finding.Trouble{Cause: finding.CauseStore, Case: "cache", Facts: facts})
		}
		m.cacheFailed = true
	default:
		m.unsaved = true
		r := m.seldom()
		if p.answer != nil || p.revoked { // it was not owed before
			r.saving.RetryNow()
			m.tell(finding.StoreFailed, finding.Trouble{Cause: finding.CauseStore, Case: "unsaved", Facts: facts})
		}
		r.saving.Fail(m.now, when.RetryMin, m.saveRetryMax(), 0)
		if m.settings == nil {
			r.saving.NotBefore = m.now.Mono + int64(when.LastChancePause)
		}
	}
	m.after()
}

// saveRetryMax bounds the pause between attempts to write what is owed. Where a lease
// ends while its holder lives, others present what the store has, soon.
func (m *machine) saveRetryMax() time.Duration {
	if m.settings != nil && m.settings.Lease > 0 {
		return when.RetryMin
	}
	return when.LookMax
}

// damaged notes that what is stored is to be written over, and tells of it once.
func (m *machine) damaged(facts *finding.Facts) {
	if m.aside != step.Damaged {
		m.tell(finding.StoreFailed, finding.Trouble{Cause: finding.CauseRecord, Case: "damaged", Facts: facts})
	}
	m.aside = step.Damaged
}

// joining reads, joins, and writes.
func (m *machine) joining(e step.Looked) {
	p := m.plan
	switch e.Store {
	case step.None:
		if m.carriedOff(e.Stored) {
			if m.unsaved {
				m.handOver(e.Stored.Moved)
				return
			}
			m.finish()
			return
		}
		m.join(e.Stored)
		if p.write != keep && p.write != noWrite && record.Equal(m.record, e.Stored) {
			m.after()
			return
		}
	case step.Missing:
		m.tag = 0
	case step.Damaged:
		if !m.loaded {
			m.notWritten(e.Facts)
			return
		}
		m.damaged(e.Facts)
	default:
		m.notWritten(e.Facts)
		return
	}
	if p.write == noWrite { // a doubt is over
		m.seldom().doubt = rival.Doubt{}
		m.judge(p.answer)
	}
	m.save()
}
