// Package percaller keeps the access tokens that callers' own tokens are
// exchanged for (RFC 8693): one per subject token, obtained when it is first
// needed, and forgotten when it expires or there are too many.
//
// Callers may do what they like: send garbage, come by the thousand, and go away.
// What that costs is bounded for each client: tokens and refusals are kept so many
// at most, apart from each other (bounded), exchanges run and wait so many at most
// (line), and the authorization server is left alone when it wants to be (pause).
//
// It knows time and tokens. It must not know HTTP or Caddy: the token endpoint
// is a function it is given. What is durable, and what is kept fresh without
// anybody asking, is the keeper's business.
package percaller

import (
	"context"
	"crypto/sha256"
	"sync/atomic"
	"time"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

// Cache keeps the tokens of one client's callers. It has no goroutine while
// nobody asks.
type Cache struct {
	tokens   *bounded[*entry]
	refusals *bounded[*refusal]
	line     line
	pause    pause
	news     news

	last    atomic.Pointer[Failure]
	waiting atomic.Int64
}

// New returns an empty cache.
func New() *Cache {
	return &Cache{
		tokens: newBounded[*entry](), refusals: newBounded[*refusal](),
		line: line{flights: make(map[Key]*flight)},
	}
}

// Key stands for a subject token and the settings it is exchanged with. It is a
// hash: no token can be read from it.
type Key string

// KeyOf returns the key of a subject token under settings of that fingerprint.
func KeyOf(settings, subjectToken string) Key {
	var space [512]byte
	sum := sha256.Sum256(append(append(append(space[:0], settings...), 0), subjectToken...))
	return Key(sum[:])
}

// Exchange is how a subject token is exchanged.
type Exchange struct {
	Key Key

	// Settings are the fingerprint of those that it is exchanged with. A pause that
	// one server wants does not hold for another.
	Settings string

	// SubjectToken is what is exchanged. If it is a JWT, its exp bounds how long
	// the token obtained for it is used.
	SubjectToken string

	// Ask makes one token request.
	Ask func(ctx context.Context) tokenendpoint.Answer

	// Notify is told of each exchange that fails without the caller's fault, and
	// of the one that ends a row of them. Never concurrently; may be nil.
	Notify func(keeper.Event)

	// Timeout bounds one token request.
	Timeout time.Duration

	// RefreshWindowRatio is the share of the lifetime that remains when the
	// token is exchanged anew, while requests go on with the old one.
	RefreshWindowRatio float64

	// MaxEntries is how many tokens are kept. What has expired makes room, and then
	// what was used longest ago.
	MaxEntries int
}

// Token returns the token for a caller, and obtains it if there is none,
// together with everybody else who asks for the same. It waits up to wait. The
// error is a *Failure or that of ctx.
func (c *Cache) Token(ctx context.Context, wait time.Duration, x Exchange) (*keeper.Token, error) {
	now := time.Now()
	e, ok := c.tokens.get(x.Key, now)
	if !ok {
		return c.obtain(ctx, wait, x, nil)
	}
	if !now.Before(e.renewAt) {
		c.join(x, nil, 0) // a later request has it
	}
	return e.token, nil
}

// Unauthorized says what to do with the 401 that an upstream answered to a token,
// and obtains another one for the caller if this one is the newest: at growing
// intervals, whether that brings one or not.
func (c *Cache) Unauthorized(ctx context.Context, wait time.Duration, x Exchange, used *keeper.Token) keeper.Verdict {
	now := time.Now()
	e, ok := c.tokens.get(x.Key, now)
	switch {
	case !ok && now.Before(used.ExpiresAt):
		return keeper.Final // the caller's own token was refused, or others needed the room
	case ok && e.token != used:
		return keeper.Stale
	case ok && now.Before(e.forceAt):
		return keeper.Final
	}
	if token, err := c.obtain(ctx, wait, x, used); err != nil || token == used {
		return keeper.Final
	}
	return keeper.Renewed
}

// ForcedIn is how long it is until a 401 may bring another exchange about for the caller, 0
// if one may now.
func (c *Cache) ForcedIn(x Exchange) time.Duration {
	now := time.Now()
	e, ok := c.tokens.get(x.Key, now)
	if !ok {
		return 0
	}
	return max(0, e.forceAt.Sub(now))
}

// Len returns how many tokens and remembered failures there are.
func (c *Cache) Len() int {
	now := time.Now()
	return c.tokens.len(now) + c.refusals.len(now)
}

// Waiting returns how many requests wait for an exchange.
func (c *Cache) Waiting() int64 { return c.waiting.Load() }

// LastFailure returns the newest failure that is not a caller's own, nil if the
// last exchange succeeded.
func (c *Cache) LastFailure() *Failure { return c.last.Load() }

// obtain waits for an exchange. used is the token that an upstream answered 401 to,
// if that is the reason.
func (c *Cache) obtain(ctx context.Context, wait time.Duration, x Exchange, used *keeper.Token) (*keeper.Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := c.join(x, used, 1)
	defer c.leave(f)
	if err := c.await(ctx, wait, f); err != nil {
		return nil, err
	}
	if f.failure == nil {
		return f.token, nil
	}
	if f.failure.Cause == causeTooMany {
		c.last.Store(f.failure)
		c.tellTooMany(&x, f.failure)
	}
	return nil, f.failure
}

// await waits until an exchange has landed.
func (c *Cache) await(ctx context.Context, wait time.Duration, f *flight) error {
	select {
	case <-f.done:
		return nil
	default:
	}
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return slow()
	}
}
