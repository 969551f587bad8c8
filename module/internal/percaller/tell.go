package percaller

import (
	"time"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

// calm is how long no exchange must have failed before a row of failures is
// said to have ended: with some of them failing, each success would end one.
const calm = time.Minute

// tellFailed reports an exchange that failed. What only the caller can mend is
// told to the caller alone.
func (c *Cache) tellFailed(x Exchange, a tokenendpoint.Answer, f *Failure, asked time.Time) {
	if x.Notify == nil {
		return
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	now := time.Now()
	c.failedAt = now
	x.Notify(keeper.Event{
		Kind: keeper.TokenRefreshFailed, At: now.Round(0), Status: a.Status, Duration: now.Sub(asked),
		Cause: f.Cause, Detail: f.Detail, Remedy: f.Remedy(), RetryIn: f.RetryAfter,
	})
}

// tellGranted reports the end of a row of failures. Other successes are not
// reported: there is one per caller.
func (c *Cache) tellGranted(x Exchange, a tokenendpoint.Answer, e *entry, now time.Time) {
	if x.Notify == nil {
		return
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	if c.failedAt.IsZero() || now.Sub(c.failedAt) < calm {
		return
	}
	c.failedAt = time.Time{}
	x.Notify(keeper.Event{
		Kind: keeper.TokenObtained, At: now.Round(0), Status: a.Status,
		ExpiresAt: e.token.ExpiresAt, Lifetime: e.token.ExpiresAt.Sub(e.token.ObtainedAt), NextRefresh: e.renewAt.Round(0),
	})
}
