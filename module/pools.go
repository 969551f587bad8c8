package module

import (
	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/keeper"
)

// State that outlives a configuration: keepers by the identity of their record,
// never by their settings, so that two configurations never spend the same
// refresh token; and the stores by their place.
var (
	keepers = caddy.NewUsagePool()
	stores  = caddy.NewUsagePool()
	inUse   neighbours // the keepers of the pool
)

// pooled makes a value fit for a UsagePool. Nothing is left to destruct: the
// last configuration that stops ends a keeper's work.
type pooled[T any] struct{ value T }

// Destruct does nothing.
func (pooled[T]) Destruct() error { return nil }

// pooledKeeper is a keeper in the pool.
type pooledKeeper struct {
	keeper *keeper.Keeper
	key    recordKey
}

// Destruct takes it from its neighbours.
func (p pooledKeeper) Destruct() error {
	inUse.remove(p.key, p.keeper)
	return nil
}

// recordKey is the identity of a record.
type recordKey struct{ dir, name string }

// sharedKeeper returns the keeper of a record.
func sharedKeeper(name string, u *storeUse) (k *keeper.Keeper, key recordKey, err error) {
	key = recordKey{u.dir, name}
	value, _, err := keepers.LoadOrNew(key, func() (caddy.Destructor, error) {
		k := keeper.New(name, u.store, nil)
		inUse.add(key, k)
		return pooledKeeper{k, key}, nil
	})
	if err != nil {
		return nil, key, err
	}
	return value.(pooledKeeper).keeper, key, nil
}
