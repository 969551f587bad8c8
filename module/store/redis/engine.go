package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"lamplighter/module/internal/redact"
	"lamplighter/module/store"
)

// Engine keeps objects in hashes of a server. Its connections are a pool's.
type Engine struct {
	source     *source
	keys       keys
	durability durability

	closing context.Context // ends with Close
	close   context.CancelFunc

	mu     sync.Mutex
	client *redis.Client

	epoch   atomic.Pointer[string]
	waitAOF atomic.Bool // the server has WAITAOF, and it is what proves a write
}

var (
	errClosed  = fmt.Errorf("%w: it is closed", store.ErrUnavailable)
	errClosing = errors.New("it was closed")
	errAnswer  = errors.New("the answer is none of the script's")
)

func newEngine(s *source, prefix string, d durability) *Engine {
	e := &Engine{source: s, keys: keys(prefix), durability: d}
	e.closing, e.close = context.WithCancel(context.Background())
	e.tell("")
	return e
}

// tell takes note of the epoch.
func (e *Engine) tell(epoch string) {
	if known := e.epoch.Load(); known == nil || *known != epoch {
		e.epoch.Store(&epoch)
	}
}

// connected returns the client, which is made at the first call.
func (e *Engine) connected() (*redis.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing.Err() != nil {
		return nil, errClosed
	}
	if e.client == nil {
		client, err := e.source.client()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", store.ErrRefused, err)
		}
		e.client = client
	}
	return e.client, nil
}

// The states of a call that writes.
const (
	notSent = iota // nothing was sent yet
	sent           // nobody knows, unless the server says so
	givenUp        // nothing was sent, nor will be
)

// call is one call under way. The library sees deadlines, but not that somebody gives up.
type call struct {
	state atomic.Int32
}

// send is called before something is sent that writes. It proves that the connection
// lives: of what is sent on a dead one nobody knows anything.
func (c *call) send(ctx context.Context, conn *redis.Conn) error {
	if err := conn.Ping(ctx).Err(); err != nil {
		return err
	}
	if !c.state.CompareAndSwap(notSent, sent) {
		return context.Canceled
	}
	return nil
}

// on runs a call on a connection of its own, and says what an error means.
func (e *Engine) on(ctx context.Context, run func(context.Context, *call, *redis.Conn) error) error {
	client, err := e.connected()
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return e.fault(err, notSent)
	}
	c, done := new(call), make(chan error, 1)
	go func() {
		conn := client.Conn()
		defer conn.Close()
		done <- run(ctx, c, conn)
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	case <-e.closing.Done():
		err = errClosing
	}
	if err == nil {
		return nil
	}
	c.state.CompareAndSwap(notSent, givenUp)
	return e.fault(err, int(c.state.Load()))
}

// write runs a script that writes.
func (e *Engine) write(ctx context.Context, script, key string, args ...any) (answer []any, err error) {
	err = e.on(ctx, func(ctx context.Context, c *call, conn *redis.Conn) error {
		if err := c.send(ctx, conn); err != nil {
			return err
		}
		got, err := conn.Eval(ctx, script, []string{key}, args...).Slice()
		if err != nil {
			return err
		}
		answer, err = e.read(got)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// read takes the epoch from a script's answer.
func (e *Engine) read(got []any) ([]any, error) {
	if len(got) < 2 {
		return nil, errAnswer
	}
	e.tell(text(got[0]))
	return got[1:], nil
}

// text is a part of an answer.
func text(part any) string {
	s, _ := part.(string)
	return s
}

// done reports whether a script says that it did what it was asked to.
func done(answer []any) bool { return len(answer) > 0 && answer[0] == int64(1) }

// Epoch is the primary's replication ID.
func (e *Engine) Epoch() string { return *e.epoch.Load() }

// Describe names the key of an object.
func (e *Engine) Describe(name string) string {
	return fmt.Sprintf("key %s of Redis at %s", strconv.Quote(e.keys.object(name)), redact.Text(e.source.place()))
}

// Close ends all connections, and calls that are under way.
func (e *Engine) Close() error {
	e.close()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.client == nil {
		return nil
	}
	client := e.client
	e.client = nil
	return client.Close()
}
