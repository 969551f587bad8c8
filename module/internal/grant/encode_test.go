package grant

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"

	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
)

// encoder writes the canonical form of a world: names by first appearance, numbers
// by order, moments that are over as over and those to come by order.
type encoder struct {
	b     []byte
	now   int64
	names []uint64
	ranks [4][]int64
}

const (
	moments = iota
	numbers
	generations
	revisions
)

var seed = maphash.MakeSeed()

func (e *encoder) key(w *world) uint64 {
	e.b, e.names, e.now = e.b[:0], e.names[:0], w.now
	for k := range e.ranks {
		e.ranks[k] = e.ranks[k][:0]
	}
	e.world(w)
	for k := range e.ranks {
		e.writeRanks(k)
	}
	return maphash.Bytes(seed, e.b)
}

// rank writes where a value stands among all of its kind, later.
func (e *encoder) rank(kind int, n int64) { e.ranks[kind] = append(e.ranks[kind], n) }

func (e *encoder) writeRanks(kind int) {
	values := e.ranks[kind]
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	at := make([]byte, len(sorted))
	for i := 1; i < len(sorted); i++ {
		gap := byte(1)
		if kind != moments && sorted[i]-sorted[i-1] > 1 {
			gap = 2
		}
		at[i] = at[i-1] + gap
	}
	for _, n := range values {
		i, _ := slices.BinarySearch(sorted, n)
		e.b = append(e.b, at[i])
	}
}

func (e *encoder) byte(b ...byte) { e.b = append(e.b, b...) }

func (e *encoder) flags(flags ...bool) {
	var n, bit byte = 0, 1
	for i, f := range flags {
		if f {
			n |= bit
		}
		if bit <<= 1; bit == 0 || i == len(flags)-1 {
			e.b = append(e.b, n)
			n, bit = 0, 1
		}
	}
}

func (e *encoder) name(n uint64) {
	if n == 0 {
		e.b = append(e.b, 0)
		return
	}
	i := slices.Index(e.names, n)
	if i < 0 {
		i = len(e.names)
		e.names = append(e.names, n)
	}
	e.b = append(e.b, byte(i+1))
}

func (e *encoder) token(s string) { e.name(uint64(record.FingerprintOf(s))) }

func (e *encoder) text(s string) {
	if s == "" {
		e.name(0)
		return
	}
	e.name(maphash.String(seed, s))
}

// word writes one of a few words.
func (e *encoder) word(s string) {
	e.b = append(e.b, byte(len(s)))
	if s != "" {
		e.b = append(e.b, s[0], s[len(s)-1])
	}
}

// moment writes a moment, monotonic.
func (e *encoder) moment(t int64) {
	switch {
	case t == 0:
		e.b = append(e.b, 0)
	case t <= e.now:
		e.b = append(e.b, 1)
	default:
		e.b = append(e.b, 2)
		e.rank(moments, t)
	}
}

func (e *encoder) world(w *world) {
	e.byte(byte(w.faults), byte(w.crashes), byte(w.orders))
	p := w.past
	e.flags(p.unheard, p.killed, p.revoked, p.rolledBack, p.overrun, p.elsewhere, p.nonsense, p.taken, p.moved, p.ended, p.waited, p.declined)
	e.byte(byte(p.imported))
	e.byte(byte(w.claims[0]), byte(w.claims[1]))
	e.flags(w.ledger[0], w.ledger[1])
	for i := range w.server.families {
		l := &w.server.families[i]
		e.flags(l.there, l.dead, l.grace, l.ends != 0, l.since != 0, l.since > w.server.families[1-i].since)
		if l.there {
			e.byte(byte(l.binding))
			e.token(l.current)
			if l.grace || w.rules == family {
				e.token(l.previous)
			}
			e.token(l.other)
			e.moment(l.ends)
		}
	}
	for _, r := range w.net {
		e.request(r)
	}
	e.flags(w.store.damaged, w.store.lease == ghost, w.store.lease == stranger)
	if w.settings.Lease > 0 && w.store.lease != 0 {
		e.moment(w.store.until)
	}
	e.record(w.store.rec, true)
	if w.past.moved {
		e.record(w.store.home, false)
	}
	if w.faults > 0 {
		e.record(w.store.old, true)
	}
	order := [3]int{0, 1, 2}
	rank := func(i int) uint64 { return roughly(w, i) }
	slices.SortFunc(order[:w.holders], func(a, b int) int { return cmp.Compare(rank(a), rank(b)) })
	for _, i := range order[:w.holders] {
		e.holder(w, i)
	}
	for _, t := range w.safe {
		if w.server.honours(t, w.now) {
			e.token(t)
		}
	}
	e.byte(255)
	e.marks(w.store.rec)
	for _, i := range order[:w.holders] {
		h := &w.h[i]
		if h.state == nil {
			continue
		}
		e.marks(h.state.record)
		if p := h.state.plan; p != nil && p.writing != nil {
			e.marks(p.writing)
		}
		var known uint64
		for _, t := range h.dead {
			token, elsewhere := strings.CutSuffix(t, "@")
			if at := slices.Index(e.names, uint64(record.FingerprintOf(token))); at >= 0 {
				known |= 1 << at
				e.flags(elsewhere)
			}
		}
		e.bits(known)
	}
}

