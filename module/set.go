package module

import (
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
	"lamplighter/module/observe"
	"lamplighter/module/placeholder"
)

// set are the clients of one configuration, and what they share: kinds, seeds, stores,
// and turns to ask an authorization server.
type set struct {
	ctx    caddy.Context
	logger *zap.Logger
	events *observe.Emitter

	maxRequests int // at a time at one authorization server

	mu        sync.Mutex
	clients   map[string]*Client
	kinds     *kinds
	seeds     seeds                    // of all clients
	storeUses map[string]*storeUse     // by directory
	turns     map[string]*keeper.Turns // by authorization server
	stopped   chan struct{}
}

func newSet(ctx caddy.Context) *set {
	return &set{
		ctx: ctx, logger: ctx.Logger(), clients: make(map[string]*Client), kinds: new(kinds), seeds: make(seeds),
		storeUses: make(map[string]*storeUse), turns: make(map[string]*keeper.Turns),
	}
}

// list returns the clients in the order of their names.
func (s *set) list() []*Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sorted()
}

// sorted is list. Called with s.mu held.
func (s *set) sorted() []*Client {
	return slices.SortedFunc(maps.Values(s.clients), func(one, other *Client) int { return strings.Compare(one.name, other.name) })
}

// get returns the client of a name, nil if there is none.
func (s *set) get(name string) *Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients[name]
}

// tickInterval is how often the clocks are compared, since timers stand still
// while a machine is suspended, and lost grants look for a new seed.
const tickInterval = 10 * time.Second

// start lets all clients work.
func (s *set) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Records are looked at when all apps have started, or a request wants one.
	resume := looks.Pause()
	defer s.events.AfterStart(resume)
	for _, u := range s.storeUses {
		u.open(s.ctx)
	}
	clients := s.sorted()
	for _, c := range clients {
		if err := c.check(s.ctx); err != nil {
			return placeholder.Located(c.declaredAt, fmt.Errorf("client %s: %w", c.name, err))
		}
	}
	inParallel(len(clients), func(i int) { s.startClient(clients[i]) })
	s.events.Start()
	s.stopped = make(chan struct{})
	go s.tick(clients, s.stopped)
	return nil
}

func (s *set) startClient(c *Client) {
	if kind := c.use.network; kind != "" && c.cfg.Rotating() {
		s.logger.Warn("the record is on a network file system, whose locks and syncs may not hold what they promise: keep it on a local disk or a volume of its own",
			zap.String("client", c.name), zap.String("record", c.use.store.Describe(c.name)), zap.String("file_system", kind))
	}
	c.start(s.maxRequests)
	if !c.inPlace {
		c.declared = nil // nobody compares it any more, and there may be very many
	}
	c.seed, c.seedErr = 0, nil
}

// tick lets every keeper compare the clocks.
func (s *set) tick(clients []*Client, stopped <-chan struct{}) {
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

// stop ends the work of the clients that no other configuration has.
func (s *set) stop() {
	s.mu.Lock()
	if s.stopped != nil {
		close(s.stopped)
		s.stopped = nil
	}
	clients, uses := slices.Collect(maps.Values(s.clients)), slices.Collect(maps.Values(s.storeUses))
	s.mu.Unlock() // whoever asks for the clients meanwhile need not wait
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(c.stop)
	}
	wg.Wait()
	for _, u := range uses {
		u.close()
	}
	if s.events != nil {
		s.events.Stop()
	}
}

// release gives back what the clients share with other configurations.
func (s *set) release() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clients {
		err = errors.Join(err, c.release())
	}
	for dir := range s.storeUses {
		_, storeErr := stores.Delete(dir)
		err = errors.Join(err, storeErr)
	}
	for server := range s.turns {
		_, turnsErr := requests.Delete(server)
		err = errors.Join(err, turnsErr)
	}
	s.clients, s.storeUses, s.turns = nil, nil, nil
	return err
}
