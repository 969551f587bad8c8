// Package records answers where a client's record is, which keeper works on it, and whose
// a refresh token is: what the configurations of one process share of records.
//
// It knows stores, keepers and the ledger of this machine. It must not know what a client
// asks of its authorization server, nor what is done with its token.
package records

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// State that outlives a configuration: keepers by the identity of their record,
// never by their settings, so that two configurations never spend the same
// refresh token; and the stores by their place.
var (
	keepers neighbours
	stores  = caddy.NewUsagePool()
)

// Key is the identity of a record, by which other things of a client outlive a
// configuration, too.
type Key struct{ store, name string }

// Record is the record of one client, as one configuration uses it.
type Record struct {
	Key    Key
	Use    *Use
	Keeper *keeper.Keeper // the same for all configurations

	log *zap.Logger
}

// Record returns the record of a client, to be given back with Release.
func (u *Use) Record(client string, log *zap.Logger) *Record {
	key := Key{u.id, client}
	k := keepers.take(key, u, func() *keeper.Keeper { return keeper.New(client, u.store, nil) })
	return &Record{Key: key, Use: u, Keeper: k, log: log}
}

// Release gives it back. The last configuration that stops has ended the keeper's work.
func (r *Record) Release() { keepers.giveBack(r.Key) }

// Describe names its place for people.
func (r *Record) Describe() string { return r.Use.store.Describe(r.Key.name) }

// AboveRemedy is what to do about a directory that others could replace.
const AboveRemedy = "if somebody else gets there, take the right to write there from them (chmod o-w, or +t), or name another directory with 'store file { path <dir> }'"

// CheckPlace looks at the place of a rotating grant. It warns of what may not keep what it
// promises, and returns an error for what cannot.
func (r *Record) CheckPlace() error {
	if err := r.Use.err; errors.Is(err, recordstore.ErrNoLocks) {
		return fmt.Errorf("store: %w; choose another directory with 'store file { path <dir> }'", err)
	}
	if kind := r.Use.network; kind != "" {
		r.log.Warn("the record is on a network file system, whose locks and syncs may not hold what they promise: keep it on a local disk or a volume of its own",
			zap.String("client", r.Key.name), zap.String("record", r.Describe()), zap.String("file_system", kind))
	}
	if err := r.Use.above; err != nil {
		r.Use.warned.Do(func() {
			r.log.Warn("others could put an older copy into the place of the directory of records, whose refresh tokens are spent",
				zap.String("directory", r.Use.dir), zap.Error(err), zap.String("remedy", AboveRemedy))
		})
	}
	return nil
}

// Load reads it. Nothing is written.
func (r *Record) Load(ctx context.Context) (*record.Record, error) {
	return r.Use.store.Load(ctx, r.Key.name)
}

// Missing reports whether there is none yet.
func (r *Record) Missing(ctx context.Context) bool {
	_, err := r.Load(ctx)
	return errors.Is(err, recordstore.ErrNotFound)
}
