package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"lamplighter/module/store"
)

const (
	// quiet is how long nothing is told before the connection is tried, and pong how
	// long its answer may take.
	quiet = 10 * time.Second
	pong  = 3 * time.Second
)

// Watch subscribes on a connection of its own.
func (e *Engine) Watch(ctx context.Context, names []string, ready func(), changed func(string)) error {
	client, err := e.connected()
	if err != nil {
		return err
	}
	subscription := client.Subscribe(ctx, e.keys.channel())
	end := func() { _ = subscription.Close() }
	defer end()
	defer context.AfterFunc(ctx, end)()
	defer context.AfterFunc(e.closing, end)()
	watched := make(map[string]bool, len(names))
	for _, name := range names {
		watched[name] = true
	}
	err = receive(ctx, subscription, ready, func(name string) {
		if watched[name] {
			changed(name)
		}
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case e.closing.Err() != nil:
		return errClosed
	case strings.Contains(err.Error(), "unknown command"):
		return fmt.Errorf("%w: %w", store.ErrNoWatch, e.fault(err, notSent))
	}
	return e.fault(err, notSent)
}

// receive tells what comes, until the connection fails or is silent for too long.
func receive(ctx context.Context, subscription *redis.PubSub, ready func(), changed func(string)) error {
	patience, pinged := pong, false
	for {
		news, err := subscription.ReceiveTimeout(ctx, patience)
		silent := net.Error(nil)
		switch {
		case err == nil:
			pinged, patience = false, quiet
		case errors.As(err, &silent) && silent.Timeout() && !pinged && patience == quiet:
			if err := subscription.Ping(ctx); err != nil {
				return err
			}
			pinged, patience = true, pong
			continue
		default:
			return err
		}
		switch n := news.(type) {
		case *redis.Subscription:
			ready() // also after the library has subscribed anew
		case *redis.Message:
			changed(n.Payload)
		}
	}
}
