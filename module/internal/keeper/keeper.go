// Package keeper performs what package grant decides: it holds one client's state,
// hands events to [grant.Next] and carries out the effects that come of them, with
// a store, a token endpoint and timers. Requests that need a token only meet
// [Keeper.Acquire] and [Keeper.Unauthorized].
//
// It decides nothing about a grant. It must not know HTTP or Caddy: the token
// endpoint is a function it is given.
//
// The promise it exists for: a rotating grant is never lost by us. One refresh
// at a time, on a context of its own; journaled before it is sent; the new
// refresh token on disk before anybody sees the new access token or, where it
// could not be written, kept in memory, shown as unsaved and tried again.
package keeper

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/ledger"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/internal/tokenendpoint"
)

// Settings are what a keeper obeys: one client of one started configuration.
type Settings struct {
	step.Settings

	// Quiesce bounds the wait for requests already sent. Only with Drain.
	Quiesce time.Duration

	// HandsOut says that tokens are handed to others, whose requests nobody here sees. Those
	// of other processes that share the store count, too.
	HandsOut bool

	// Looks are shared by all keepers that start at a time, so that they do not
	// all read their records at once; nil for no bound.
	Looks *Turns

	// Requests are shared by all keepers that ask one authorization server, and
	// MaxRequests is how many of them may ask it at a time; nil for no bound.
	// What an operator orders does not wait for its turn.
	Requests    *Turns
	MaxRequests int

	// Elsewhere returns whose a refresh token is, or was, as far as that is known
	// outside of the client's store, nil if it is nobody's, or
	// that an answer spent it here; all says that the clients
	// with the same store count too. Nil if nobody knows.
	Elsewhere func(token, binding record.Fingerprint, all bool) *Owner

	// Spent is told what became of a refresh token that a configuration may still
	// name; old says that it was before the client started. Nil if nobody listens.
	Spent func(token, binding record.Fingerprint, said ledger.Said, old bool)

	// Reach returns a store that a tombstone names, nil if nobody here uses it. Nil for none.
	Reach func(named string) recordstore.Store

	// Declared reports whether the same configuration has another client of that name.
	// Nil for none.
	Declared func(client string) bool

	// Resolve reads what the next token request needs, secrets included, anew
	// each time: rotated files need no reload. An error names the setting; *NotYet
	// says that nothing is wrong.
	Resolve func() (Inputs, error)

	// Observe is told how each token request ended and how long it took.
	Observe func(outcome tokenendpoint.Outcome, took time.Duration)

	// Notify is told what happened, outside any lock and never concurrently.
	Notify func(Event)

	// HandOver returns when whoever reads the token elsewhere has the newest one, or when
	// ctx ends: a hold lasts until then. Nil if nobody does.
	HandOver func(ctx context.Context)
}

// NotYet is the error of settings that will be there soon without anybody's help.
type NotYet struct {
	// Detail says in a sentence what is missing.
	Detail string
}

// Error returns the detail.
func (e *NotYet) Error() string { return e.Detail }

// Inputs are the resolved values of one token request. Of those of package grant,
// Revocable follows from Revoke.
type Inputs struct {
	step.Inputs

	// Revoke ends the grant of a refresh token at the server (RFC 7009). Nil if
	// the client has no revocation endpoint.
	Revoke func(ctx context.Context, refreshToken string) error

	// Ask sends one token request.
	Ask func(ctx context.Context, q Request) tokenendpoint.Answer
}

// Keeper keeps the token of one client fresh. It is inert until a configuration
// starts it: no goroutine, no timer, no network, no write.
type Keeper struct {
	name  string
	store recordstore.Store
	wall  func() time.Time // the wall clock, nil for time.Now
	began time.Time        // where its monotonic moments count from
	draw  func() float64
	drawn float64

	current     atomic.Pointer[Token] // what is injected; nil if there is none
	former      atomic.Pointer[Token] // what was before, while current is young
	drains      atomic.Bool           // Settings.Drain, for the hot path
	behind      atomic.Bool           // an upstream's clock is
	unconfirmed atomic.Uint64         // generation whose acceptance is news
	gate        gate
	handed      atomic.Int64 // when a token was last handed to others, monotonic; 0 if never
	waiting     atomic.Int64 // requests that wait for a token

	mu       sync.Mutex
	state    grant.State
	settings []*Settings // of the configurations that started, oldest first
	told     *Settings   // obeyed last
	live     *grant.Live // what current was made of
	forcing  forcing
	changed  chan struct{}
	timer    *time.Timer
	unwatch  func()

	queue  []any // effects to perform, events to tell
	look   *turn // taken until the first look has ended
	turn   *turn // to ask: taken, or a place in line; nil if neither
	open   func()
	orders map[uint32]chan Result

	// Of what is under way; guarded by mu where more than one goroutine looks.
	inputs  *Inputs // never nil
	request *tokenRequest
	lease   recordstore.Lease
	listed  *record.Record // of which list has told

	serial  uint32 // of orders
	running bool   // somebody performs the queue, or will when the look's turn comes
	stuck   bool   // a call of the store has not returned
	unread  bool   // the settings are still being resolved
	noting  bool   // what is known outside of the store is still being noted, or asked for
}

