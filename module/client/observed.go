package client

import (
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/words"
	"lamplighter/module/observe"
	"lamplighter/module/records"
)

// about is what words about the client need to know of it.
func (c *Client) about() words.About {
	return words.About{Client: c.name, Place: c.keeper.Place(), Process: keeper.Process, Rotating: c.cfg.Rotating(), Former: c.formerly}
}

// formerly returns another record that may hold the client's grant, if it has none.
func (c *Client) formerly() *words.Former {
	req, err := c.server.Resolve(nil)
	if err != nil || c.set == nil {
		return nil
	}
	owner := c.set.stores.Former(c.record, c.server.Binding(req).Grant, func(name string) bool { return c.set.Get(name) != nil })
	if owner == nil {
		return nil
	}
	return &words.Former{Client: owner.Client, Place: owner.Place, Store: owner.Store}
}

// Explain says in a sentence what keeps the client's token from being valid, and in
// another what to do about it.
func (c *Client) Explain(t grant.Trouble) (detail, remedy string) { return words.Of(t, c.about()) }

// Observed yields the clients as metrics show them.
func (s *Set) Observed(yield func(observe.Observed) bool) {
	for _, c := range s.List() {
		o := observe.Observed{
			Name: c.name, GrantType: c.cfg.GrantType, Counts: c.counts, Status: c.state(), Waiting: c.waiting(), CacheEntries: -1,
		}
		_, o.LeaseHeld, o.Shared = c.record.Lease()
		if c.cfg.PerCaller() {
			o.CacheEntries = c.cacheEntries()
		}
		if !yield(o) {
			return
		}
	}
}

// ObservedStores yields the shared stores as metrics show them.
func (s *Set) ObservedStores(yield func(observe.Store) bool) {
	for _, st := range s.stores.Shared() {
		if !yield(observe.Store{Name: st.Name, Up: st.Status.Up, Calls: st.Calls}) {
			return
		}
	}
}

// tellStores has operators told of what happens in shared stores.
func (s *Set) tellStores() {
	emit := func(event string, level zapcore.Level, message string, fields map[string]any) {
		entries := make([]zap.Field, 0, len(fields)+1)
		for name, value := range fields {
			entries = append(entries, zap.Any(name, value))
		}
		s.logger.Log(level, message, append(entries, zap.String("event", event))...)
		s.events.EmitStore(event, fields)
	}
	s.stores.Tell(records.StoreEvents{
		LeaseTakenOver: func(client, from string) {
			if c := s.Get(client); c != nil {
				c.counts.Takeovers.Add(1)
			}
			emit(observe.LeaseTaken, zapcore.WarnLevel, "lease taken over from a replica that did not renew it", map[string]any{"client": client, "from": from})
		},
		LeaseLost: func(client string, err error) {
			emit(observe.LeaseLost, zapcore.WarnLevel, "lease lost", map[string]any{"client": client, "detail": err.Error()})
		},
		Away: func(store string, err error) {
			emit(observe.StoreUnavailable, zapcore.ErrorLevel, "store is away", map[string]any{"store": store, "detail": err.Error()})
		},
		Back: func(store string) { s.logger.Info("store is back", zap.String("store", store)) },
		RolledBack: func(store string) {
			emit(observe.StoreRolledBack, zapcore.ErrorLevel, "store has lost writes that it had acknowledged; nobody refreshes until everybody could write back what is missing", map[string]any{"store": store})
		},
	})
}

// counted are the counts of all clients, by name as in the metrics: a record that
// moves to another store gets another keeper, but counts go on.
var counted counts

// counts are there as long as a configuration uses them.
type counts struct {
	mu      sync.Mutex
	clients map[string]*sharedCounts
}

type sharedCounts struct {
	observe.Counts
	users int
}

func (n *counts) take(client string) *observe.Counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.clients[client] == nil {
		if n.clients == nil {
			n.clients = make(map[string]*sharedCounts)
		}
		n.clients[client] = new(sharedCounts)
	}
	n.clients[client].users++
	return &n.clients[client].Counts
}

func (n *counts) giveBack(client string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.clients[client].users--; n.clients[client].users == 0 {
		delete(n.clients, client)
	}
}
