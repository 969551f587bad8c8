package keeper

import (
	"context"
	"fmt"

	"lamplighter/module/internal/carry"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// followed is a tombstone that says where the grant is by now.
func (k *Keeper) followed(stored *record.Record) (*record.Record, error) {
	return call(k, &k.stuck, func(ctx context.Context) (*record.Record, error) {
		own, to := *stored, recordstore.Follow(ctx, k.store, *stored.Moved)
		if to.Client != k.name || to.Store != "" {
			own.Moved = &to
		}
		return &own, nil
	})
}

// handOver writes what is owed into the record that has the grant by now. The store of that
// one is opened for nobody's word: where none of this process uses it, that stays owed.
func (k *Keeper) handOver(ctx context.Context, owed *record.Record, to record.Moved) error {
	there := k.store
	if to.Store != "" {
		reach := k.obeyed().Reach
		if reach == nil {
			return fmt.Errorf("the grant was carried over to %s, and no client here has its record there", to.Place)
		}
		if there = reach(to.Store); there == nil {
			return fmt.Errorf("the grant was carried over to %s, and no client here has its record there", to.Place)
		}
	}
	return carry.Late(ctx, there, owed, to)
}