// New returns a keeper for the client of that name. wall is a test's wall clock, which
// may jump; nil for time.Now.
func New(name string, st recordstore.Store, wall func() time.Time) *Keeper {
	return &Keeper{name: name, store: st, wall: wall, began: time.Now(), draw: random, state: grant.New(Process, made.Add(1)), inputs: noInputs}
}

// noInputs are those of a keeper that has nothing to do. There may be very many.
var noInputs = new(Inputs)

// Process names this process in the journal, so that an attempt that another
// one left behind is told from our own.
var Process = rand.Text()[:10]

// made counts the keepers of this process.
var made atomic.Uint32

// Start makes the keeper obey s until stop is called, and what it obeyed before
// after that: Caddy starts a new configuration before it stops the old one, and
// may give the new one up again.
//
// The last stop waits for a token request that was already written, so that its
// answer is not lost; one that was not is called off. stop may be called twice.
func (k *Keeper) Start(s Settings) (stop func()) {
	own := &s
	own.Lease = k.store.LeaseLength()
	k.mu.Lock()
	k.settings = append(k.settings, own)
	if len(k.settings) == 1 {
		k.unwatch = k.store.Watch(k.name, k.Recheck)
	}
	k.obey(own)
	k.mu.Unlock()
	return func() { k.stop(own) }
}

// obey hands settings to the machine. Called with k.mu held.
func (k *Keeper) obey(s *Settings) {
	k.told = s
	k.drains.Store(s.Drain)
	other := k.turn != nil && k.turn.turns != s.Requests
	if !other {
		k.turn.allow(s.MaxRequests)
	}
	k.next(step.Started{Settings: &s.Settings, OtherLine: other})
}

func (k *Keeper) stop(own *Settings) {
	k.mu.Lock()
	if !slices.Contains(k.settings, own) {
		k.mu.Unlock()
		return // stopped already
	}
	obeyed := k.settings[len(k.settings)-1]
	k.settings = slices.DeleteFunc(k.settings, func(s *Settings) bool { return s == own })
	if n := len(k.settings); n > 0 {
		if obeyed == own {
			k.obey(k.settings[n-1])
		}
		k.mu.Unlock()
		return
	}
	unwatch := k.unwatch
	k.unwatch = nil
	k.next(step.Stopped{})
	if k.look.leave() {
		go k.run() // it never began, and does not look now
	}
	k.mu.Unlock()
	unwatch()
	k.awaitEnd()
}

// lastChance is how long a stop waits for what is only in memory to be written:
// the disk may be writable again, as it will not be for us.
const lastChance = 5 * time.Second

// awaitEnd returns when nothing is under way any more, or another configuration
// has started. What could not be written by then is given up.
func (k *Keeper) awaitEnd() {
	var last *time.Timer
	var over <-chan time.Time
	abandoned := false
	for {
		k.mu.Lock()
		if len(k.settings) > 0 || (abandoned || k.state.Done()) && !k.running {
			k.mu.Unlock()
			return
		}
		if k.state.Phase() == grant.Idle && last == nil {
			last = time.NewTimer(lastChance)
			defer last.Stop()
			over = last.C
		}
		changed := k.change()
		k.mu.Unlock()
		select {
		case <-changed:
		case <-over:
			abandoned = true
			k.step(step.Abandoned{})
		}
	}
}

// Recheck looks at the record, the seed and the clocks again. It is called when
// the record was changed by another holder, and every few seconds for all
// keepers, because timers stand still while a machine is suspended.
func (k *Keeper) Recheck() { k.step(step.Poked{}) }

