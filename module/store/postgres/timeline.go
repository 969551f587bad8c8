package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"lamplighter/module/store"
)

// timelines are the newest timeline of each cluster that this process has met. A primary
// on an older one was replaced, and does not know it: what is written there is lost, and a
// compare-and-swap there is no fence.
type timelines struct {
	mu     sync.Mutex
	newest map[string]string // by system identifier, as eight hexadecimal digits
}

// met outlives engines and connections, but not the process.
var met timelines

// meet takes note of an epoch, or returns an error if it is of an older timeline.
func (t *timelines) meet(epoch string) error {
	system, timeline, ok := strings.Cut(epoch, "/")
	if !ok {
		return nil // the server does not tell it
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	newest := t.newest[system]
	if timeline < newest {
		return &staleError{decimal(timeline), decimal(newest)}
	}
	if t.newest == nil {
		t.newest = make(map[string]string)
	}
	t.newest[system] = timeline
	return nil
}

// decimal is a timeline as the server's own log has it.
func decimal(timeline string) string {
	n, err := strconv.ParseUint(timeline, 16, 32)
	if err != nil {
		return "?"
	}
	return strconv.FormatUint(n, 10)
}

// staleError is that of a primary that another one has replaced.
type staleError struct{ has, newest string }

// Error says what to do.
func (e *staleError) Error() string {
	return fmt.Sprintf("%v: the server is on timeline %s, and this process has seen timeline %s of the same database, so it is an old primary that was replaced: stop it, and name the server of timeline %s in dsn; if timeline %s was given up on purpose, for a backup, restart every replica", store.ErrUnsafe, e.has, e.newest, e.newest, e.newest)
}

// Unwrap returns what it means for a store.
func (*staleError) Unwrap() error { return store.ErrUnsafe }

// epochKey is the key of the epoch in a connection. It does not change as long as the
// server is a primary, and a connection does not outlive that.
const epochKey = "lamplighter: epoch"

// current refuses a server that takes no writes, or is on an older timeline than one that
// was met, so that the next host is tried.
func current(ctx context.Context, c *pgconn.PgConn) error {
	if err := writable(ctx, c); err != nil {
		return err
	}
	result := c.ExecParams(ctx, "SELECT "+whole, nil, nil, nil, nil).Read()
	switch {
	case hidden(result.Err):
		return nil
	case result.Err != nil:
		return result.Err
	case len(result.Rows) != 1 || len(result.Rows[0]) != 1:
		return nil
	}
	epoch := string(result.Rows[0][0])
	c.CustomData()[epochKey] = epoch
	return met.meet(epoch)
}

// stillCurrent refuses a connection that was made before its server was replaced.
func stillCurrent(c *pgconn.PgConn) error {
	epoch, _ := c.CustomData()[epochKey].(string)
	return met.meet(epoch)
}

// hidden reports whether a server does not tell its epoch.
func hidden(err error) bool {
	switch code(err) {
	case "42501", "42883", "0A000", "42704":
		return true
	}
	return false
}
