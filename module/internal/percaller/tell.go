package percaller

import (
	"sync"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/panics"
	"lamplighter/module/internal/tokenendpoint"
)

// calm is how long no exchange must have failed before a row of failures is
// said to have ended: with some of them failing, each success would end one.
const calm = time.Minute

// news keeps what is told in order.
type news struct {
	mu       sync.Mutex
	failedAt time.Time // of the row of failures whose end nobody was told yet
	crowded  time.Time // until when nobody is told again that there are too many exchanges
}

// tell hands an event over. What listens to it is not ours.
func (x *Exchange) tell(e keeper.Event) { _ = panics.Contain(func() { x.Notify(e) }) }

// tellFailed reports an exchange that failed. What only the caller can mend is
// told to the caller alone.
func (c *Cache) tellFailed(x *Exchange, a *tokenendpoint.Answer, f *Failure, asked time.Time) {
	if x.Notify == nil {
		return
	}
	c.news.mu.Lock()
	defer c.news.mu.Unlock()
	now := time.Now()
	c.news.failedAt = now
	x.tell(keeper.Event{
		Kind: finding.TokenRefreshFailed, At: now.Round(0), Status: a.Status, Duration: now.Sub(asked),
		Trouble: f.Trouble(), RetryIn: f.RetryAfter,
	})
}

// tellTooMany reports, once a second at most, that an exchange found no place.
func (c *Cache) tellTooMany(x *Exchange, f *Failure) {
	c.news.mu.Lock()
	due := !f.At.Before(c.news.crowded)
	if due {
		c.news.crowded = f.At.Add(time.Second)
	}
	c.news.mu.Unlock()
	if due {
		c.tellFailed(x, &tokenendpoint.Answer{}, f, time.Now())
	}
}

// tellGranted reports the end of a row of failures. Other successes are not
// reported: there is one per caller.
func (c *Cache) tellGranted(x *Exchange, a *tokenendpoint.Answer, e *entry, now time.Time) {
	if x.Notify == nil {
		return
	}
	c.news.mu.Lock()
	defer c.news.mu.Unlock()
	if c.news.failedAt.IsZero() || now.Sub(c.news.failedAt) < calm {
		return
	}
	c.news.failedAt = time.Time{}
	x.tell(keeper.Event{
		Kind: finding.TokenObtained, At: now.Round(0), Status: a.Status,
		ExpiresAt: e.token.ExpiresAt, NextRefresh: e.renewAt.Round(0),
	})
}
