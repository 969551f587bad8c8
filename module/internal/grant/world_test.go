package grant

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/grant/when"
	"lamplighter/module/internal/record"
)

// world is everything at one moment: the holders, their store, the server, and what
// may still go wrong. It is copied by value, and what it refers to is not written
// to. What it judges by is what happened in it, not what a holder says.
type world struct {
	*rig
	now    int64 // on both clocks
	server server
	store  stored
	h      [3]holder
	net    [2]request // sent by somebody who listens no longer
	serial int32      // of boots and orders

	faults, crashes, orders int8 // left
	past                    past
	safe                    []string // brought by answers, and known to be written
	ledger                  [2]bool  // has the first token of a log-in as spent by a record that is missing
	claims                  [2]int8  // of the first token of each log-in: ours, or another client's
}

// rig is what no step changes.
type rig struct {
	configuration
	obeyed  [2][2]*step.Settings // by binding, and request
	wrong   func(why string)
	reached func(before Phase, e step.Event, after Phase)
	show    func(step int, w *world) // how progress goes on
}

// past is what happened that may excuse something.
type past struct {
	unheard    bool // an answer, or what became of a request, was not heard
	killed     bool // the server ended a grant for a reuse, or it ended by itself
	waited     bool // time passed while somebody stood in line
	ended      bool // a grant was refused that had ended whatever its holder does
	revoked    bool
	rolledBack bool // the store lost a write
	overrun    bool // a holder outlived its lease
	elsewhere  bool // the binding was changed
	nonsense   bool // what an operator supplied was refused
	imported   int8 // the binding, from 1 on, at which what an operator supplied was accepted
	taken      bool // another client claimed the seed
	spent      bool // the ledger has what is imported
	moved      bool // the grant was carried over
	declined   bool // an import was answered as failed, and not as kept
}

// stored is the store.
type stored struct {
	rec     *record.Record
	old     *record.Record // of the write before, which a rollback brings back
	home    *record.Record // where the grant is by now that was carried over
	damaged bool
	lease   int8  // the holder, from 1 on; ghost if that is dead
	until   int64 // when a lease is over whose holder is not heard of
}

// Whose a lease may be that is no holder's.
const (
	ghost    = 9 // that of one who died, and it does not end by that
	stranger = 8 // that of another process
)

// request is a token request.
type request struct {
	token     string
	binding   int8
	calledOff bool
	written   bool
}

// place is who was told a token.
func (r request) place() string { return r.token + [...]string{"", "@"}[r.binding] }

// holder is one process.
type holder struct {
	state    *State      // nil if it does not run
	under    step.Effect // with an outcome, under way
	conn     request
	answer   *step.Answer // the server's, on its way
	line     bool         // stands in line
	turn     bool         // has the turn
	binding  int8         // of its configuration
	request  int8
	seed     string
	begun    [2]int8 // binding and request of the configuration, when its look began
	resolved int8    // the binding that its last look resolved
	orders   []uint32
	brings   uint32 // the one that imports
	refresh  bool   // one of them may have a refused token presented again

	// Of a store that replicas share.
	cut     bool  // off it
	without bool  // it could not be asked for the lease
	unread  bool  // it lost a write, and was not read since
	refused bool  // an upstream refused the access token
	doubts  int64 // until when a refusal after a takeover is not believed

	// What this process was told, and what it had acknowledged.
	heard   []string // refresh tokens that answers brought
	dead    []string // the requests whose answers consumed or refused theirs
	journal string   // what its last journal names
	claimed string   // what it claimed since
	wished  string   // what an operator wants presented though it was refused
	base    *record.Record
	owed    string // brought, and not acknowledged
}

const epoch = int64(1_700_000_000_000_000_000)

func (w *world) clock() when.Now { return when.Now{Mono: w.now, Wall: epoch + w.now, Draw: w.draw} }

// boot starts a process.
func (w *world) boot(i int) {
	w.serial++
	s := New("h"+strconv.Itoa(i), uint32(w.serial))
	h := &w.h[i]
	*h = holder{state: &s, binding: h.binding, request: h.request, seed: h.seed}
	w.start(i, step.Started{})
}

// start has a process obey its configuration.
func (w *world) start(i int, s step.Started) {
	s.Settings = w.obeyed[w.h[i].binding][w.h[i].request]
	w.step(i, s)
}

