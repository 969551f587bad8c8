package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dustin/go-humanize/english"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"lamplighter/module/internal/redact"
	"lamplighter/module/store"
)

// Engine keeps objects in tables of a database. Its connections are a pool's.
type Engine struct {
	source *source
	tables tables
	local  bool // asynchronous standbys are accepted

	closing context.Context // ends with Close
	close   context.CancelFunc

	mu      sync.Mutex
	pool    *pgxpool.Pool
	watches sync.WaitGroup

	at    atomic.Pointer[pgx.ConnConfig] // the last way to connect, for people
	epoch atomic.Pointer[string]
	era   atomic.Pointer[string] // the SQL that tells the epoch
}

var errClosed = fmt.Errorf("%w: it is closed", store.ErrUnavailable)

func newEngine(s *source, table string, local bool) *Engine {
	e := &Engine{source: s, tables: tablesOf(table), local: local}
	e.closing, e.close = context.WithCancel(context.Background())
	e.tell(&e.epoch, "")
	e.tell(&e.era, whole)
	return e
}

func (e *Engine) tell(what *atomic.Pointer[string], value string) {
	if known := what.Load(); known == nil || *known != value {
		what.Store(&value)
	}
}

// connected returns the pool, which is made at the first call.
func (e *Engine) connected() (*pgxpool.Pool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing.Err() != nil {
		return nil, errClosed
	}
	if e.pool != nil {
		return e.pool, nil
	}
	config, err := e.source.config()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrRefused, err)
	}
	e.at.Store(config.ConnConfig)
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error { return e.renewed(c) }
	e.pool, err = pgxpool.NewWithConfig(e.closing, config)
	return e.pool, err
}

// renewed makes c what the settings mean now.
func (e *Engine) renewed(c *pgx.ConnConfig) error {
	config, err := e.source.config()
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrRefused, err)
	}
	e.at.Store(config.ConnConfig)
	*c = *config.ConnConfig
	return nil
}

// role is who the server takes us for.
func (e *Engine) role() string {
	if at := e.at.Load(); at != nil {
		return at.User
	}
	return "lamplighter"
}

// on runs a call on a connection of its own, and says what an error means. A connection
// to a server that is no primary any more is given up.
func (e *Engine) on(ctx context.Context, state int, call func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.closing, cancel)()
	pool, err := e.connected()
	if err != nil {
		return err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return e.fault(err, notSent)
	}
	defer conn.Release()
	if err := stillCurrent(conn.Conn().PgConn()); err != nil {
		_ = conn.Conn().Close(ctx)
		pool.Reset()
		return err
	}
	if err := call(ctx, conn.Conn()); err != nil {
		if demoted(err) {
			_ = conn.Conn().Close(ctx)
		}
		if ctx.Err() == nil && conn.Conn().IsClosed() {
			pool.Reset() // what ended this one has ended the others too
		}
		return e.fault(err, state)
	}
	return nil
}

// Epochs, as SQL. A logical copy of a database has another system identifier, a promoted
// standby another timeline. Both are refused while the server is a standby.
const (
	whole = `(SELECT system_identifier FROM pg_control_system()) || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)`
	none  = `''`
)

// Open connects, proves that the server is a primary which keeps what it acknowledged, and
// makes or proves the tables.
func (e *Engine) Open(ctx context.Context) error {
	return e.on(ctx, notSent, func(ctx context.Context, conn *pgx.Conn) error {
		if err := e.findEpoch(ctx, conn); err != nil {
			return err
		}
		if err := e.durable(ctx, conn); err != nil {
			return err
		}
		return e.tables.prepare(ctx, conn, e.role())
	})
}

// findEpoch asks for the epoch; some services have none that they show.
func (e *Engine) findEpoch(ctx context.Context, conn *pgx.Conn) error {
	var epoch string
	err := conn.QueryRow(ctx, "SELECT "+whole).Scan(&epoch)
	switch {
	case err == nil:
		e.tell(&e.era, whole)
	case hidden(err):
		e.tell(&e.era, none)
	default:
		return err
	}
	return e.met(epoch)
}

// met takes note of the epoch that an answer brings: behind a pooler, a connection may lead
// to another server than it did.
func (e *Engine) met(epoch string) error {
	if err := met.meet(epoch); err != nil {
		return err
	}
	e.tell(&e.epoch, epoch)
	return nil
}

// durable proves that the server loses nothing that it acknowledged.
func (e *Engine) durable(ctx context.Context, conn *pgx.Conn) error {
	var fsync, synchronous string
	var standbys int
	err := conn.QueryRow(ctx, `SELECT current_setting('fsync'), current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication)`).
		Scan(&fsync, &synchronous, &standbys)
	switch {
	case err != nil:
		return err
	case fsync != "on":
		return fmt.Errorf("%w: fsync is %s, so that a crash of the server may lose or damage everything: set it to on", store.ErrUnsafe, redact.Word(fsync))
	case standbys > 0 && strings.TrimSpace(synchronous) == "" && !e.local:
		return fmt.Errorf("%w: the server has %s (or a base backup is being made) and no synchronous one, so that a failover loses the newest refresh tokens: set synchronous_standby_names, or write 'durability local' if that is accepted", store.ErrUnsafe, english.Plural(standbys, "standby", "standbys"))
	}
	return nil
}

// Epoch is the system identifier and the timeline of the server.
func (e *Engine) Epoch() string { return *e.epoch.Load() }

// Describe names the row of an object.
func (e *Engine) Describe(name string) string {
	table, key := e.tables.of(name)
	at := e.at.Load()
	if at == nil {
		config, err := e.source.config()
		if err != nil {
			return fmt.Sprintf("row %s of PostgreSQL's table %s", strconv.Quote(key), table)
		}
		at = config.ConnConfig
	}
	return fmt.Sprintf("row %s of PostgreSQL's table %s at %s", strconv.Quote(key), table, redact.Text(place(at)))
}

// Close ends all connections, and calls that are under way.
func (e *Engine) Close() error {
	e.close()
	e.mu.Lock()
	pool := e.pool
	e.mu.Unlock()
	e.watches.Wait()
	if pool != nil {
		pool.Close()
	}
	return nil
}
