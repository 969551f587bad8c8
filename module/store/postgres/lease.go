package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"lamplighter/module/store"
)

// lease is a row that its holder has in the table of leases.
type lease struct {
	engine       *Engine
	name, holder string
}

// Acquire tries to put a row into the table of leases, or to take over the one that is
// there.
func (e *Engine) Acquire(ctx context.Context, name, holder string, over store.Tag) (store.Lease, store.Held, error) {
	taken, err := e.change(ctx, `INSERT INTO `+e.tables.leases+` AS l (name, holder, tag) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, tag = excluded.tag WHERE l.holder = $2 OR l.tag = $4 RETURNING 1`,
		name, holder, rand.Text(), string(over))
	switch {
	case err != nil:
		return nil, store.Held{}, err
	case taken:
		return &lease{e, name, holder}, store.Held{}, nil
	}
	var held store.Held
	err = e.on(ctx, notSent, func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, `SELECT holder, tag FROM `+e.tables.leases+` WHERE name = $1`, name).Scan(&held.Holder, &held.Tag)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // given back since
		}
		return err
	})
	return nil, held, err
}

// Renew gives the row another tag.
func (l *lease) Renew(ctx context.Context) error {
	return l.held(l.engine.change(ctx, `UPDATE `+l.engine.tables.leases+` SET tag = $3 WHERE name = $1 AND holder = $2 RETURNING 1`, l.name, l.holder, rand.Text()))
}

// Release deletes the row, and tells of it.
func (l *lease) Release(ctx context.Context) error {
	return l.held(l.engine.change(ctx, `DELETE FROM `+l.engine.tables.leases+` WHERE name = $1 AND holder = $2 RETURNING pg_notify($3, $1)`, l.name, l.holder, l.engine.tables.prefix))
}

// held is an error unless the row was there.
func (l *lease) held(there bool, err error) error {
	if err == nil && !there {
		return fmt.Errorf("the lease of %s: %w", l.name, store.ErrConflict)
	}
	return err
}

// changing does not wait for the disk: a crash of the server may lose a lease, which only
// saves attempts, and an attempt is journaled in the record.
const changing = `WITH c AS (%s) SELECT (SELECT count(*) FROM c), set_config('synchronous_commit', 'off', true)`

// change runs a statement on a row of the table of leases, and reports whether it was there.
func (e *Engine) change(ctx context.Context, statement string, args ...any) (there bool, err error) {
	err = e.on(ctx, sent, func(ctx context.Context, conn *pgx.Conn) error {
		var rows int
		err := conn.QueryRow(ctx, fmt.Sprintf(changing, statement), args...).Scan(&rows, nil)
		there = rows > 0
		return err
	})
	return there, err
}
