// Package percaller keeps the access tokens that callers' own tokens are
// exchanged for (RFC 8693): one per subject token, obtained when it is first
// needed, and forgotten when it expires or there are too many.
//
// It knows time and tokens. It must not know HTTP or Caddy: the token endpoint
// is a function it is given. What is durable, and what is kept fresh without
// anybody asking, is the keeper's business.
package percaller

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/patrickmn/go-cache"
	"golang.org/x/sync/singleflight"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

// Cache keeps the tokens of one client's callers. It has no goroutine while
// nobody asks.
type Cache struct {
	tokens  *cache.Cache // of *entry, by Key
	flights singleflight.Group

	mu    sync.Mutex
	order []Key // of insertion, for making room
	next  int

	last    atomic.Pointer[Failure]
	waiting atomic.Int64

	telling  sync.Mutex
	failedAt time.Time // of the row of failures whose end nobody was told yet
}

// New returns an empty cache.
func New() *Cache {
	// Cleanup interval 0: go-cache's janitor would be a goroutine per client.
	// What has expired is removed when room is needed.
	return &Cache{tokens: cache.New(cache.NoExpiration, 0)}
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

	// MaxEntries is how many tokens are kept; the oldest makes room.
	MaxEntries int
}

// Failure says why there is no token. It holds no secret.
type Failure struct {
	// Refused says that it is the subject token that was refused, so that only
	// the caller can mend it.
	Refused bool

	// Misconfigured says that somebody must change the client's settings.
	Misconfigured bool

	Cause, Detail string
	At            time.Time
	RetryAfter    time.Duration
}

// Remedy says what to do about it.
func (f *Failure) Remedy() string {
	switch {
	case f.Refused:
		return "send a valid access token of your own with the request"
	case f.Misconfigured:
		return "correct the client's settings, or what the authorization server lets it exchange, and reload"
	}
	return "none needed if it passes: the exchange is repeated with the next request"
}

// Error names the cause.
func (f *Failure) Error() string { return "no token for this caller: " + f.Cause }

// entry is what is known for a key.
type entry struct {
	token    *keeper.Token
	failure  *Failure  // instead of a token
	renewAt  time.Time // from then on it is exchanged anew
	deadline time.Time // monotonic; the cache itself follows the wall clock
	forced   bool      // obtained because an upstream answered 401
}

// Failures are remembered for so long, so that a caller in a loop is no attack
// on the token endpoint.
const (
	failureKept = time.Second
	refusalKept = 5 * time.Second
	renewPause  = 30 * time.Second // after an exchange that failed while the token is still valid
)

// Token returns the token for a caller, and obtains it if there is none,
// together with everybody else who asks for the same. It waits up to wait. The
// error is a *Failure or that of ctx.
func (c *Cache) Token(ctx context.Context, wait time.Duration, x Exchange) (*keeper.Token, error) {
	e := c.get(x.Key)
	if e == nil {
		return c.obtain(ctx, wait, x, false)
	}
	if e.failure != nil {
		return nil, e.failure
	}
	if !time.Now().Before(e.renewAt) {
		c.start(x, false) // the next request has it
	}
	return e.token, nil
}

// Unauthorized says what to do with the 401 that an upstream answered to a
// token, and obtains another one for the caller if this one is the newest: once,
// until it expires.
func (c *Cache) Unauthorized(ctx context.Context, wait time.Duration, x Exchange, used *keeper.Token) keeper.Verdict {
	e := c.get(x.Key)
	switch {
	case e == nil, e.failure != nil:
		return keeper.Final
	case e.token != used:
		return keeper.Stale
	case e.forced:
		return keeper.Final
	}
	if _, err := c.obtain(ctx, wait, x, true); err != nil {
		return keeper.Final
	}
	return keeper.Renewed
}

// Len returns how many tokens and remembered failures there are.
func (c *Cache) Len() int {
	c.tokens.DeleteExpired()
	return c.tokens.ItemCount()
}

// Waiting returns how many requests wait for an exchange.
func (c *Cache) Waiting() int64 { return c.waiting.Load() }

// LastFailure returns the newest failure that is not a caller's own, nil if the
// last exchange succeeded.
func (c *Cache) LastFailure() *Failure { return c.last.Load() }

func (c *Cache) get(key Key) *entry {
	v, ok := c.tokens.Get(string(key))
	if !ok {
		return nil
	}
	e := v.(*entry)
	if !time.Now().Before(e.deadline) {
		return nil
	}
	return e
}

