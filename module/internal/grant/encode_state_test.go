package grant

import (
	"reflect"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/choice"
	"lamplighter/module/internal/grant/ending"
	"lamplighter/module/internal/grant/orders"
	"lamplighter/module/internal/grant/rival"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

func (e *encoder) state(s *State) {
	e.flags(s.settings != nil, s.inLine, s.called, s.leased, s.again, s.known, s.unbound, s.loaded, s.unsaved,
		s.givenUp, s.cacheFailed, s.plan != nil, s.live != nil, s.accepted != 0, s.revokes, s.putOff)
	e.byte(byte(s.phase), byte(s.aside), byte(s.binding.Grant), byte(s.binding.Request))
	if s.holdsLease != 0 && s.settings != nil {
		e.moment(s.holdsLease + int64(s.settings.Timeout+when.LeaseGrace))
	}
	e.rank(revisions, int64(s.tag))
	e.record(s.record, true)
	if t := s.record.Access(s.seen.request); t != nil && t.Number == s.seen.number {
		e.byte(1)
	} else {
		e.byte(0)
	}
	newest := s.record.Generation
	if l := s.live; l != nil {
		newest = max(newest, l.Generation)
		e.rank(generations, int64(l.Generation))
		e.rank(numbers, int64(l.Token.Number))
		e.text(l.Token.AccessToken)
		e.moment(l.Expires.Mono)
		e.moment(l.urgent().Mono)
		e.moment(expiry(l.Token.AccessToken))
		e.byte(byte(l.Token.Request))
	}
	for _, g := range []uint64{s.forced.asked, s.forced.obtained, s.forced.unconfirmed} {
		e.byte(byte(min(newest-g, 3)))
	}
	e.moment(s.forced.look)
	e.flags(s.forced.waits)
	e.schedule(&s.schedule)
	e.trouble(&s.trouble)
	r := s.rarely()
	e.name(uint64(r.trial.token))
	e.name(uint64(r.denied.token))
	e.text(r.rival.ID)
	e.flags(r.rival.Fresh && s.settings != nil && s.settings.Drain)
	for _, at := range []int64{r.rival.Until, r.rival.Look, r.rival.Probe, r.doubt.Until, s.schedule.Yields} {
		e.moment(at)
	}
	e.name(uint64(r.doubt.Token))
	e.rank(numbers, int64(r.doubt.Number))
	e.rank(numbers, int64(r.rested))
	e.backoff(&r.trial.Backoff)
	e.backoff(&r.saving)
	e.backoff(&r.forced.Backoff)
	e.moment(r.forced.Quiet)
	e.backoff(&r.contest.Backoff)
	e.moment(r.contest.Quiet)
	e.moment(r.orders.NotBefore)
	if r.warned != 0 {
		e.moment(r.warned + int64(ending.Again))
	}
	for i := range r.left {
		e.name(uint64(r.left[i].Fingerprint))
	}
	for i := range r.orders.Waiting {
		e.order(&r.orders.Waiting[i], newest)
	}
	if s.plan != nil {
		e.plan(s.plan, newest)
	}
}

func (e *encoder) schedule(s *when.Schedule) {
	e.flags(s.Planned, s.Pressing, s.Idle)
	if s.Planned {
		e.moment(s.Refresh.Mono)
	}
	e.backoff(&s.Backoff)
}

// backoff writes that attempts failed once, or more often.
func (e *encoder) backoff(b *when.Backoff) {
	e.moment(b.NotBefore)
	e.moment(b.RetryAfter)
	e.byte(min(b.Failures, 2))
}

func (e *encoder) trouble(t *finding.Trouble) {
	e.byte(byte(t.Condition))
	e.flags(t.Beside, t.Local)
	e.word(t.Cause)
	e.word(t.Case)
}

func (e *encoder) order(o *orders.Order, newest uint64) {
	e.flags(true, o.Revoke, o.Force, o.Revive, o.Counted, o.Told, o.Gone, newest > o.Generation, o.Again, o.Login)
	e.token(o.Import)
	e.name(uint64(o.Key.ID))
}

func (e *encoder) plan(p *plan, newest uint64) {
	e.token(p.RefreshToken)
	e.name(uint64(p.Fingerprint()))
	e.token(p.seed)
	e.token(p.connects)
	for _, key := range []record.Fingerprint{p.Key.ID, p.proves, p.proved.ID, p.proof.Key} {
		e.name(uint64(key))
	}
	e.flags(p.proof.Wanted, p.proof.Bound, len(p.proof.Algs) > 0)
	e.byte(byte(p.Binding.Grant), byte(p.Binding.Request))
	e.flags(p.Candidate, p.Imported, p.Overruled, p.settings != nil, p.ask, p.Beside, p.Resting, p.Revived, p.order != nil,
		p.connected, p.first, p.held, p.alone, p.same, p.rotated, p.told, p.fulfilled, p.revoked, p.judged, p.probes, p.takeover, p.writing != nil, p.answer != nil, p.calledOff, p.outdated != nil, p.into != nil, p.stale)
	if p.order != nil {
		e.order(p.order, newest)
	}
	e.rank(numbers, int64(p.number))
	if p.began != 0 {
		e.moment(p.began + int64(20*time.Second))
	}
	if p.sent.Mono != 0 {
		e.moment(p.sent.Mono + int64(tokenLife))
	}
	e.byte(byte(p.write), p.tries)
	if p.writing != nil {
		e.record(p.writing, false)
	}
	if p.answer != nil {
		e.answer(p.answer)
	}
	e.trouble(&p.refused)
}

// record writes a record. Of one that is being written, the revision is not set.
func (e *encoder) record(r *record.Record, revision bool) {
	if r == nil {
		e.byte(253)
		return
	}
	if revision {
		e.rank(revisions, int64(r.Revision))
	}
	e.text(r.WriteID)
	e.rank(numbers, int64(r.Number))
	e.rank(generations, int64(r.Generation))
	e.byte(byte(len(r.Lineages)), byte(len(r.Attempts)), byte(len(r.AccessTokens)), byte(len(r.Keys)))
	for i := range r.Keys {
		e.name(uint64(r.Keys[i].ID))
		e.rank(numbers, int64(r.Keys[i].Number))
	}
	e.flags(r.Moved != nil, r.Paused != nil)
	if p := r.Paused; p != nil {
		e.rank(numbers, int64(p.Number))
		e.byte(min(p.Failures, 2))
		e.flags(p.Cause == finding.CauseResponseLost)
		e.wall(p.Until)
		e.wall(p.RetryAfter)
	}
	for i := range r.Lineages {
		e.lineage(&r.Lineages[i])
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		e.name(uint64(a.Fingerprint))
		e.rank(numbers, int64(a.Number))
		e.flags(a.Settled, !a.Unanswered.IsZero())
	}
	for i := range r.AccessTokens {
		t := &r.AccessTokens[i]
		e.byte(byte(t.Request), byte(t.Grant))
		e.name(uint64(t.Lineage))
		e.rank(numbers, int64(t.Number))
		e.name(uint64(t.Key))
		e.text(t.AccessToken)
		e.wall(t.ExpiresAt)
	}
}

func (e *encoder) wall(t time.Time) {
	if t.IsZero() {
		e.byte(0)
		return
	}
	e.moment(max(1, t.UnixNano()-epoch))
}

func (e *encoder) lineage(l *record.Lineage) {
	e.name(uint64(l.ID))
	e.byte(byte(l.Binding), byte(len(l.Tokens)))
	e.rank(numbers, int64(l.Since))
	e.rank(numbers, int64(l.Revoked))
	for i := range l.Tokens {
		t := &l.Tokens[i]
		e.name(uint64(t.Fingerprint))
		e.token(t.RefreshToken)
		e.rank(numbers, int64(t.Number))
		e.name(uint64(t.Key))
		e.word(string(t.Said))
		e.flags(t.Imported, t.Overruled, t.RefreshToken != "", t.Unmoved())
		e.wall(t.ExpiresAt)
	}
	if l.Loss != nil {
		e.rank(numbers, int64(l.Loss.Number))
		e.word(l.Loss.Cause)
	}
	e.flags(l.Loss != nil)
}

// A state has what the encoder knows of: a new member is to be written too, or
// states that differ are taken for one.
func TestTheEncoderKnowsEveryMember(t *testing.T) {
	for _, known := range []struct {
		of      any
		members int
	}{
		{State{}, 31},
		{plan{}, 34},
		{choice.Choice{}, 4},
		{rare{}, 11},
		{denial{}, 2},
		{rival.Rival{}, 5},
		{rival.Doubt{}, 5},
		{when.Schedule{}, 6},
		{when.Backoff{}, 3},
		{when.Pauses{}, 2},
		{forced{}, 5},
		{trial{}, 2},
		{orders.Queue{}, 2},
		{orders.Order{}, 6},
		{step.Order{}, 7},
		{record.Presented{}, 7},
		{Live{}, 3},
		{finding.Trouble{}, 7},
		{step.Answer{}, 11},
		{record.Record{}, 14},
		{record.Lineage{}, 8},
		{record.Token{}, 11},
		{record.Attempt{}, 7},
		{record.AccessToken{}, 13},
		{record.Loss{}, 9},
		{record.Pause{}, 5},
	} {
		if typ := reflect.TypeOf(known.of); typ.NumField() != known.members {
			t.Errorf("%v has %d members, and the encoder knows of %d", typ, typ.NumField(), known.members)
		}
	}
}
