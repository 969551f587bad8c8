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
	taking := `INSERT INTO ` + e.tables.leases + ` AS l (name, holder, tag) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, tag = excluded.tag WHERE l.holder = $2 OR l.tag = $4 RETURNING 1`
	var taken bool
	err := e.on(ctx, sent, func(ctx context.Context, conn *pgx.Conn) error {
		result, err := conn.Exec(ctx, taking, name, holder, rand.Text(), string(over))
		taken = result.RowsAffected() > 0
		return err
	})
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
	return l.change(ctx, `UPDATE `+l.engine.tables.leases+` SET tag = $3 WHERE name = $1 AND holder = $2`, l.name, l.holder, rand.Text())
}

// Release deletes the row, and tells of it.
func (l *lease) Release(ctx context.Context) error {
	return l.change(ctx, `WITH d AS (DELETE FROM `+l.engine.tables.leases+` WHERE name = $1 AND holder = $2 RETURNING 1) SELECT pg_notify($3, $1) FROM d`, l.name, l.holder, l.engine.tables.prefix)
}

func (l *lease) change(ctx context.Context, sql string, args ...any) error {
	return l.engine.on(ctx, sent, func(ctx context.Context, conn *pgx.Conn) error {
		result, err := conn.Exec(ctx, sql, args...)
		if err == nil && result.RowsAffected() == 0 {
			return fmt.Errorf("the lease of %s: %w", l.name, store.ErrConflict)
		}
		return err
	})
}