// roughly orders holders, which are interchangeable.
func roughly(w *world, i int) uint64 {
	h := &w.h[i]
	n := uint64(h.binding)<<1 | uint64(h.request)<<2
	if w.store.lease == int8(i+1) {
		n |= 8
	}
	if s := h.state; s != nil {
		n |= 16 | uint64(s.phase)<<8 | uint64(s.trouble.Condition)<<16
		for bit, f := range []bool{s.unsaved, s.inLine, s.called, s.again, s.loaded, s.leased, h.answer != nil, s.live != nil, s.tag == w.revision()} {
			if f {
				n |= 1 << (24 + bit)
			}
		}
	}
	return n
}

func (e *encoder) bits(n uint64) {
	for range 8 {
		e.b = append(e.b, byte(n))
		n >>= 8
	}
}

// marks writes which of the tokens that are still about a record has as consumed.
func (e *encoder) marks(r *record.Record) {
	if r == nil {
		return
	}
	var known uint64
	for i := range r.Lineages {
		for _, m := range r.Lineages[i].Consumed {
			if at := slices.Index(e.names, uint64(m.Token())); at >= 0 {
				known |= 1 << at
			}
		}
	}
	e.bits(known)
}

func (e *encoder) request(r request) {
	e.token(r.token)
	e.byte(byte(r.binding))
	e.flags(r.calledOff, r.written)
}

func (e *encoder) holder(w *world, i int) {
	h := &w.h[i]
	e.flags(h.state != nil, h.line, h.turn, h.answer != nil, h.refresh, w.store.lease == int8(i+1), h.cut, h.unread, h.refused, h.without, h.brings != 0)
	e.moment(h.doubts)
	e.byte(byte(h.binding), byte(h.request), byte(len(h.orders)))
	if h.state == nil {
		return
	}
	if h.under != nil {
		e.request(h.conn)
		e.byte(byte(h.resolved))
		e.token(h.journal)
		e.token(h.claimed)
		if c, ok := h.under.(step.Look); ok {
			e.flags(c.Config, c.Taken != 0)
			e.byte(byte(h.begun[0]), byte(h.begun[1]))
		}
		if s, ok := h.under.(step.Save); ok {
			e.byte(byte(s.SetAside))
			e.flags(s.Journal, s.Into != nil)
			e.rank(revisions, int64(s.IfRevision))
		}
	}
	if h.answer != nil {
		e.answer(h.answer)
	}
	e.token(h.owed)
	e.token(h.wished)
	for _, t := range h.heard {
		if w.server.honours(t, w.now) {
			e.token(t)
		}
	}
	e.byte(254)
	e.state(h.state)
	if r := w.store.rec; r != nil {
		for i := range r.Attempts {
			id := r.Attempts[i].ID
			e.flags(strings.HasPrefix(id, (&machine{State: *h.state}).writer()), h.state.record.Made(id))
		}
	}
}

func (e *encoder) answer(a *step.Answer) {
	e.byte(byte(a.Outcome), byte(a.Status>>1))
	e.token(a.RefreshToken)
	e.text(a.Access.AccessToken)
	if a.Access.AccessToken != "" {
		e.moment(expiry(a.Access.AccessToken))
	}
}
