package client

import (
	"sync"

	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/words"
	"lamplighter/module/observe"
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
		if c.cfg.PerCaller() {
			o.CacheEntries = c.cacheEntries()
		}
		if !yield(o) {
			return
		}
	}
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