// awaited is the effect of each phase.
func awaited(p Phase, e step.Effect) bool {
	ok := e == nil
	switch p {
	case Idle:
	case Looking, LookingAgain, Joining:
		_, ok = e.(step.Look)
	case Connecting:
		_, ok = e.(step.Connect)
	case Leasing:
		_, ok = e.(step.Lease)
	case Journaling, Saving:
		_, ok = e.(step.Save)
	case Claiming:
		_, ok = e.(step.Claim)
	case Holding:
		_, ok = e.(step.Hold)
	case Asking:
		_, ok = e.(step.Send)
	case Revoking:
		_, ok = e.(step.Revoke)
	}
	return ok
}

// step gives an event to a holder, and performs what has no outcome.
func (w *world) step(i int, e step.Event) {
	h := &w.h[i]
	before := h.state.phase
	s, effects := Next(*h.state, e, w.clock())
	h.state = &s
	for _, effect := range effects {
		w.perform(i, effect)
	}
	w.reached(before, e, s.phase)
	if !awaited(s.phase, h.under) {
		w.wrong(fmt.Sprintf("holder %d: %T under way in phase %d", i, h.under, s.phase))
	}
	if _, ok := h.under.(step.Send); ok && before == Holding {
		w.sent(i)
	}
}

func (w *world) perform(i int, effect step.Effect) {
	h := &w.h[i]
	switch e := effect.(type) {
	case step.Release:
		if w.store.lease == int8(i+1) {
			w.store.lease = 0
		}
	case step.Line:
		h.line = true
	case step.Leave:
		h.line, h.turn = false, false
	case step.Tell:
	case step.Reply:
		if !slices.Contains(h.orders, e.ID) {
			w.wrong("an order is answered that nobody gave, or twice")
		}
		w.replied(i, e)
		h.orders = without(h.orders, func(id uint32) bool { return id != e.ID })
		h.refresh = h.refresh && len(h.orders) > 0
	case step.CallOff:
		h.conn.calledOff = true
	default:
		if h.under != nil {
			w.wrong(fmt.Sprintf("holder %d: %T and %T at a time", i, h.under, effect))
		}
		h.under = effect
		if _, ok := effect.(step.Send); ok {
			w.written(i)
		}
		if _, ok := effect.(step.Look); ok {
			h.begun = [2]int8{h.binding, h.request}
		}
		if c, ok := effect.(step.Connect); ok {
			h.conn, h.journal, h.claimed = request{token: c.RefreshToken, binding: h.resolved}, "", ""
		}
	}
}

// replied judges what became of an order, as it is told.
func (w *world) replied(i int, r step.Reply) {
	h := &w.h[i]
	if r.Outcome == step.WasRevoked && !w.past.revoked {
		w.wrong(fmt.Sprintf("(n) holder %d is said to have revoked a grant that lives on", i))
	}
	if r.ID != h.brings {
		return
	}
	h.brings = 0
	w.past.declined = !r.Kept && r.Outcome != step.Obtained && w.server.families[1].since == 0
	if r.Kept && (r.Outcome == step.Obtained || !w.supplied("B0")) {
		w.wrong(fmt.Sprintf("(o) holder %d is said to keep what is not to be presented again", i))
	}
}

func without(ids []uint32, keep func(uint32) bool) (kept []uint32) {
	for _, id := range ids {
		if keep(id) {
			kept = append(kept, id)
		}
	}
	return kept
}

// outcome ends what is under way.
func (w *world) outcome(i int, e step.Event) {
	w.h[i].under = nil
	w.step(i, e)
}

// look reads the store. Of the settings it resolves those of now, unless it did when it began.
func (w *world) look(i int, l step.Look, early bool) {
	h := &w.h[i]
	e := step.Looked{Store: step.Missing}
	h.unread = false
	switch {
	case w.store.damaged:
		e.Store = step.Damaged
	case w.store.rec != nil:
		e.Store, e.Stored = step.None, w.store.rec
		w.joined(h.state.record, w.store.rec)
	}
	if l.Config {
		e.Inputs = w.inputs(i, early)
	}
	if f := slices.Index(firstOf[:], l.Taken); f >= 0 && w.claims[f] == theirs {
		e.Taken = &finding.Facts{Owner: "another"}
	}
	if f := slices.Index(firstOf[:], l.Missing); f >= 0 && w.claims[f] == ours && h.state.record.Of(l.Missing) == record.Unknown && (e.Stored == nil || e.Stored.Of(l.Missing) == record.Unknown) {
		e.Taken = &finding.Facts{Kind: finding.KindMissing}
	}
	if f := slices.Index(firstOf[:], l.Missing); f >= 0 && w.ledger[f] && h.state.record.Of(l.Missing) <= record.Unjudged && (e.Stored == nil || e.Stored.Of(l.Missing) <= record.Unjudged) {
		e.Taken = &finding.Facts{Kind: finding.KindMissing}
	}
	w.outcome(i, e)
}

