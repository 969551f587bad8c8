package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/record"
	"lamplighter/module/observe"
	"lamplighter/module/placeholder"
	"lamplighter/module/records"
	"lamplighter/module/tokenfile"
)

// Set are the clients of one configuration, and what they share: kinds, seeds, stores,
// and turns to ask an authorization server.
type Set struct {
	ctx    caddy.Context
	logger *zap.Logger
	events *observe.Emitter

	maxRequests int    // at a time at one authorization server
	flags       string // with which commands find this process

	kinds  *kinds
	stores *records.Stores

	mu      sync.Mutex
	clients map[string]*Client
	seeds   map[record.Fingerprint]*Client // whose they are; until Start
	turns   map[string]*keeper.Turns       // by authorization server
	files   tokenfile.Paths                // until Start
	others  func() map[string]string       // what else is in files, by their paths; nil if they are kept
	stopped chan struct{}
}

// NewSet returns a set without clients, whose events go to an emitter, and which makes so
// many token requests at a time at one authorization server. Their records are in the
// store of that JSON unless they name another one.
func NewSet(ctx caddy.Context, events *observe.Emitter, maxRequests int, inGeneral json.RawMessage) *Set {
	return &Set{
		ctx: ctx, logger: ctx.Logger(), events: events, maxRequests: maxRequests, kinds: &kinds{store: inGeneral}, stores: new(records.Stores),
		flags: observe.AdminFlags(ctx), clients: make(map[string]*Client), seeds: make(map[record.Fingerprint]*Client), turns: make(map[string]*keeper.Turns),
	}
}

// Files are those that clients' tokens are kept in, for who knows where none may be, before
// there are clients.
func (s *Set) Files() *tokenfile.Paths { return &s.files }

// List returns the clients in the order of their names.
func (s *Set) List() []*Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sorted()
}

// sorted is List. Called with s.mu held.
func (s *Set) sorted() []*Client {
	return slices.SortedFunc(maps.Values(s.clients), func(one, other *Client) int { return strings.Compare(one.name, other.name) })
}

// StoreObjects are what somebody has to make for the stores.
func (s *Set) StoreObjects() []string { return s.stores.Objects() }

// Get returns the client of a name, nil if there is none.
func (s *Set) Get(name string) *Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients[name]
}

// tickInterval is how often the clocks are compared, since timers stand still
// while a machine is suspended, and lost grants look for a new seed.
const tickInterval = 10 * time.Second

// Start lets all clients work.
func (s *Set) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Records are looked at when all apps have started, or a request wants one.
	resume := looks.Pause()
	defer s.events.AfterStart(resume)
	s.tellStores()
	s.stores.Open(s.ctx)
	clients := s.sorted()
	for _, c := range clients {
		if err := c.check(s.ctx); err != nil {
			return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: %w", c.name, err))
		}
	}
	s.stores.Run(s.ctx)
	inParallel(len(clients), func(i int) {
		clients[i].Start(s.maxRequests)
		clients[i].seed, clients[i].seedErr = 0, nil
	})
	s.events.Start()
	s.stopped = make(chan struct{})
	go s.tick(clients, s.stopped)
	s.seeds, s.files = nil, tokenfile.Paths{} // all clients are known, and there may be very many
	return nil
}

// tick lets every keeper compare the clocks.
func (s *Set) tick(clients []*Client, stopped <-chan struct{}) {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, c := range clients {
				observe.Contain(s.logger, "while the clocks were compared", c.keeper.Tick)
			}
		case <-stopped:
			return
		}
	}
}

// Stop ends the work of the clients that no other configuration has.
func (s *Set) Stop() {
	s.mu.Lock()
	if s.stopped != nil {
		close(s.stopped)
		s.stopped = nil
	}
	clients := slices.Collect(maps.Values(s.clients))
	s.mu.Unlock() // whoever asks for the clients meanwhile need not wait
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(c.Stop)
	}
	wg.Wait()
	s.stores.Close()
	s.events.Stop()
}

// Release gives back what the clients share with other configurations.
func (s *Set) Release() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clients {
		err = errors.Join(err, c.release())
	}
	err = errors.Join(err, s.stores.Release())
	for server := range s.turns {
		_, turnsErr := requests.Delete(server)
		err = errors.Join(err, turnsErr)
	}
	s.clients, s.turns = nil, nil
	return err
}

// check looks at what the client finds in its place. Only what no time heals is
// an error: clients that need no durable state go on without, and others say so
// when they need it.
func (c *Client) check(ctx context.Context) error {
	if !c.cfg.Rotating() {
		return nil
	}
	if err := c.record.CheckPlace(); err != nil || c.seedErr == nil {
		return err
	}
	_, seedErr := c.suppliedSeed() // it may be there by now
	if seedErr != nil && c.record.Missing(ctx) {
		return fmt.Errorf("%w; it is needed because there is no record of an earlier run at %s: put it there, or take refresh_token away, start, and run 'lamplighter tokens import %s'", seedErr, c.record.Describe(), c.name)
	}
	return nil
}
