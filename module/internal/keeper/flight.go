package keeper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lamplighter/module/cause"
	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/store"
	"lamplighter/module/internal/tokenendpoint"
)

// flight is one run of the keeper's own goroutine: rounds until nothing is left
// to do. There is at most one per keeper, and none while all is well.
type flight struct {
	ctx      context.Context // ended by the last stop, and only before a request is written
	cancel   context.CancelFunc
	done     chan struct{}
	settings Settings
	look     *turn // taken until the first look has ended
	mayAsk   bool  // the turn to ask is taken for this round
	asking   bool  // a token request is being made
	written  bool  // … and was written: its answer must be awaited
	leasing  bool  // it waits for another process that refreshes
	events   []Event

	order       *order // what an operator asked of this round, or nil
	outcome     tokenendpoint.Outcome
	seedRefused Trouble // the round's new refresh token was refused beside a grant that lives
	result      Result
}

// errStopping calls a token request off before it is written.
var errStopping = errors.New("the configuration was stopped")

func (k *Keeper) fly(f *flight) {
	defer func() { f.cancel() }()
	for {
		k.mu.Lock()
		k.takeOrder(f)
		f.mayAsk = k.called
		k.mu.Unlock()
		k.safeRound(f)
		f.look.end()
		k.endTurn(f)
		k.finish(f)
		k.tell(f)

		k.mu.Lock()
		f.asking, f.written, f.seedRefused = false, false, Trouble{}
		k.settled = true
		k.answerOrder(f)
		k.broadcast()
		if (k.again || len(k.orders) > 0) && len(k.settings) > 0 {
			k.again = false
			f.settings = *k.obeyed()
			if f.ctx.Err() != nil { // stopped, and started again meanwhile
				f.ctx, f.cancel = context.WithCancel(context.Background())
			}
			k.mu.Unlock()
			continue
		}
		k.land(f)
		k.mu.Unlock()
		return
	}
}

// land ends a flight. Called with k.mu held.
func (k *Keeper) land(f *flight) {
	k.again = false
	k.dismiss()
	k.flight = nil
	k.arm()
	close(f.done)
}

// takeTurn reports whether the round may ask. If not, the keeper stands in line
// and another round begins when it is called.
//
// The first retry after an answer was lost does not stand in line: servers that
// forgive a repeated refresh token do so for a few seconds.
func (k *Keeper) takeTurn(f *flight) bool {
	if f.mayAsk || f.order != nil {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	open := k.record.Attempt != nil
	if open && k.schedule.failures+k.setbacksSoFar().trial.failures == 1 {
		return true
	}
	if k.turn == nil {
		k.turn, f.mayAsk = f.settings.Requests.take(f.settings.MaxRequests, open || k.waiting.Load() > 0, k.myTurn)
		k.called = f.mayAsk
	}
	return f.mayAsk
}

// myTurn begins a round: the turn to ask was given to this keeper.
func (k *Keeper) myTurn(t *turn) {
	k.mu.Lock()
	if k.turn != t || len(k.settings) == 0 {
		k.mu.Unlock()
		t.end()
		return
	}
	defer k.mu.Unlock()
	k.called = true
	if k.flight == nil {
		go k.fly(k.takeOff())
		return
	}
	k.again = true
	k.flight.look.hurry()
}

// endTurn gives the turn back that the round had, used or not.
func (k *Keeper) endTurn(f *flight) {
	if !f.mayAsk {
		return
	}
	k.mu.Lock()
	t := k.turn
	k.turn, k.called, f.mayAsk = nil, false, false
	k.mu.Unlock()
	t.end()
}

// inLine reports whether the keeper waits for its turn to ask. Called with k.mu
// held.
func (k *Keeper) inLine() bool { return k.turn != nil && !k.called }

// safeRound runs a round and turns a panic into a failed one: a bug in reading
// an odd answer must not end the refreshing for good.
func (k *Keeper) safeRound(f *flight) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		// The value is not printed: it may quote an answer.
		k.fail(f, Trouble{
			State: StateBackoff, Cause: CauseInternal,
			Detail: fmt.Sprintf("a %T panic while refreshing", r),
			Remedy: cause.Of(CauseInternal).Remedy,
		}, 0)
	}()
	k.round(f)
}

// tell reports the events of a round. Nobody else tells at that time.
func (k *Keeper) tell(f *flight) {
	for _, e := range f.events {
		k.history.Add(e)
		if f.settings.Notify != nil {
			f.settings.Notify(e)
		}
	}
	f.events = nil
}

