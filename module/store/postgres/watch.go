package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"lamplighter/module/store"
)

const (
	// quiet is how long nothing is told before the connection is tried, and pong how
	// long its answer may take.
	quiet = 10 * time.Second
	pong  = 3 * time.Second
)

// Watch listens on a connection of its own. Behind a pooler of transactions, LISTEN
// succeeds and nothing ever comes: that is tried first.
func (e *Engine) Watch(ctx context.Context, names []string, ready func(), changed func(string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.mu.Lock()
	if e.closing.Err() != nil {
		e.mu.Unlock()
		return errClosed
	}
	e.watches.Add(1)
	e.mu.Unlock()
	defer e.watches.Done()
	defer context.AfterFunc(e.closing, cancel)()
	conn, err := e.listen(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	ready()
	watched := make(map[string]bool, len(names))
	for _, name := range names {
		watched[name] = true
	}
	for {
		news, err := next(ctx, conn)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return e.fault(err, notSent)
		case news != nil && watched[news.Payload]:
			changed(news.Payload)
		}
	}
}

// next waits for a notification, or else proves that the connection lives.
func next(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	waiting, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	news, err := conn.WaitForNotification(waiting)
	if err == nil || !errors.Is(waiting.Err(), context.DeadlineExceeded) || conn.IsClosed() {
		return news, err
	}
	pinging, cancel := context.WithTimeout(ctx, pong)
	defer cancel()
	return nil, conn.Ping(pinging)
}

// listen connects, and proves that what others tell is heard.
func (e *Engine) listen(ctx context.Context) (*pgx.Conn, error) {
	config, err := e.source.config()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrRefused, err)
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, e.fault(err, notSent)
	}
	if err := e.heard(ctx, conn); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

func (e *Engine) heard(ctx context.Context, conn *pgx.Conn) error {
	trying, cancel := context.WithTimeout(ctx, pong)
	defer cancel()
	if _, err := conn.Exec(trying, "LISTEN "+pgx.Identifier{e.tables.prefix}.Sanitize()); err != nil {
		if c := code(err); c == "0A000" || c == "42601" {
			return fmt.Errorf("%w: %w", store.ErrNoWatch, said(store.ErrUnavailable, err))
		}
		return e.fault(err, notSent)
	}
	test := "?" + rand.Text() // no object has such a name
	if err := e.notify(trying, test); err != nil {
		// What broke the last watch has perhaps ended that connection.
		if err := e.notify(trying, test); err != nil {
			return err
		}
	}
	for {
		news, err := conn.WaitForNotification(trying)
		switch {
		case err == nil && news.Payload == test:
			return nil
		case err == nil:
		case ctx.Err() == nil && trying.Err() != nil:
			return fmt.Errorf("%w: the server takes LISTEN, and then tells nothing, as behind a pooler of transactions: name the server itself, or let the pooler keep sessions", store.ErrNoWatch)
		default:
			return e.fault(err, notSent)
		}
	}
}

func (e *Engine) notify(ctx context.Context, text string) error {
	return e.on(ctx, notSent, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, telling, e.tables.prefix, text)
		return err
	})
}
