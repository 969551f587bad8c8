package grant

import (
	"fmt"
	"slices"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// The invariants of the package. Each is judged by what happened in the world.

// holds reports whether a token is the current one of a grant, or a spare.
func holds(r *record.Record, token string) bool {
	if token == "" {
		return false
	}
	for i := range r.Lineages {
		l := &r.Lineages[i]
		if !slices.ContainsFunc(l.Tokens, func(t record.Token) bool { return t.Said == record.Held && t.RefreshToken == token }) {
			continue
		}
		newest := !slices.ContainsFunc(r.Lineages, func(o record.Lineage) bool { return o.Binding == l.Binding && o.Since > l.Since })
		return l.Since > 0 && l.Revoked == 0 && newest
	}
	return false
}

// as is the fingerprint that a record knows a token by: one that was given again has another.
func as(r *record.Record, token string) record.Fingerprint {
	for i := range r.Lineages {
		for _, t := range r.Lineages[i].Tokens {
			if t.RefreshToken == token {
				return t.Fingerprint
			}
		}
	}
	return record.FingerprintOf(token)
}

// listed reports whether a record lists a token as consumed, or as refused by the
// binding's server.
func listed(r *record.Record, f, binding record.Fingerprint) (consumed, refused bool) {
	for i := range r.Lineages {
		l := &r.Lineages[i]
		consumed = consumed || slices.ContainsFunc(l.Consumed, func(m record.Mark) bool { return m.Token() == f })
		refused = refused || l.Binding == binding && slices.ContainsFunc(l.Tokens, func(t record.Token) bool { return t.Fingerprint == f && t.Said == record.Refused })
	}
	return consumed, refused
}

// written judges that a request is to be written: what it has signed is good for one writing.
func (w *world) written(i int) {
	c := &w.h[i].conn
	if c.written && !c.calledOff {
		w.wrong(fmt.Sprintf("(j) holder %d writes a request with %s again, and its proof", i, c.token))
	}
	c.written = true
}

// sent judges a request at the moment when it is written.
func (w *world) sent(i int) {
	h := &w.h[i]
	token := h.conn.token
	if h.conn.calledOff || !w.settings.Rotating {
		w.sharedCache(i)
		return
	}
	// (a) What the server receives, an acknowledged journal names. But for what is
	// owed: the store has nothing but what that consumed.
	if h.journal != token && (h.owed != token && !w.behind(token) || !h.expiring(w)) {
		w.wrong(fmt.Sprintf("(a) holder %d sends %s without a journal", i, token))
	}
	if stored := w.store.rec; h.journal != token && stored != nil && !w.store.damaged && holds(stored, token) && stored.Open(as(stored, token)) == nil {
		w.wrong(fmt.Sprintf("(a) holder %d sends %s without a journal, and the store holds it", i, token))
	}
	// (b) Nobody presents what it knows to be consumed or refused.
	f := record.FingerprintOf(token)
	for _, r := range []*record.Record{h.state.record, h.base} {
		if r == nil {
			continue
		}
		if consumed, refused := listed(r, as(h.state.record, token), record.Fingerprint(h.conn.binding+1)); consumed || refused && !h.refresh {
			w.wrong(fmt.Sprintf("(b) holder %d presents %s, which a record lists", i, token))
		}
	}
	if slices.Contains(h.dead, h.conn.place()) && !h.refresh && h.wished != token {
		w.wrong(fmt.Sprintf("(b) holder %d presents %s, which an answer to it ended", i, token))
	}
	w.shared(i)
	// A seed that was there before does not displace what an operator supplied.
	if token == h.seed && h.conn.binding == w.past.imported-1 && !w.past.overrun && !w.past.rolledBack && !w.past.unheard {
		w.wrong(fmt.Sprintf("holder %d presents %s after an import was accepted", i, token))
	}
	// (o) Nobody presents what an operator was told has failed.
	if token == "B0" && w.past.declined && h.seed != token && !holds(h.state.record, token) {
		w.wrong(fmt.Sprintf("(o) holder %d presents %s, of which it was told that it failed", i, token))
	}
	// (i) Nobody presents a first token that the client has not claimed, unless the
	// record has it as the grant's.
	if slices.Contains(firstOf[:], f) && h.claimed != token && !h.refresh && !holds(h.state.record, token) && (h.base == nil || !holds(h.base, token)) {
		w.wrong(fmt.Sprintf("(i) holder %d sends %s without a claim", i, token))
	}
	// (f) One request a token that somebody waits for.
	for j := range w.h {
		o := &w.h[j]
		if _, ok := o.under.(step.Send); ok && j != i && o.conn.token == token && !w.past.overrun {
			w.wrong(fmt.Sprintf("(f) holders %d and %d present %s", j, i, token))
		}
	}
	if w.store.lease != int8(i+1) {
		w.wrong(fmt.Sprintf("(f) holder %d sends without the lease", i))
	}
	// (g) A token goes only to its binding.
	if l := w.server.login(token); l != nil && l.binding != h.conn.binding && (slices.Contains(h.heard, token) || slices.Contains(w.safe, token)) {
		w.wrong(fmt.Sprintf("(g) holder %d sends %s elsewhere", i, token))
	}
}

// behind reports whether the store has lost what brought a token.
func (w *world) behind(token string) bool {
	return w.past.rolledBack && (w.store.damaged || w.store.rec == nil || !holds(w.store.rec, token))
}

// expiring reports whether the holder's access token is about to end.
func (h *holder) expiring(w *world) bool {
	return h.state.live == nil || h.state.live.Expires.Mono-w.now <= int64(tokenLife)/10
}

// joined judges two records that meet.
func (w *world) joined(a, b *record.Record) {
	ab, ba := record.Merge(a, b), record.Merge(b, a)
	if !record.Equal(ab, ba) {
		w.wrong("(e) Merge depends on the order")
	}
	if !record.Equal(record.Merge(ab, b), ab) || !record.Equal(record.Merge(a, ab), ab) {
		w.wrong("(e) Merge of what is joined is something else")
	}
}

// check judges a state.
func (w *world) check() {
	for i := range w.h {
		if s := w.h[i].state; s != nil {
			w.checkHolder(i, s)
		}
	}
	if !w.settings.Rotating {
		return
	}
	// (c) What an answer brought to a process that lives, or what was written, is
	// current or a spare.
	newest := w.newest()
	must := func(token string) {
		if token[0] == newest && w.server.honours(token, w.now) && !w.known(token) {
			w.wrong("(c) nobody has " + token + ", which the server honours")
		}
	}
	for i := range w.h {
		for _, t := range w.h[i].heard {
			must(t)
		}
	}
	for _, t := range w.safe {
		must(t)
	}
}

// newest is the letter of the log-in that was accepted last, of those that anybody
// was told of: it displaces the one before.
func (w *world) newest() (letter byte) {
	var since int32
	see := func(r *record.Record) {
		for f := range w.server.families {
			l := &w.server.families[f]
			if l.there && r != nil && slices.ContainsFunc(r.Lineages, func(o record.Lineage) bool {
				return o.ID == firstOf[f] && o.Since > 0
			}) && l.since > since {
				letter, since = 'A'+byte(f), l.since
			}
		}
	}
	see(w.store.rec)
	for i := range w.h {
		if s := w.h[i].state; s != nil {
			see(s.record)
		}
	}
	return letter
}

var firstOf = [2]record.Fingerprint{record.FingerprintOf("A0"), record.FingerprintOf("B0")}

func (w *world) checkHolder(i int, s *State) {
	now := w.clock()
	if l := s.live; l != nil {
		// (h) No token is published for longer than it lives.
		if l.Expires.Mono > expiry(l.Token.AccessToken) {
			w.wrong(fmt.Sprintf("(h) holder %d publishes a token for too long", i))
		}
		// (g) An access token, too, goes only where its binding is, and is what is asked for.
		if g := l.Token.Grant; g != 0 && g != record.Fingerprint(w.h[i].binding+1) || l.Token.Request != record.Fingerprint(w.h[i].request+1) {
			w.wrong(fmt.Sprintf("(g) holder %d publishes a token of another binding", i))
		}
		// Nothing is published before what came with it was written, or could not be.
		if owed := w.h[i].owed; owed != "" && s.phase == Saving && s.plan.tries == 0 && s.plan.answer != nil && s.plan.answer.Access.AccessToken == l.Token.AccessToken && s.plan.write == keep && w.settings.Rotating {
			w.wrong(fmt.Sprintf("holder %d publishes what is not written", i))
		}
	}
	if owed := w.h[i].owed; owed != "" && s.phase == Idle && !s.unsaved && w.server.honours(owed, w.now) {
		w.wrong(fmt.Sprintf("holder %d forgets that it owes %s to the store", i, owed))
	}
	if s.trouble.Condition == finding.Lost && now.Mono < w.h[i].doubts {
		w.wrong(fmt.Sprintf("(l) holder %d believes at once that what another replica presented is dead", i))
	}
	if s.phase != Idle || s.settings == nil {
		return
	}
	// Nothing spins, and nothing stands still for ever.
	wait, ok := s.Wake(now)
	if ok && wait == 0 {
		after, effects := Next(*s, step.Poked{}, now)
		if again, still := after.Wake(now); len(effects) == 0 && after.phase == Idle && still && again == 0 {
			w.wrong(fmt.Sprintf("holder %d spins", i))
		}
	}
	if h := &w.h[i]; h.line && ok && wait == 0 && !s.unsaved && len(h.orders) == 0 && s.rarely().rival.Look == 0 {
		w.wrong(fmt.Sprintf("holder %d looks again and again while it stands in line", i))
	}
	if s.unsaved && (!ok || wait > when.RetryMax*2) {
		w.wrong(fmt.Sprintf("holder %d does not try to write what it owes", i))
	}
	if !ok && !s.inLine && !s.Overdue(now) {
		w.wrong(fmt.Sprintf("holder %d waits for nothing", i))
	}
	if s.inLine && !w.h[i].line {
		w.wrong(fmt.Sprintf("holder %d waits for a turn that nobody knows of", i))
	}
	if !s.unsaved && w.store.lease == int8(i+1) {
		w.wrong(fmt.Sprintf("holder %d keeps the lease", i))
	}
	if owed := w.h[i].owed; w.server.honours(owed, w.now) && !w.past.overrun && w.store.lease != int8(i+1) {
		w.wrong(fmt.Sprintf("holder %d gives the lease back and owes %s to the store", i, owed))
	}
	if w.h[i].turn {
		w.wrong(fmt.Sprintf("holder %d keeps the turn", i))
	}
}