// arm sets the timer to when the next round is due. Called with k.mu held.
func (k *Keeper) arm() {
	if k.timer != nil {
		k.timer.Stop()
	}
	if len(k.settings) == 0 {
		return
	}
	mono, wall := k.clock.now()
	wait, ok := k.schedule.next(mono, wall)
	ok = ok && !k.inLine() // then it is called
	if ok && k.trouble.local {
		wait = max(0, k.schedule.notBefore.Sub(mono)) // only a look, unless a request is due
	}
	so := k.setbacksSoFar()
	if try := so.trial.notBefore.Sub(mono); try > 0 && (!ok || try < wait) {
		wait, ok = try, true
	}
	if k.unsaved {
		// Nothing else happens until that is written, or the token is about to
		// expire: see saveUnsaved.
		if t := k.current.Load(); t != nil && !t.urgent().reached(mono, wall) {
			wait, ok = t.urgent().until(mono, wall), true
		}
		save := max(0, so.saving.notBefore.Sub(mono))
		if !ok || save < wait {
			wait, ok = save, true
		}
	}
	if !ok {
		return
	}
	if k.timer == nil {
		k.timer = time.AfterFunc(wait, k.Recheck)
		return
	}
	k.timer.Reset(wait)
}

// round looks at the record and the configuration, and makes one token request
// if one is due. This is the refresh protocol, in its order.
func (k *Keeper) round(f *flight) {
	if !k.saveUnsaved(f) {
		return
	}
	in, err := f.settings.Resolve()
	if notYet, ok := errors.AsType[*NotYet](err); ok {
		t := Trouble{State: StateBackoff, Cause: CauseNotYet, Detail: notYet.Detail, Remedy: cause.Of(CauseNotYet).Remedy, local: true}
		k.fail(f, t, 0)
		return
	}
	if err != nil {
		k.blocked(f, Trouble{
			State: StateMisconfigured, Cause: CauseUnresolved, Detail: err.Error(),
			Remedy: cause.Of(CauseUnresolved).Remedy,
		})
		return
	}
	if f.order != nil && f.order.ends {
		f.look.end() // the server may take its time
		k.revoke(f, &in)
		return
	}
	// First a look without the lease: most rounds end here.
	plan, ok := k.look(f, &in)
	f.look.end()
	if !ok || !plan.ask || !k.takeTurn(f) {
		return
	}
	if !f.settings.Rotating {
		k.ask(f, &in, plan, noLease{})
		return
	}

	lease, ok := k.takeLease(f)
	if !ok {
		return
	}
	defer k.giveBack(lease)

	// Somebody else may have refreshed while we waited.
	plan, ok = k.look(f, &in)
	if !ok || !plan.ask {
		return
	}
	failpoint.At("before-journal")
	if !k.journal(f, &in, plan) {
		return
	}
	failpoint.At("after-journal")
	k.ask(f, &in, plan, lease)
}

// look reads the record, adopts what is newer than what the keeper has, and
// plans what is to be done. ok is false if the record cannot be read.
func (k *Keeper) look(f *flight, in *Inputs) (p plan, ok bool) {
	k.mu.Lock()
	unsaved := k.unsaved
	k.mu.Unlock()
	stored, err := k.store.Load(f.ctx, k.name)
	switch {
	case err == nil:
	case unsaved:
		return k.decide(f, in), true // what we hold is newer than what cannot be read
	case errors.Is(err, store.ErrNotFound):
		// A record that was there before is not forgotten because its file went.
		stored = store.Record{}
	case !f.settings.Rotating:
		// A cache that cannot be read is an empty one.
		stored = store.Record{}
	case errors.Is(err, store.ErrUnreadable):
		k.blocked(f, recordTrouble(err, k.store.Describe(k.name), k.holdsGrant()))
		return plan{}, false
	default:
		t := storeTrouble(err, k.store.Describe(k.name))
		t.local = true
		k.fail(f, t, 0)
		return plan{}, false
	}
	k.adopt(f, stored, in)
	return k.decide(f, in), true
}

// holdsGrant reports whether the grant is known from an earlier look.
func (k *Keeper) holdsGrant() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.loaded && k.record.RefreshToken != "" && k.record.Lost == nil
}

// Holds reports whether a refresh token is, or was, the client's: no other client
// may present it.
func (k *Keeper) Holds(refreshToken string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return refreshToken == k.record.RefreshToken || k.record.KnowsSeed(store.FingerprintOf(refreshToken))
}

