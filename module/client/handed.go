package client

import (
	"time"

	"lamplighter/module/internal/keeper"
)

// HandsOut says that tokens of the client are handed to others, whose requests nobody sees.
// It is called before Start.
func (c *Client) HandsOut() { c.handsOut = true }

// NextRefresh is how long it is until another token is asked for, false if that is not
// planned.
func (c *Client) NextRefresh() (time.Duration, bool) { return c.keeper.NextRefresh() }

// Handed says that the caller was given the token itself. A rotation that lets it die gives
// what the caller sends with it some time.
func (p *Pass) Handed() { p.client.keeper.Handed() }

// Refused acts on the word of a caller who was handed the token and says that an upstream
// refused it. It waits, up to wait, for a refresh that runs, and may bring one about. It
// returns 0 if there is a newer token, and otherwise when one may be forced. Errors are
// those of [Client.Pass].
func (p *Pass) Refused(wait time.Duration) (retry time.Duration, err error) {
	c := p.client
	c.counts.Unauthorized.Add(1)
	if c.callers == nil {
		return c.keeper.Refused(p.req.Context(), p.held.Token, wait)
	}
	if c.callers.Unauthorized(p.req, p.held.Token, wait) != keeper.Final {
		return 0, nil
	}
	return max(time.Second, c.callers.ForcedIn(p.req)), nil
}
