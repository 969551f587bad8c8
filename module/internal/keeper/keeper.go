// Package keeper keeps one client's access token fresh: it decides when a token
// request is due, what it may present, and what its answer means for the grant.
//
// It knows time, tokens and records. It must not know HTTP or Caddy: the token
// endpoint is a function it is given, and requests that need a token only meet
// [Keeper.Acquire] and [Keeper.Unauthorized].
//
// The promise it exists for: a rotating grant is never lost by us. One refresh
// at a time, on a context of its own; journaled before it is sent; the new
// refresh token on disk before anybody sees the new access token.
package keeper

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lamplighter/module/internal/store"
	"lamplighter/module/internal/tokenendpoint"
)

// Settings are what a keeper obeys: one client of one started configuration.
type Settings struct {
	// Rotating says that the grant presents a refresh token that an answer may
	// replace. Only then are lease, journal and a writable store required.
	Rotating bool

	// RequireRotation raises an alarm at a success without a new refresh token.
	RequireRotation bool

	// Drain says that the old access token dies the moment a new one is issued
	// (rotation_overlap none), so that requests are held while it is replaced.
	Drain bool

	// Quiesce bounds the wait for requests already sent. Only with Drain.
	Quiesce time.Duration

	// RefreshWindowRatio is the share of the lifetime that remains when the
	// token is refreshed.
	RefreshWindowRatio float64

	// MinRefreshInterval is the least time between two token requests.
	MinRefreshInterval time.Duration

	// Timeout bounds one token request, and the wait for another holder's.
	Timeout time.Duration

	// Looks are shared by all keepers that start at a time, so that they do not
	// all read their records at once; nil for no bound.
	Looks *Turns

	// Requests are shared by all keepers that ask one authorization server, and
	// MaxRequests is how many of them may ask it at a time; nil for no bound.
	// What an operator orders does not wait for its turn.
	Requests    *Turns
	MaxRequests int

	// Resolve reads what the next token request needs, secrets included, anew
	// each time: rotated files need no reload. An error names the setting; *NotYet
	// says that nothing is wrong.
	Resolve func() (Inputs, error)

	// Observe is told how each token request ended and how long it took.
	Observe func(outcome tokenendpoint.Outcome, took time.Duration)

	// Notify is told what happened, outside any lock and never concurrently.
	Notify func(Event)
}

// NotYet is the error of settings that will be there soon without anybody's help.
type NotYet struct {
	// Detail says in a sentence what is missing.
	Detail string
}

// Error returns the detail.
func (e *NotYet) Error() string { return e.Detail }

// Inputs are the resolved values of one token request.
type Inputs struct {
	// Seed is the refresh token that the operator supplied, "" if none.
	Seed string

	// Binding ties the record to this configuration.
	Binding store.Binding

	// Credentials stand for what the request is made of, the refresh token apart:
	// those that worked before are not to blame. 0 if nobody knows.
	Credentials uint64

	// Revoke ends the grant of a refresh token at the server (RFC 7009). Nil if
	// the client has no revocation endpoint.
	Revoke func(ctx context.Context, refreshToken string) error

	// Ask sends one token request. It presents refreshToken if that is not
	// empty, and calls beforeSend when the connection is up, before the first
	// byte of the request.
	Ask func(ctx context.Context, refreshToken string, beforeSend func() error) tokenendpoint.Answer
}

// Keeper keeps the token of one client fresh. It is inert until a configuration
// starts it: no goroutine, no timer, no network, no write.
type Keeper struct {
	name    string
	store   store.Store
	clock   Clock
	process string // names this process in the journal

	current atomic.Pointer[Token] // what is injected; nil if there is none
	drains  atomic.Bool           // Settings.Drain, for the hot path
	gate    gate
	waiting atomic.Int64 // requests that wait for a token

	mu       sync.Mutex
	settings []*Settings   // of the configurations that started, oldest first
	changed  chan struct{} // nil if nobody waits for a change
	timer    *time.Timer
	unwatch  func()
	flight   *flight // the round that runs, nil if none
	again    bool    // something happened meanwhile: run another round

	record   store.Record // newest known state; written only by the flight
	held     *Token       // the record's token, with what is known of its expiry
	loaded   bool
	unsaved  bool        // record is newer than what the store holds
	lease    store.Lease // kept while unsaved, or nil
	schedule schedule
	accepted uint64  // Inputs.Credentials of the last success
	trouble  Trouble // why things are not well; zero if they are
	settled  bool    // a round has ended
	setbacks *setbacks
	forced   forced
	orders   []*order // not yet taken up
	history  History  // of what was told
	turn     *turn    // to ask: taken, or a place in line; nil if neither
	called   bool     // the turn is taken

	cacheFailed bool // a record that is only a cache could not be written
}

