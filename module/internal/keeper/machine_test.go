package keeper

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/tokenendpoint"
)

// machine is a process with a keeper.
type machine struct {
	rig    *rig
	number int
	store  *memoryStore
	keeper *Keeper
	dead   atomic.Bool  // killed
	skew   atomic.Int64 // of its own wall clock
	ended  atomic.Bool  // stopped in good order
	asking atomic.Bool
	turns  Turns // which its keeper shares with nobody, unless a test takes one

	mu     sync.Mutex
	looks  int // rounds of all time
	rounds int // at the moment of round
	round  time.Time
	stops  []func()
	events []Event
	known  map[string]bool // refresh tokens that an answer consumed or refused
	onTell func(Event)
}

func (r *rig) newProcess() *machine {
	p := &machine{rig: r, number: len(r.processes), known: make(map[string]bool)}
	p.store = &memoryStore{disk: r.disk, proc: p}
	p.keeper = New("erp", p.store, p.wall)
	p.keeper.state = grant.New(p.name(), 1)
	random := r.random
	if random == nil {
		random = rand.New(rand.NewPCG(1, uint64(p.number))).Float64
	}
	p.keeper.draw = random
	r.processes = append(r.processes, p)
	return p
}

func (p *machine) wall() time.Time { return p.rig.wall().Add(time.Duration(p.skew.Load())) }

// name is what the process calls itself in the journal.
func (p *machine) name() string { return fmt.Sprintf("process%02d", p.number) }

// turn is when it is a process's turn, of several that wait for the same thing:
// one after the other, so that a history repeats itself.
func (p *machine) turn() time.Duration { return time.Duration(p.number) * time.Millisecond }

// boot starts a process with one configuration.
func (r *rig) boot(edits ...func(*Settings)) *machine {
	p := r.newProcess()
	p.start(edits...)
	return p
}

// start starts a further configuration.
func (p *machine) start(edits ...func(*Settings)) (stop func()) {
	s := Settings{
		Settings: step.Settings{
			Rotating: true, RequireRotation: true,
			RefreshWindowRatio: 1.0 / 3, MinRefreshInterval: time.Second, Timeout: 30 * time.Second,
		},
		Resolve: p.resolve, Notify: p.notify,
	}
	for _, edit := range edits {
		edit(&s)
	}
	stop = p.keeper.Start(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stops = append(p.stops, stop)
	return stop
}

func drain(s *Settings) { s.Drain, s.Quiesce = true, 2*time.Second }

// inTurn lets the keeper ask only when it is its turn.
func (p *machine) inTurn(s *Settings) { s.Looks, s.Requests, s.MaxRequests = new(Turns), &p.turns, 1 }

func cacheOnly(s *Settings) { s.Rotating, s.RequireRotation = false, false }

func (p *machine) resolve() (Inputs, error) {
	p.countRound()
	p.rig.mu.Lock()
	defer p.rig.mu.Unlock()
	if p.rig.resolveErr != nil {
		return Inputs{}, p.rig.resolveErr
	}
	return Inputs{
		Inputs: step.Inputs{Seed: p.rig.seed, Binding: p.rig.binding, Outdated: p.rig.outdated},
		Ask: func(ctx context.Context, q Request) tokenendpoint.Answer {
			return p.rig.server.ask(ctx, p, q.RefreshToken, q.BeforeSend)
		},
	}, nil
}

// countRound ends a process that goes round and round and lets no time pass.
func (p *machine) countRound() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now != p.round {
		p.rounds, p.round = 0, now
	}
	p.looks++
	if p.rounds++; p.rounds == 1000 {
		p.rig.Errorf("%s spins: %d rounds at one moment", p.name(), p.rounds)
		go p.kill()
	}
}

func (p *machine) notify(e Event) {
	if p.dead.Load() {
		return
	}
	p.mu.Lock()
	p.events = append(p.events, e)
	tell := p.onTell
	p.mu.Unlock()
	if tell != nil {
		tell(e)
	}
}

// halt stops every configuration, as SIGTERM does.
func (p *machine) halt() {
	p.mu.Lock()
	stops := p.stops
	p.stops = nil
	p.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
	p.ended.Store(true)
}

// kill ends the process at this instruction: nothing it does after has an effect.
func (p *machine) kill() {
	if p.dead.Swap(true) {
		return
	}
	p.store.unwatch()
	p.rig.disk.mu.Lock()
	if h := p.rig.disk.holder; h != nil && h.store == p.store {
		if lease := p.rig.disk.lease; lease > 0 {
			time.AfterFunc(lease, func() { p.rig.disk.overdue(h) })
		} else {
			p.rig.disk.free(h)
		}
	}
	p.rig.disk.mu.Unlock()
	p.answered()
	go p.halt() // so that its goroutines end
}

// answered ends the request that is under way.
func (p *machine) answered() {
	if p.asking.Swap(false) {
		p.rig.server.mu.Lock()
		p.rig.server.inFlight--
		p.rig.server.mu.Unlock()
	}
}

// learn remembers which tokens must not be presented again.
func (p *machine) learn(token string, a tokenendpoint.Answer) {
	if a.Outcome == tokenendpoint.Refused || a.RefreshToken != "" && a.RefreshToken != token {
		p.mu.Lock()
		p.known[token] = true
		p.mu.Unlock()
	}
}

// acquire returns a token or the error, waiting no longer than 10 s.
func (p *machine) acquire() (*Token, error) {
	pass, err := p.keeper.Acquire(p.rig.Context(), 10*time.Second, false)
	return pass.Token, err
}

// token returns the valid token that must be there.
func (p *machine) token() *Token {
	p.rig.Helper()
	t, err := p.acquire()
	if err != nil {
		p.rig.Fatalf("no token: %v (%+v)", err, p.keeper.Status())
	}
	return t
}

// unavailable returns the error that must be there instead of a token.
func (p *machine) unavailable() *Unavailable {
	p.rig.Helper()
	t, err := p.acquire()
	var u *Unavailable
	if !errors.As(err, &u) {
		p.rig.Fatalf("got token %v and error %v, want Unavailable", t, err)
	}
	return u
}

func (p *machine) unavailableAtOnce() *Unavailable {
	p.rig.Helper()
	began := time.Now()
	u := p.unavailable()
	if took := time.Since(began); took > 0 {
		p.rig.Errorf("the answer took %v, want it at once", took)
	}
	return u
}

func (p *machine) told(kind finding.Kind) []Event {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []Event
	for _, e := range p.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// toldOnce returns the one event of a kind.
func (p *machine) toldOnce(kind finding.Kind) Event {
	p.rig.Helper()
	found := p.told(kind)
	if len(found) != 1 {
		p.rig.Fatalf("%d events %s, want one: %+v", len(found), explain.Event(kind), found)
	}
	return found[0]
}

// tick lets time pass as a process does that calls Tick every few seconds.
func (p *machine) tick(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(15*time.Second, time.Until(end)))
		p.keeper.Tick()
	}
	synctest.Wait()
}

// said are the words for something.
type said struct{ Detail, Remedy string }

func (p *machine) about() explain.About {
	return explain.About{Client: "erp", Place: p.store.Describe("erp"), Process: p.name(), Rotating: p.keeper.obeyed().Rotating}
}

func (p *machine) said(t finding.Trouble) (s said) {
	s.Detail, s.Remedy = explain.Of(t, p.about())
	return s
}

func (p *machine) saidOf(e Event) (s said) {
	s.Detail, s.Remedy = explain.OfEvent(e.Kind, e.Trouble, p.about())
	return s
}
