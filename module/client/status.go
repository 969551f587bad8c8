package client

import (
	"math"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/keeper"
)

// Status is what operators see of the client.
func (c *Client) Status() adminapi.ClientStatus { return c.status(c.state(), time.Now()) }

// History are its last events, the oldest first.
func (c *Client) History() []adminapi.ClientEvent { return c.counts.History.Shown(c.about()) }

// status is what they see of a state.
func (c *Client) status(st keeper.Status, now time.Time) adminapi.ClientStatus {
	s := clientStatus(st, now)
	s.Detail, s.Remedy = c.Explain(st.Trouble)
	s.GrantType, s.DeclaredAt, s.CacheEntries = c.cfg.GrantType, c.declaredAt, c.cacheEntries()
	if store, up, ok := c.record.Use.Shared(); ok && !c.cfg.PerCaller() {
		s.Store, s.StoreUp = store, &up
		s.LeaseHolder, s.LeaseHeld, _ = c.record.Lease()
	}
	if req, err := c.server.Resolve(nil); err == nil {
		s.TokenEndpoint = c.server.Binding(req).TokenEndpoint
	}
	return s
}

func clientStatus(st keeper.Status, now time.Time) adminapi.ClientStatus {
	s := adminapi.ClientStatus{
		Client:     st.Client,
		Token:      st.Token,
		State:      string(st.State),
		Generation: st.Generation,
		ObtainedAt: st.ObtainedAt,
		ExpiresAt:  st.ExpiresAt,
		Cause:      st.Trouble.Cause,
		Unsaved:    st.Unsaved,
		Record:     st.Record,
	}
	s.GrantExpiresAt = st.GrantExpiresAt
	if st.Token == "valid" {
		s.ExpiresIn = math.Round(st.ExpiresAt.Sub(now).Seconds()*1000) / 1000
	}
	if st.Trouble.At != 0 {
		s.Since = time.Unix(0, st.Trouble.At).UTC()
	}
	if st.Planned {
		next := math.Round(st.NextAttempt.Seconds()*1000) / 1000
		s.NextRefreshIn = &next
	}
	return s
}
