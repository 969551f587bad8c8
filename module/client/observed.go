package client

import (
	"github.com/caddyserver/caddy/v2"

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
var counted = caddy.NewUsagePool()

// sharedCounts returns the counts of a client, to be given back.
func sharedCounts(client string) (*observe.Counts, error) {
	value, _, err := counted.LoadOrNew(client, func() (caddy.Destructor, error) {
		return pooled[*observe.Counts]{value: new(observe.Counts)}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(pooled[*observe.Counts]).value, nil
}