// inputs is what the settings resolve to, those that a look began with if it is early.
func (w *world) inputs(i int, early bool) step.Inputs {
	h := &w.h[i]
	of := [2]int8{h.binding, h.request}
	if early {
		of = h.begun
	}
	h.resolved = of[0]
	return step.Inputs{
		Seed: h.seed, Credentials: 1, Revocable: true,
		Binding: record.Binding{Grant: record.Fingerprint(of[0] + 1), Request: record.Fingerprint(of[1] + 1)},
	}
}

func (w *world) revision() uint64 {
	if w.store.rec == nil {
		return 0
	}
	return w.store.rec.Revision
}

// write is what a store does with a Save: nothing, if somebody else has written.
func (w *world) write(i int, s step.Save) step.Fault {
	switch to := s.Into; {
	case to != nil && (w.store.rec == nil || w.store.rec.Moved == nil || *w.store.rec.Moved != *to):
		w.wrong(fmt.Sprintf("holder %d writes where the grant never was", i))
	case to != nil:
		w.store.home = w.store.home.Late(s.Record, to.Offset)
		return step.None
	case w.store.damaged && s.SetAside == step.None:
		return step.Damaged
	case !w.store.damaged && (w.revision() != s.IfRevision || s.SetAside == step.Damaged):
		return step.Conflict // also of what another holder has mended
	}
	if w.store.rec != nil && w.store.rec.Moved != nil {
		w.wrong(fmt.Sprintf("holder %d writes over a tombstone", i))
	}
	h, rec := &w.h[i], *s.Record
	rec.Revision = s.IfRevision + 1
	if s.Journal {
		h.base = w.store.rec
		if s.SetAside != step.None {
			h.base = nil
		}
	}
	if w.rollbacks() {
		w.store.old = w.store.rec
	}
	w.store.rec, w.store.damaged = &rec, false
	return step.None
}

// saved acknowledges a write.
func (w *world) saved(i int, s step.Save) {
	f := w.write(i, s)
	if f == step.None {
		w.acknowledge(i, s)
	}
	w.outcome(i, step.Saved{Fault: f})
}

func (w *world) acknowledge(i int, s step.Save) {
	h := &w.h[i]
	if s.Journal {
		h.journal = named(s.Record, h.conn.token)
	}
	if holds(s.Record, h.owed) {
		h.owed = ""
	}
	for _, t := range h.heard {
		if holds(s.Record, t) && !slices.Contains(w.safe, t) {
			w.safe = append(slices.Clone(w.safe), t)
		}
	}
}

// Whose a claim is.
const (
	ours   int8 = 1
	theirs int8 = 2
)

// claim makes a token the holders' client's, unless it is another's.
func (w *world) claim(i int, c step.Claim) {
	h, e := &w.h[i], step.Claimed{}
	if f := slices.Index(firstOf[:], record.FingerprintOf(c.RefreshToken)); f >= 0 {
		if w.claims[f] == theirs {
			e = step.Claimed{Fault: step.Taken, Facts: &finding.Facts{Owner: "another"}}
		} else if c.Rotating {
			w.claims[f] = ours
		}
	}
	if e.Fault == step.None {
		h.claimed = c.RefreshToken
	}
	w.outcome(i, e)
}

// named returns the token if the record's newest attempt names it.
func named(r *record.Record, token string) string {
	f := as(r, token)
	for i := range r.Attempts {
		if a := &r.Attempts[i]; a.Fingerprint == f && a.Number == r.Number && a.ID == r.WriteID && !a.Settled {
			return token
		}
	}
	return ""
}

// process lets the server have a request.
func (w *world) process(r request) *step.Answer {
	was := w.server.families
	if l := w.server.login(r.token); l != nil && (w.server.stays || w.past.waited) && w.server.over(l, w.now) {
		w.past.ended = true
	}
	a := w.server.process(r.token, r.binding, w.now)
	for i := range was {
		w.past.killed = w.past.killed || w.server.families[i].dead && !was[i].dead
	}
	return a
}

// revoke has the server end the grant of a refresh token. Of one that it does not know (any
// more) it says the same, and does nothing (RFC 7009 section 2.2).
func (w *world) revoke(i int, token string, binding int8) {
	l := w.server.login(token)
	switch {
	case l == nil || l.binding != binding || l.dead || w.server.over(l, w.now):
	case w.server.honours(token, w.now):
		l.dead, w.past.revoked = true, true
	case w.past.killed: // a request reached it late
		w.past.revoked = true
	case w.store.lease != int8(i+1): // this one did, and knows of that
	default:
		w.wrong("(n) " + token + " is revoked, which is consumed, and the grant lives on")
	}
}

