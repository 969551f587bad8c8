package percaller

import (
	"container/list"
	"context"
	"errors"
	"time"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/panics"
	"lamplighter/module/internal/tokenendpoint"
)

// flight is one exchange: it waits in the line, is under way, and has landed.
type flight struct {
	x      Exchange
	held   *entry // the token that it replaces, nil if there is none
	forced bool   // an upstream answered 401 to that

	// Guarded by the line's mutex.
	callers int        // who wait for it
	queue   *list.List // where it waits, nil otherwise
	place   *list.Element

	done    chan struct{} // closed when it has landed
	token   *keeper.Token // may be read then
	failure *Failure      // instead of a token
}

// renews reports whether the caller has a token already.
func (f *flight) renews() bool { return f.held != nil }

// wanted reports whether anybody has use for its token: a caller that waits for
// it, or one that comes back, as those do whose token is still valid.
func (f *flight) wanted(now time.Time) bool {
	return f.callers > 0 || f.renews() && now.Before(f.held.deadline)
}

var landed = func() chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}()

// settled is an exchange that need not be made, because its outcome is known.
func settled(token *keeper.Token, failure *Failure) *flight {
	return &flight{done: landed, token: token, failure: failure}
}

// join returns the exchange for a key, which many may wait for: the one that runs
// or waits already, or a new one. used is the token that an upstream answered 401
// to, if that is the reason.
func (c *Cache) join(x Exchange, used *keeper.Token, callers int) *flight {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	if f := c.line.flights[x.Key]; f != nil {
		f.callers += callers
		return f
	}
	now := time.Now()
	held, known := c.known(&x, used, now)
	if known != nil {
		return known
	}
	f := &flight{x: x, held: held, forced: held != nil && used != nil, callers: callers, done: make(chan struct{})}
	displaced, ok := c.line.admit(f)
	if !ok {
		return settled(nil, tooMany(now))
	}
	if displaced != nil {
		displaced.failure = tooMany(now)
		close(displaced.done)
	}
	c.launch(now)
	return f
}

// known returns what is kept for a key, and an outcome if that makes an exchange
// superfluous, or forbids it. Called with c.line.mu held: whoever was faster has
// left it there before it left the line.
func (c *Cache) known(x *Exchange, used *keeper.Token, now time.Time) (held *entry, outcome *flight) {
	held, _ = c.tokens.get(x.Key, now)
	switch {
	case held == nil:
	case used == nil && now.Before(held.renewAt), // it is fresh
		used != nil && used != held.token,       // it is another one
		used != nil && now.Before(held.forceAt): // it was asked for already
		return held, settled(held.token, nil)
	}
	if r, ok := c.refusals.get(x.Key, now); ok && now.Before(r.until) {
		return held, settled(nil, r.failure.later(r.until, now))
	}
	if why := c.pause.over(x.Settings, now); why != nil {
		return held, settled(nil, why)
	}
	return held, nil
}

// leave is called by a caller that waits no longer. An exchange that nobody has use
// for any more is dropped before it is sent.
func (c *Cache) leave(f *flight) {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	f.callers--
	if f.place != nil && !f.wanted(time.Now()) {
		c.drop(f)
	}
}

// drop ends an exchange that waits and that nobody wants. Called with c.line.mu
// held.
func (c *Cache) drop(f *flight) {
	c.line.remove(f)
	f.failure = slow()
	close(f.done)
}

// launch begins the exchanges whose turn it is. In a pause all of them end without
// being sent. Called with c.line.mu held.
func (c *Cache) launch(now time.Time) {
	for f := c.line.first(); f != nil; f = c.line.first() {
		if !f.wanted(now) {
			c.drop(f)
			continue
		}
		if why := c.pause.over(f.x.Settings, now); why != nil {
			c.line.remove(f)
			f.failure = why
			close(f.done)
			continue
		}
		if c.line.underWay >= c.pause.atOnce(f.x.Settings) {
			return
		}
		c.line.call(f)
		c.line.underWay++
		go c.fly(f)
	}
}

// fly makes one exchange, on a context that no caller can cancel. A panic ends that
// exchange only.
func (c *Cache) fly(f *flight) {
	defer c.land(f)
	f.failure = internal(errors.New("an exchange that ended without an outcome"), time.Now()) // which is left if it does
	asked := time.Now()
	var a tokenendpoint.Answer
	err := panics.Contain(func() {
		ctx, cancel := context.WithTimeout(context.Background(), f.x.Timeout)
		defer cancel()
		a = f.x.Ask(ctx)
		c.judge(f, &a, asked)
	})
	if err != nil && f.token == nil {
		c.fail(f, &tokenendpoint.Answer{}, internal(err, time.Now()), asked)
	}
}

// land ends an exchange that was under way, and calls the next.
func (c *Cache) land(f *flight) {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	delete(c.line.flights, f.x.Key)
	c.line.underWay--
	close(f.done)
	c.launch(time.Now())
}
