package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"lamplighter/module/store"
)

// microseconds since a version was written, by the server's clock.
const age = `(extract(epoch FROM clock_timestamp() - written) * 1000000)::bigint`

func ageOf(microseconds int64) time.Duration {
	if microseconds < 0 {
		return store.UnknownAge // its clock went back, or the version is another server's
	}
	return time.Duration(microseconds) * time.Microsecond
}

// Get reads a row.
func (e *Engine) Get(ctx context.Context, name string) (store.Object, error) {
	table, key := e.tables.of(name)
	o := store.Object{Name: name}
	err := e.on(ctx, notSent, func(ctx context.Context, conn *pgx.Conn) error {
		// The epoch is told whether there is a row or not.
		var found *string
		var microseconds *int64
		var epoch string
		sql := "SELECT r.data, r.tag, " + age + ", " + *e.era.Load() + " FROM (SELECT 1) one LEFT JOIN " + table + " r ON r.name = $1 AND octet_length(r.data) > 0"
		if err := conn.QueryRow(ctx, sql, key).Scan(&o.Data, &found, &microseconds, &epoch); err != nil {
			return err
		}
		if err := e.met(epoch); err != nil {
			return err
		}
		if found == nil {
			return fmt.Errorf("%s: %w", e.Describe(name), store.ErrNotFound)
		}
		o.Tag, o.Age = store.Tag(*found), ageOf(*microseconds)
		return nil
	})
	if err != nil {
		return store.Object{}, err
	}
	return o, nil
}

// The ways to write, each a statement that is its own transaction. What was pre-made
// without data does not exist.
const (
	update = `UPDATE %s SET data = $2, tag = $3, written = clock_timestamp() WHERE name = $1 AND tag = $4 AND octet_length(data) > 0 RETURNING 1`
	insert = `INSERT INTO %s AS r (name, data, tag, written) SELECT $1, $2, $3, clock_timestamp() WHERE $4 = ''
		ON CONFLICT (name) DO UPDATE SET data = excluded.data, tag = excluded.tag, written = excluded.written WHERE octet_length(r.data) = 0 RETURNING 1`

	// The setting holds until the end of the statement's transaction, in which it is
	// looked at, whatever role or pooler say.
	putting = `WITH w AS (%s) SELECT (SELECT count(*) FROM w), set_config('synchronous_commit', 'on', true), %s`

	telling = `SELECT pg_notify($1, $2)`
)

// Put writes a row, and tells of it in a transaction that follows: one that tells holds a
// lock of the whole server until it is on the disk, and writes would wait for each other.
func (e *Engine) Put(ctx context.Context, name string, data []byte, ifTag store.Tag) (store.Tag, error) {
	table, key := e.tables.of(name)
	write := update
	if ifTag == "" {
		write = insert
	}
	tag := rand.Text()
	sql := fmt.Sprintf(putting, fmt.Sprintf(write, table), *e.era.Load())
	err := e.on(ctx, sent, func(ctx context.Context, conn *pgx.Conn) error {
		warned(conn.PgConn())
		var written int
		var epoch string
		if err := conn.QueryRow(ctx, sql, key, data, tag, string(ifTag)).Scan(&written, nil, &epoch); err != nil {
			return err
		}
		if err := e.met(epoch); err != nil {
			return fmt.Errorf("%w: %s", store.ErrUnknown, err.Error()) // it was written there, and is lost
		}
		if written == 0 {
			return fmt.Errorf("%s: %w", e.Describe(name), store.ErrConflict)
		}
		if warning := warned(conn.PgConn()); warning != "" {
			return fmt.Errorf("%w: %s", store.ErrUnknown, warning)
		}
		_, _ = conn.Exec(ctx, telling, e.tables.prefix, name) // if it is not told, it is polled for
		return nil
	})
	if err != nil {
		return "", err
	}
	return store.Tag(tag), nil
}

// List reads rows of both tables, as one answer that is not kept as a whole.
func (e *Engine) List(ctx context.Context, names []string, data bool, yield func(store.Object) bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	return e.on(ctx, notSent, func(ctx context.Context, conn *pgx.Conn) error {
		if err := e.findEpoch(ctx, conn); err != nil {
			return err
		}
		clients, claims := []string{}, []string{}
		for _, name := range names {
			if part, ok := store.ClaimsPart(name); ok {
				claims = append(claims, part)
			} else {
				clients = append(clients, name)
			}
		}
		if more, err := e.listTable(ctx, conn, e.tables.records, "", clients, names == nil, data, yield); err != nil || !more {
			return err
		}
		_, err := e.listTable(ctx, conn, e.tables.claims, store.ClaimsName(""), claims, names == nil, data, yield)
		return err
	})
}

// listTable lists a table, whose keys are what follows prefix in a name.
func (e *Engine) listTable(ctx context.Context, conn *pgx.Conn, table, prefix string, keys []string, all, data bool, yield func(store.Object) bool) (more bool, err error) {
	if !all && len(keys) == 0 {
		return true, nil
	}
	column := "NULL::bytea"
	if data {
		column = "data"
	}
	sql := "SELECT name, tag, " + age + ", " + column + " FROM " + table + " WHERE octet_length(data) > 0"
	args := []any{}
	if !all {
		sql += " AND name = ANY($1)"
		args = append(args, keys)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		var o store.Object
		var tag string
		var microseconds int64
		if err := rows.Scan(&o.Name, &tag, &microseconds, &o.Data); err != nil {
			return false, err
		}
		o.Name, o.Tag, o.Age = prefix+o.Name, store.Tag(tag), ageOf(microseconds)
		if !yield(o) {
			stop() // else what is left would be read to its end
			return false, nil
		}
	}
	return true, rows.Err()
}
