package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"lamplighter/module/store"
)

// Get reads a hash.
func (e *Engine) Get(ctx context.Context, name string) (store.Object, error) {
	found, err := e.fetch(ctx, []string{name}, true)
	if err != nil {
		return store.Object{}, err
	}
	if len(found) == 0 {
		return store.Object{}, fmt.Errorf("%s: %w", e.Describe(name), store.ErrNotFound)
	}
	return found[0], nil
}

// fetch reads the objects of these names that exist.
func (e *Engine) fetch(ctx context.Context, names []string, data bool) (found []store.Object, err error) {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = e.keys.object(name)
	}
	wanted := "0"
	if data {
		wanted = "1"
	}
	var answer []any
	err = e.on(ctx, func(ctx context.Context, _ *call, conn *redis.Conn) error {
		got, err := conn.Eval(ctx, getting, keys, wanted).Slice()
		if err != nil {
			return err
		}
		answer, err = e.read(got)
		return err
	})
	if err != nil {
		return nil, err
	}
	now, _ := strconv.ParseInt(text(answer[0]), 10, 64)
	for _, row := range answer[1:] {
		v, _ := row.([]any)
		if len(v) != 4 {
			continue
		}
		i, _ := v[0].(int64)
		if i < 1 || int(i) > len(names) {
			continue
		}
		o := store.Object{Name: names[i-1], Tag: store.Tag(text(v[1])), Age: ageOf(now, text(v[2]))}
		if data {
			o.Data = []byte(text(v[3]))
		}
		found = append(found, o)
	}
	return found, nil
}

// ageOf is how long ago something was written, in microseconds of the server's clock.
func ageOf(now int64, written string) time.Duration {
	at, err := strconv.ParseInt(written, 10, 64)
	if err != nil || at > now {
		return store.UnknownAge // its clock went back, or the version is another server's
	}
	return time.Duration(now-at) * time.Microsecond
}

// Put writes a hash, and waits until it is kept.
func (e *Engine) Put(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
	tag := rand.Text()
	err := e.on(ctx, func(ctx context.Context, c *call, conn *redis.Conn) error {
		if err := c.send(ctx, conn); err != nil {
			return err
		}
		pipe := conn.Pipeline()
		put := pipe.Eval(ctx, putting, []string{e.keys.object(name)}, string(ifTag), tag, data, e.keys.channel(), name)
		proof := e.prove(ctx, pipe)
		_, _ = pipe.Exec(ctx) // each command has its own error
		got, err := put.Slice()
		if err != nil {
			return err
		}
		answer, err := e.read(got)
		if err != nil {
			return err
		}
		if !done(answer) {
			return fmt.Errorf("%s: %w", e.Describe(name), store.ErrConflict)
		}
		return e.proved(proof)
	})
	if err != nil {
		return "", err
	}
	return store.Tag(tag), nil
}

// page is how many objects one script reads: what a server does meanwhile is nothing else.
const (
	page     = 100
	pageTags = 1000
)

// List reads hashes, page by page.
func (e *Engine) List(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
	size := pageTags
	if data {
		size = page
	}
	if names == nil {
		var err error
		if names, err = e.scan(ctx); err != nil {
			return err
		}
	}
	for len(names) > 0 {
		n := min(size, len(names))
		found, err := e.fetch(ctx, names[:n], data)
		if err != nil {
			return err
		}
		for _, o := range found {
			if !yield(o) {
				return nil
			}
		}
		names = names[n:]
	}
	return nil
}

// scan returns the names of all objects.
func (e *Engine) scan(ctx context.Context) (names []string, err error) {
	seen := make(map[string]bool)
	for cursor := uint64(0); ; {
		var found []string
		err := e.on(ctx, func(ctx context.Context, _ *call, conn *redis.Conn) (err error) {
			found, cursor, err = conn.Scan(ctx, cursor, e.keys.pattern(), pageTags).Result()
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, key := range found {
			if name, ok := e.keys.name(key); ok && !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
		if cursor == 0 {
			return names, nil
		}
	}
}