// adopt takes a stored record that is newer than the keeper's, and publishes
// its token.
func (k *Keeper) adopt(f *flight, stored store.Record, in *Inputs) {
	mono, wall := k.clock.now()
	k.mu.Lock()
	defer k.mu.Unlock()

	switch {
	case !k.loaded, k.supersedes(&stored):
		if k.contested(&stored, in) {
			contest := &k.setback().contest
			contest.next(mono, retryMin, slowRetryMax)
			k.schedule.notBefore = contest.notBefore
			k.trouble = contestedTrouble(k.store.Describe(k.name), wall)
			f.note(k.troubleEvent(Troubled))
		}
		if !k.loaded || stored.Generation != k.record.Generation {
			k.held = restore(&stored, mono, wall)
		}
		k.record = stored
		k.record.Client = k.name // the same, and not once more
		if stored.Binding == in.Binding {
			k.record.Binding = in.Binding
		}
	default:
		k.record.Revision = stored.Revision
		if f.settings.Rotating && k.record.Lost == nil && k.record.Generation > stored.Generation && !k.unsaved {
			// A file that was deleted, or restored from a backup: what the store
			// holds now is spent.
			k.unsaved, k.again = true, true
			k.setback().saving.retryNow()
		}
	}
	k.loaded = true

	if k.record.Lost != nil && k.record.Token == nil {
		// A refusal leaves the token that was issued before valid; its end was the
		// purpose of a revocation, whoever carried it out.
		k.drop()
		return
	}
	if k.record.Binding.Request != in.Binding.Request {
		// Asked for something else than is wanted now.
		k.current.Store(nil)
		return
	}
	t, old := k.held, k.current.Load()
	if !t.valid(mono, wall) || old != nil && old.Generation >= t.Generation {
		return
	}
	lifetime := t.ExpiresAt.Sub(t.ObtainedAt)
	k.schedule.succeed(t.expires.add(-lifetime), lifetime, &f.settings, mono)
	k.schedule.notBefore = time.Time{}
	k.trouble = Trouble{}
	k.publish(t)
	f.note(k.tokenEvent(TokenRestored))
}

// contested reports whether another holder of the record asked for another scope,
// audience or the like, after this one had its token. Called with k.mu held.
func (k *Keeper) contested(stored *store.Record, in *Inputs) bool {
	ours := in.Binding.Request
	return k.loaded && k.record.Token != nil && k.record.Binding.Request == ours && stored.Binding.Request != ours
}

// supersedes reports whether a stored record replaces the one in memory: a newer
// one that another holder wrote, or one that brings a lost grant back. Called
// with k.mu held.
func (k *Keeper) supersedes(stored *store.Record) bool {
	if k.record.Lost != nil && stored.Lost == nil && stored.RefreshToken != "" {
		// Also the same one, if an operator had it presented once more.
		return stored.Generation > k.record.Generation || !k.record.KnowsSeed(store.FingerprintOf(stored.RefreshToken))
	}
	if stored.Generation == k.record.Generation {
		return !k.unsaved && stored.Revision > k.record.Revision
	}
	return stored.Generation > k.record.Generation
}

// drop makes an end of the present token. The next refresh token is presented at
// once, and not when this one was to be refreshed. Called with k.mu held.
func (k *Keeper) drop() {
	k.held = nil
	k.current.Store(nil)
	k.schedule.refresh = instant{}
}

// publish makes a token the one that is injected. Called with k.mu held.
func (k *Keeper) publish(t *Token) {
	k.current.Store(t)
	k.broadcast()
}

func (f *flight) note(e Event) { f.events = append(f.events, e) }

// tokenEvent describes the present token. Called with k.mu held.
func (k *Keeper) tokenEvent(kind EventKind) Event {
	mono, wall := k.clock.now()
	e := Event{Kind: kind, Client: k.name, At: wall, Generation: k.record.Generation}
	if t := k.record.Token; t != nil {
		e.ExpiresAt, e.Lifetime = t.ExpiresAt, t.ExpiresAt.Sub(t.ObtainedAt)
	}
	if wait, ok := k.schedule.next(mono, wall); ok {
		e.NextRefresh, e.RetryIn = wall.Add(wait), wait
	}
	return e
}

// troubleEvent describes the present trouble. Called with k.mu held.
func (k *Keeper) troubleEvent(kind EventKind) Event {
	e := k.tokenEvent(kind)
	e.Cause, e.Detail, e.Remedy = k.trouble.Cause, k.trouble.Detail, k.trouble.Remedy
	return e
}
