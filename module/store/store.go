// Package store says what a place that keeps the state of OAuth 2.0 clients has to
// offer, so that many replicas can share one grant: bytes under a name, written with
// compare-and-swap, a lease, and news of changes.
//
// It knows bytes. It must not know what they mean, and nothing of Caddy: an engine is
// for one server (PostgreSQL, the Kubernetes API, …), everything that has to do with
// tokens stands above it. The package storetest holds an engine to this contract.
package store

import (
	"context"
	"errors"
	"time"
)

// Errors that every [Engine] returns, possibly wrapped. Any other error counts as
// [ErrUnknown] if it comes from a write, and as [ErrUnavailable] otherwise.
var (
	// ErrNotFound says that nothing of that name exists.
	ErrNotFound = errors.New("no such object")

	// ErrConflict says that the object is not as the caller knew it: somebody else
	// wrote it. Nothing was changed.
	ErrConflict = errors.New("the object was changed by another holder")

	// ErrUnavailable says that the store cannot be reached, or cannot serve now, and
	// that nothing was written. It passes by itself.
	ErrUnavailable = errors.New("the store is unavailable")

	// ErrUnknown says of a write that it may have been carried out, or still will be:
	// its answer did not come. Only reading tells.
	ErrUnknown = errors.New("the store did not confirm the write")

	// ErrRefused says that the store denies access: credentials or rights. A human
	// has to mend it; the error's text says which right is missing, and how it is
	// granted.
	ErrRefused = errors.New("the store denies access")

	// ErrFull says that the store has no room, and that nothing was written.
	ErrFull = errors.New("the store is full")

	// ErrUnsafe says that the store would lose acknowledged writes, or would let two
	// holders write at once: it is not durable, a read-only replica, or has no locks.
	// The error's text says which setting of it to change.
	ErrUnsafe = errors.New("the store is not safe for refresh tokens")
)

// Tag is the identity of one version of an object, chosen by the engine: no two
// versions of an object ever have the same one, not even after the store lost writes.
// The empty tag is that of an object that does not exist.
type Tag string

// Object is what a store has under a name.
type Object struct {
	// Name is the client's name ([a-z0-9][a-z0-9_.-]{0,62}), or what [ClaimsName]
	// returns. An engine makes of it whatever its server takes as a name, so that
	// no two names become the same.
	Name string

	// Data is what was written, the caller's own copy; nil where only tags were asked
	// for. It is never empty, any bytes, and may be as large as 256 KiB. What has no
	// data (an object that was made for lamplighter, with nothing in it yet) counts as
	// not existing: nothing finds it, and the empty tag writes it.
	Data []byte

	// Tag is its version.
	Tag Tag

	// Age is how long ago this version was written, by the store's own clock, so
	// that no clock of a reader matters. Negative if the store cannot say.
	Age time.Duration
}

// UnknownAge is the age of an object whose store cannot say it.
const UnknownAge time.Duration = -1

// Engine keeps objects in one place of one server. Every method may be called
// concurrently, and returns when ctx ends. Nothing is dialed before Open is called,
// and every method may dial again later, with credentials that are read anew.
//
// An engine never repeats a write whose answer was lost: it returns ErrUnknown.
type Engine interface {
	// Open connects and proves that the store can be used: that the rights are there,
	// that it is the primary, that it keeps what it acknowledged. It makes what is
	// missing (a table) if it may. It may be called again, after a failure too.
	Open(ctx context.Context) error

	// Get returns an object, as the primary has it now, or ErrNotFound.
	Get(ctx context.Context, name string) (Object, error)

	// Put writes an object durably if its tag still is ifTag ("": if it does not
	// exist), else it returns ErrConflict. It keeps no part of data, and after an
	// error other than ErrUnknown nothing was written, nor will be. After none, the
	// write survives the loss of any one machine that the store's durability promises
	// to survive.
	Put(ctx context.Context, name string, data []byte, ifTag Tag) (Tag, error)

	// List calls yield for each of the objects of these names that exist; names is nil
	// for all that there are, or, where no right to list all can be granted, for all that
	// this engine was asked for before. Without data, only tags are fetched, which has to be
	// cheap: it is done every half minute. It ends early if yield returns false.
	List(ctx context.Context, names []string, data bool, yield func(Object) bool) error

	// Acquire tries once for the lease of that name, which is no object: names of both
	// do not meet. It has the lease if nobody holds it, or if what holds it is over,
	// which the caller has seen unchanged for a whole lease ("": nothing was seen), or
	// if holder holds it already, since the answer to an earlier call was lost. A
	// holder is never given to calls for two leases, neither at a time nor one after
	// the other. Otherwise lease is nil, held tells who holds it, and err is nil; held
	// is zero if that cannot be told, because the lease changed meanwhile. A lease has
	// no end in the store: others judge by their own clocks whether it is renewed.
	Acquire(ctx context.Context, name, holder string, over Tag) (lease Lease, held Held, err error)

	// Watch calls ready each time that changes are seen from then on: before that, and
	// before each later call of it, any change may have been missed. It calls changed
	// with the name of an object that was written, or whose lease was given back, soon
	// after that. It may call without need and may miss changes. It returns when the
	// connection fails, or ctx ends, never nil; a dead peer is found within 15 s. An
	// engine that can tell of no changes returns [ErrNoWatch].
	Watch(ctx context.Context, names []string, ready func(), changed func(name string)) error

	// Epoch tells when acknowledged writes may be gone: it is another one after a
	// failover, or a restored backup. It is known from Open on, is kept current by the
	// other calls, and empty where the store cannot say.
	Epoch() string

	// Describe names the place of an object for people, without any secret.
	Describe(name string) string

	// Close gives connections back. Other calls fail from then on.
	Close() error
}

// ErrNoWatch says that an engine cannot tell of changes: it is polled every second.
var ErrNoWatch = errors.New("the store cannot tell of changes")

// Held is a lease as somebody holds it.
type Held struct {
	// Holder is what its holder gave to Acquire.
	Holder string

	// Tag changes each time that the lease is taken or renewed. It is never one that
	// it was before.
	Tag Tag
}

// Lease is the sole right to something, as long as it is renewed.
type Lease interface {
	// Renew keeps the lease. It returns ErrConflict if its holder does not hold it any
	// more. After ErrUnknown it may be called again: what tells is the holder, not the
	// tag that was seen last.
	Renew(ctx context.Context) error

	// Release gives the lease back, if its holder still holds it; else it changes
	// nothing and returns nil or ErrConflict. Who waits for it is told by Watch. It may
	// be called again.
	Release(ctx context.Context) error
}

// claimsPrefix is that of the names of claims; no client's name begins with a dot.
const claimsPrefix = ".claims/"

// ClaimsName is the name of the object that keeps claims: which client a refresh token
// belongs to. part is the first byte of its fingerprint, as two hexadecimal digits.
func ClaimsName(part string) string { return claimsPrefix + part }

// ClaimsPart returns what ClaimsName was given, and whether name is one of its.
func ClaimsPart(name string) (part string, ok bool) {
	if len(name) != len(claimsPrefix)+2 || name[:len(claimsPrefix)] != claimsPrefix {
		return "", false
	}
	return name[len(claimsPrefix):], true
}
