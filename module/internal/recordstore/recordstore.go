// Package recordstore answers what a place that keeps records has to do, and what a record
// looks like there: one [record.Record] per client, written with compare-and-swap and spent
// under a lease. Files are one such place (filestore), what replicas share is the other
// (durable, above an engine of module/store, which knows bytes and no records).
//
// It knows records, and their bytes. It must not know where those are, nor HTTP, the token
// endpoint, schedules or Caddy: what a record means is what the packages record and grant
// say.
package recordstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/record"
)

// Errors that every [Store] returns, possibly wrapped.
var (
	// ErrNotFound says that no record of that name exists.
	ErrNotFound = errors.New("no record")

	// ErrConflict says that the record changed since it was loaded: somebody
	// else wrote it. Load it again before deciding anything.
	ErrConflict = errors.New("record was changed by another holder")

	// ErrUnreadable says that a record exists but cannot be understood:
	// truncated, damaged, or written by a newer version. It is never treated
	// as a missing record, because its refresh token may be the only living one.
	ErrUnreadable = errors.New("record cannot be read")

	// ErrNewer says of an unreadable record that a newer version wrote it.
	ErrNewer = errors.New("it was written by a newer version of lamplighter")

	// ErrExposed says of an unreadable record that others own it, or could read or
	// write it.
	ErrExposed = errors.New("it is not this user's alone")

	// ErrForeign says of an unreadable record that it is encrypted for another key, or
	// another client's: it is whole, and not to be written over.
	ErrForeign = errors.New("it is somebody else's")

	// ErrSealed says of an unreadable record that it is encrypted for keys that are not
	// here. It is ErrForeign, too.
	ErrSealed = encryption.ErrSealed

	// ErrBusy says that another holder has the lease.
	ErrBusy = errors.New("another holder has the lease")

	// ErrRolledBack says that the store may have lost writes, and that nobody gets a lease
	// for a while: whoever keeps the record reads it meanwhile, and writes back what it
	// has lost.
	ErrRolledBack = errors.New("the store may have lost writes")

	// ErrNoLocks says that the place where records live cannot lock files, so
	// that two processes could spend the same refresh token.
	ErrNoLocks = errors.New("locks are not supported")
)

// Store is where records live. Every method may be called concurrently.
//
// Names match [a-z0-9][a-z0-9_.-]{0,62}; a store refuses any other.
type Store interface {
	// Open prepares the store for writing: it creates the place where records
	// live if need be, checks its owner and mode, and that it can lock. An
	// error that wraps ErrNoLocks is final; any other may pass with time
	// (read-only, full), and clients that need no durable state go on.
	Open(ctx context.Context) error

	// Load returns the record, with times as the clock of this machine has them,
	// ErrNotFound or ErrUnreadable. It needs no lease and never writes. Neither what it returns nor what Save was given may be
	// changed afterwards: others may have it, too.
	Load(ctx context.Context, name string) (*record.Record, error)

	// Save writes the record durably if the stored revision still is
	// ifRevision (0: no record exists), else it returns ErrConflict and changes
	// nothing. It writes its name, and ifRevision+1 as the revision. When Save has returned
	// nil, the record survives a crash of the machine.
	Save(ctx context.Context, name string, rec *record.Record, ifRevision uint64) error

	// Replace writes the record durably, with that revision, in the place of one
	// that is damaged, or of the readable one of revision over, which the caller has
	// read and takes for somebody else's; over is 0 if it has read none. What was
	// there is kept aside, the last one of it. Any other readable record is
	// ErrConflict: another holder has mended it. What is ErrForeign, ErrExposed or
	// ErrNewer stays where it is.
	Replace(ctx context.Context, name string, rec *record.Record, revision, over uint64) error

	// Claim makes a refresh token that no answer has judged the client's, durably,
	// unless it is another's: then free tells whether that one lets it go, and nobody
	// else changes the claim meanwhile. It returns whose it is by then.
	Claim(ctx context.Context, name string, token record.Fingerprint, free func(owner string) (bool, error)) (owner string, err error)

	// Claimed returns whose a refresh token is, "" if nobody has claimed it.
	Claimed(ctx context.Context, token record.Fingerprint) (owner string, err error)

	// Lease tries once for the sole right to spend the client's refresh token.
	// ErrBusy says that another holder has it, or had it and may be alive, and
	// ErrRolledBack that nobody gets it now. Save works with and without it.
	Lease(ctx context.Context, name string) (Lease, error)

	// LeaseLength is how long a lease keeps others away after its holder was last
	// heard of, which may be alive and cut off: replicas share the store. 0 if the
	// lease ends with its holder, as a lock does.
	LeaseLength() time.Duration

	// Watch calls changed, from a goroutine of the store's own, soon after
	// another holder wrote the record. It may call without need, and it may
	// miss a change: it shortens a wait and carries no truth. stop ends it, and
	// when stop has returned no call is running.
	Watch(name string, changed func()) (stop func())

	// Describe names the place of a client's record for people: a file's path.
	Describe(name string) string
}

// Lease is the sole right to spend a client's refresh token.
type Lease interface {
	// Lost returns why the lease is no longer held, or nil while it is.
	Lost() error

	// Release gives the lease back. It may be called twice.
	Release()
}

var names = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

// CheckName keeps a name from leaving its place and from meeting a store's own files.
func CheckName(name string) error {
	if names.MatchString(name) {
		return nil
	}
	return fmt.Errorf("client name %q: want 1 to 63 of a-z, 0-9, '_', '.' and '-', beginning with a letter or digit", name)
}