// New returns a keeper for the client of that name.
func New(name string, st store.Store, clock Clock) *Keeper {
	return &Keeper{name: name, store: st, clock: clock, process: process}
}

// Start makes the keeper obey s until stop is called, and what it obeyed before
// after that: Caddy starts a new configuration before it stops the old one, and
// may give the new one up again.
//
// The last stop waits for a token request that was already written, so that its
// answer is not lost; one that was not is called off. stop may be called twice.
func (k *Keeper) Start(s Settings) (stop func()) {
	own := &s
	k.mu.Lock()
	k.settings = append(k.settings, own)
	if len(k.settings) == 1 {
		k.unwatch = k.store.Watch(k.name, k.Recheck)
	}
	k.reconsider()
	k.mu.Unlock()

	return func() { k.stop(own) }
}

func (k *Keeper) stop(own *Settings) {
	k.mu.Lock()
	if !slices.Contains(k.settings, own) {
		k.mu.Unlock()
		return // stopped already
	}
	obeyed := k.obeyed()
	k.settings = slices.DeleteFunc(k.settings, func(s *Settings) bool { return s == own })
	if len(k.settings) > 0 {
		if obeyed == own {
			k.reconsider()
		}
		k.mu.Unlock()
		return
	}
	if k.timer != nil {
		k.timer.Stop()
	}
	unwatch := k.unwatch
	k.unwatch = nil
	running := k.flight
	if running != nil && !running.written {
		running.cancel()
	}
	if running != nil && running.look.leave() {
		k.land(running) // it never began
	}
	line := k.turn
	if k.called {
		line = nil // the flight gives it back
	} else {
		k.turn = nil
	}
	k.mu.Unlock()

	line.end()
	unwatch()
	if running != nil {
		<-running.done
	}
	k.giveTurnBack()
	k.saveLastChance(own.Notify)
}

// giveTurnBack ends a turn that was given to the keeper too late for its last
// flight to notice.
func (k *Keeper) giveTurnBack() {
	k.mu.Lock()
	var late *turn
	if len(k.settings) == 0 && k.called {
		late, k.turn, k.called = k.turn, nil, false
	}
	k.mu.Unlock()
	late.end()
}

// reconsider starts over with changed settings: what was wrong with the old
// ones may be mended. It costs no token request unless one is due. Called with
// k.mu held.
func (k *Keeper) reconsider() {
	k.drains.Store(k.obeyed().Drain)
	if k.inLine() && k.turn.turns != k.obeyed().Requests && k.turn.leave() {
		k.turn = nil // it is another server's now
	}
	if k.trouble.blocking() {
		k.schedule.retryNow()
		k.settled = false
	}
	k.kick()
}

// obeyed returns the settings in force, nil before Start. Called with k.mu held.
func (k *Keeper) obeyed() *Settings {
	if len(k.settings) == 0 {
		return nil
	}
	return k.settings[len(k.settings)-1]
}

// Recheck looks at the record, the seed and the clocks again. It is called when
// the record was changed by another holder, and every few seconds for all
// keepers, because timers stand still while a machine is suspended.
func (k *Keeper) Recheck() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kick()
}

// Tick is Recheck for keepers that have a reason: a refresh that is overdue by
// either clock, or a grant that somebody may have renewed. It is cheap for all
// others.
func (k *Keeper) Tick() {
	mono, wall := k.clock.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.trouble.needsGrant() || k.schedule.due(mono, wall) && !k.inLine() {
		k.kick()
	}
}

// kick makes sure that a round runs now or again. Called with k.mu held.
func (k *Keeper) kick() {
	if len(k.settings) == 0 {
		return
	}
	if k.flight != nil {
		k.again = true
		return
	}
	f := k.takeOff()
	var now bool
	if f.look, now = f.settings.Looks.take(maxLooks, k.waiting.Load() > 0, func(*turn) { go k.fly(f) }); now {
		go k.fly(f)
	}
}

// takeOff makes the keeper's flight. Called with k.mu held.
func (k *Keeper) takeOff() *flight {
	f := &flight{done: make(chan struct{}), settings: *k.obeyed()}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	k.flight = f
	return f
}

// broadcast wakes everybody who waits for a change. Called with k.mu held.
func (k *Keeper) broadcast() {
	if k.changed != nil {
		close(k.changed)
		k.changed = nil
	}
}

// change returns what is closed at the next change. Called with k.mu held.
func (k *Keeper) change() <-chan struct{} {
	if k.changed == nil {
		k.changed = make(chan struct{})
	}
	return k.changed
}