// Tick is Recheck for keepers that have a reason: a refresh that is overdue by
// either clock, or a grant that somebody may have renewed. It is cheap for all
// others.
func (k *Keeper) Tick() {
	now := k.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.settings) > 0 && k.state.Overdue(now) {
		k.next(step.Poked{})
	}
}

// step hands an event to the machine.
func (k *Keeper) step(e step.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next(e)
}

// next hands an event to the machine and takes over what comes of it: what is
// published, held and planned follows from the state, and the effects are
// performed by one goroutine, in their order. Called with k.mu held.
func (k *Keeper) next(e step.Event) {
	effects := k.decide(e)
	for _, effect := range effects {
		switch effect := effect.(type) {
		case step.CallOff:
			k.request.callOff(errStopping)
			continue
		case step.Connect:
			k.request = newRequest(effect, k.told)
		case step.Tell:
			k.queue = append(k.queue, k.eventOf(effect))
			continue
		}
		k.queue = append(k.queue, effect)
	}
	k.publish()
	switch follows := k.state.HoldsForAnother(); {
	case k.open != nil && !k.state.HoldsRequests() && !follows:
		k.endHold()
	case k.open == nil && follows:
		k.open = k.gate.shut().open
	}
	k.arm()
	k.broadcast()
	if len(k.queue) > 0 && !k.running {
		k.begin()
	}
}

// decide is Next. A bug in it leaves the state as it was, and ends what is under
// way.
func (k *Keeper) decide(e step.Event) (effects []step.Effect) {
	defer func() {
		if r := recover(); r != nil {
			effects = nil
			met := step.Panicked{Facts: panicked(r)}
			switch e := e.(type) {
			case step.Panicked:
				return
			case step.Answered:
				met.Answer = &e.Answer
			}
			effects = k.decide(met)
		}
	}()
	state, effects := grant.Next(k.state, e, k.momentOf(e))
	k.state = state
	k.unconfirmed.Store(state.Unconfirmed())
	return effects
}

// begin lets the effects be performed. The first look waits for its turn: without
// a goroutine, since there may be very many. Called with k.mu held.
func (k *Keeper) begin() {
	k.running = true
	if look, ok := k.queue[0].(step.Look); !ok || !look.Config || len(k.settings) == 0 {
		go k.run()
		return
	}
	var now bool
	if k.look, now = k.told.Looks.take(maxLooks, k.waiting.Load() > 0, func(*turn) { go k.run() }); now {
		go k.run()
	}
}

// run performs effects until there are no more.
func (k *Keeper) run() {
	for {
		k.mu.Lock()
		if len(k.queue) == 0 {
			k.queue, k.running = nil, false
			if k.state.Phase() == grant.Idle { // what they were made of is secret, and large
				k.inputs, k.request = noInputs, nil
			}
			k.broadcast()
			k.mu.Unlock()
			return
		}
		effect := k.queue[0]
		k.queue = k.queue[1:]
		k.mu.Unlock()
		k.perform(effect)
	}
}

// arm sets the timer to when something is to be done. Called with k.mu held.
func (k *Keeper) arm() {
	wait, ok := k.state.Wake(k.now())
	switch {
	case !ok && k.timer != nil:
		k.timer.Stop()
	case !ok:
	case k.timer == nil:
		k.timer = time.AfterFunc(wait, k.Recheck)
	default:
		k.timer.Reset(wait)
	}
}

// publish makes the token of the state the one that is injected. Called with k.mu
// held.
func (k *Keeper) publish() {
	l := k.state.Live()
	if l == k.live {
		return
	}
	was := k.live
	k.live = l
	if l == nil {
		k.current.Store(nil)
		k.former.Store(nil)
		return
	}
	t := tokenOf(l, k.state.Record())
	if t == nil {
		k.current.Store(nil)
		k.former.Store(nil)
		return
	}
	before := k.current.Load()
	switch {
	case before != nil && before.AccessToken == t.AccessToken:
		t.Certificate = before.Certificate // it was not issued just now
		t.settled.Store(before.settled.Load())
	case k.request != nil && k.request.access == t.AccessToken:
		t.Certificate = k.request.certificate
	}
	k.current.Store(t)
	if before == nil || before.AccessToken != t.AccessToken {
		k.keepFormer(was, l, before)
	}
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
