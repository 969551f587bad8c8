package client

import (
	"lamplighter/module/cause"
	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/observe"
	"lamplighter/module/records"
)

// about is what words about the client need to know of it.
func (c *Client) about() explain.About {
	about := explain.About{Client: c.name, Place: c.keeper.Place(), Process: keeper.Process, Rotating: c.cfg.Rotating(), Supply: cause.SupplyOf(c.server.Identity().RefreshToken), Former: c.formerly, NoLogin: !c.cfg.LogsIn()}
	if c.record != nil {
		about.Store = c.record.Use.Kind()
	}
	if c.set != nil {
		about.Flags = c.set.flags
	}
	return about
}

// formerly returns another record that may hold the client's grant, if it has none.
func (c *Client) formerly() *explain.Former {
	req, err := c.server.Resolve(nil)
	if err != nil || c.set == nil {
		return nil
	}
	owner := c.set.stores.Former(c.record, c.server.Binding(req).Grant, func(name string) bool { return c.set.Get(name) != nil })
	if owner == nil {
		return nil
	}
	return &explain.Former{Client: owner.Client, Place: owner.Place, Store: owner.Store}
}

// Explain says in a sentence what keeps the client's token from being valid, and in
// another what to do about it.
func (c *Client) Explain(t finding.Trouble) (detail, remedy string) { return explain.Of(t, c.about()) }

// Observed yields the clients as metrics show them.
func (s *Set) Observed(yield func(observe.Observed) bool) {
	for _, c := range s.List() {
		o := observe.Observed{
			Name: c.name, GrantType: c.cfg.GrantType, Counts: c.counts, Status: c.state(), Waiting: c.waiting(), CacheEntries: -1, Files: c.files.States(),
			Proves: c.cfg.DPoP != nil,
		}
		_, o.LeaseHeld, o.Shared = c.record.Lease()
		if c.callers != nil {
			o.CacheEntries = c.callers.Len()
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
	s.stores.Tell(records.StoreEvents{
		LeaseTakenOver: func(client, from string) {
			if c := s.Get(client); c != nil {
				c.counts.Takeovers.Add(1)
			}
			s.events.LeaseTakenOver(client, from)
		},
		LeaseLost:  s.events.LeaseLost,
		Away:       s.events.StoreAway,
		Back:       s.events.StoreBack,
		Unheard:    s.events.StoreUnheard,
		RolledBack: s.events.StoreRolledBack,
	})
}