// obtain waits for an exchange that runs, or makes one.
func (c *Cache) obtain(ctx context.Context, wait time.Duration, x Exchange, forced bool) (*keeper.Token, error) {
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	done := c.start(x, forced)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case r := <-done:
		e := r.Val.(*entry)
		if e.failure != nil {
			return nil, e.failure
		}
		return e.token, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, &Failure{
			Cause: "slow", Detail: "the token endpoint has not answered yet",
			At: time.Now(), RetryAfter: time.Second,
		}
	}
}

// start makes an exchange, on a context that no caller can cancel, unless one
// runs for the same key.
func (c *Cache) start(x Exchange, forced bool) <-chan singleflight.Result {
	return c.flights.DoChan(string(x.Key), func() (any, error) {
		if e := c.get(x.Key); e != nil && !forced && time.Now().Before(e.renewAt) {
			return e, nil // somebody else was faster
		}
		ctx, cancel := context.WithTimeout(context.Background(), x.Timeout)
		defer cancel()
		asked := time.Now()
		return c.judge(x, x.Ask(ctx), asked, forced), nil
	})
}

// judge remembers what an answer means.
func (c *Cache) judge(x Exchange, a tokenendpoint.Answer, asked time.Time, forced bool) *entry {
	now := time.Now()
	if a.Outcome == tokenendpoint.Granted && a.Unusable == "" {
		c.last.Store(nil)
		lifetime := a.ExpiresIn
		if exp, ok := expiryOf(x.SubjectToken); ok {
			lifetime = min(lifetime, exp.Sub(asked.Round(0)))
		}
		e := &entry{
			token: &keeper.Token{
				AccessToken: a.AccessToken, IDToken: a.IDToken, Response: a.Response,
				ObtainedAt: asked.Round(0), ExpiresAt: asked.Round(0).Add(lifetime),
			},
			renewAt:  asked.Add(time.Duration(float64(lifetime) * (1 - x.RefreshWindowRatio))),
			deadline: asked.Add(lifetime),
			forced:   forced,
		}
		c.put(x, e, e.deadline.Sub(now))
		c.tellGranted(x, a, e, now)
		return e
	}

	f := &Failure{Cause: a.Cause, Detail: a.Detail, At: now.Round(0), RetryAfter: max(time.Second, a.RetryAfter)}
	kept := failureKept
	switch {
	case a.Outcome == tokenendpoint.Granted:
		f.Misconfigured, f.Cause, f.Detail = true, keeper.CauseUnusable, "the access token cannot be injected: "+a.Unusable
	case a.Outcome == tokenendpoint.Refused, a.Cause == "invalid_request", a.Cause == "invalid_token":
		// RFC 8693 section 2.2.2: an unacceptable subject token is invalid_request.
		f.Refused, kept = true, refusalKept
	case a.Outcome == tokenendpoint.Misconfigured:
		f.Misconfigured = true
	}
	if !f.Refused {
		c.last.Store(f)
		c.tellFailed(x, a, f, asked)
	}
	if old := c.get(x.Key); old != nil && old.token != nil && !f.Refused {
		// It is still good: try again later.
		again := *old
		again.renewAt = now.Add(renewPause)
		c.put(x, &again, old.deadline.Sub(now))
		return &again
	}
	e := &entry{failure: f, deadline: now.Add(kept), renewAt: now.Add(kept)}
	c.put(x, e, kept)
	return e
}

// put keeps an entry for a while, and makes room for it.
func (c *Cache) put(x Exchange, e *entry, ttl time.Duration) {
	if ttl <= 0 {
		return // for go-cache that would be for ever
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.tokens.Get(string(x.Key)); !known {
		c.makeRoom(x)
	}
	c.tokens.Set(string(x.Key), e, ttl)
}

// makeRoom drops the key that was inserted longest ago if there are too many,
// and notes the new one. Called with c.mu held.
func (c *Cache) makeRoom(x Exchange) {
	limit := max(1, x.MaxEntries)
	if len(c.order) > limit { // after a reload with a lower limit
		for _, key := range c.order {
			c.tokens.Delete(string(key))
		}
		c.order, c.next = nil, 0
	}
	if len(c.order) < limit {
		c.order = append(c.order, x.Key)
		return
	}
	c.next %= limit
	c.tokens.Delete(string(c.order[c.next]))
	c.order[c.next] = x.Key
	c.next++
}

// expiryOf reads the exp of a JWT. Nobody verifies it: it can only shorten.
func expiryOf(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Exp <= 0 || claims.Exp > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Exp), 0), true
}