// hear gives a holder its answer.
func (w *world) hear(i int, a step.Answer) {
	h := &w.h[i]
	if w.settings.Rotating {
		switch {
		case a.RefreshToken != "" && a.RefreshToken != h.conn.token:
			given := request{token: a.RefreshToken, binding: h.conn.binding}.place()
			h.heard = append(slices.Clone(h.heard), a.RefreshToken)
			for j := range w.h { // whoever reads of it knows that it lives
				w.h[j].dead = fitting(w.h[j].dead, func(t string) bool { return t != given })
			}
			h.dead = append(slices.Clone(h.dead), h.conn.place())
			h.owed = a.RefreshToken
		case a.Outcome == step.RefusedGrant:
			// Between two servers that both refuse it, a record remembers the last.
			elsewhere := request{token: h.conn.token, binding: 1 - h.conn.binding}.place()
			h.dead = append(fitting(slices.Clone(h.dead), func(t string) bool { return t != elsewhere }), h.conn.place())
		}
	}
	if a.Outcome == step.RefusedGrant && w.foreign(i) != nil && !h.refresh {
		h.doubts = w.now + int64(w.settings.Lease)
	}
	if a.Outcome == step.Granted {
		h.refused = false
	}
	if a.Outcome == step.Granted && h.conn.token == "B0" && h.seed != "B0" {
		w.past.imported = h.conn.binding + 1
	}
	h.answer = nil
	w.outcome(i, step.Answered{Answer: a})
}

// foreign is the attempt of another holder with the same token that the store had when a
// holder journaled its own, nil if there was none, or if locks end with their holders.
func (w *world) foreign(i int) *record.Attempt {
	h := &w.h[i]
	if w.settings.Lease == 0 || !w.settings.Rotating || h.base == nil {
		return nil
	}
	a := h.base.Open(as(h.base, h.conn.token))
	own := (&machine{State: *h.state}).writer()
	if a == nil || strings.HasPrefix(a.ID, own) && (a.UnansweredBy == "" || strings.HasPrefix(a.UnansweredBy, own)) {
		return nil
	}
	if p := h.base.Paused; p != nil && p.Number == a.Number && p.Cause != finding.CauseResponseLost {
		return nil
	}
	return a
}

// crash ends a process at once.
func (w *world) crash(i int) {
	h := &w.h[i]
	w.unheld(i)
	if _, ok := h.under.(step.Send); ok && !h.conn.calledOff {
		w.past.unheard = true
		if h.answer == nil {
			w.late(h.conn)
		}
	}
	if p := h.state.phase; h.owed != "" || h.state.unsaved || p >= Journaling {
		w.past.unheard = true
	}
	w.exit(i)
}

// unheld ends the lease of a process that ended, or that is not heard of any more: a lock at
// once, a lease after a while.
func (w *world) unheld(i int) {
	switch {
	case w.store.lease != int8(i+1):
	case w.settings.Lease == 0:
		w.store.lease = 0
	default:
		w.store.lease, w.store.until = ghost, w.now+int64(w.settings.Lease)
	}
}

// exit ends a process. What only it knew is lost.
func (w *world) exit(i int) {
	h := &w.h[i]
	w.unheld(i)
	if h.state.unsaved || h.state.phase >= Saving { // nobody knows of a revocation any more, nor of a refusal
		w.past.killed, w.past.declined = w.past.killed || w.past.revoked, false
	}
	*h = holder{binding: h.binding, request: h.request, seed: h.seed}
	if w.past.rolledBack {
		w.safe = fitting(w.safe, w.known)
	}
}

// known reports whether a token is held in the store, or in a process that lives.
func (w *world) known(token string) bool {
	if w.store.rec != nil && !w.store.damaged && holds(w.store.rec, token) || w.store.home != nil && holds(w.store.home, token) {
		return true
	}
	for i := range w.h {
		if s := w.h[i].state; s != nil && holds(s.record, token) {
			return true
		}
	}
	return false
}

// late leaves a request in the network.
func (w *world) late(r request) {
	for i := range w.net {
		if w.net[i].token == "" {
			w.net[i] = r
			return
		}
	}
}

// slow is a pause after which too little of the timeout is left for an answer.
const slow = 25 * time.Second
