package records

import (
	"sync"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// neighbours are the keepers of this process by their stores, so that those of one store
// need not be gone through: there may be very many. A keeper is there as long as a
// configuration uses it.
type neighbours struct {
	mu     sync.Mutex
	stores map[string]*neighbourhood
}

// neighbourhood are those of one store.
type neighbourhood struct {
	use     *Use
	keepers map[string]*neighbour
}

type neighbour struct {
	*keeper.Keeper
	users int
}

// take returns the keeper of a record, which is made for its first user.
func (n *neighbours) take(key Key, u *Use, make func() *keeper.Keeper) *keeper.Keeper {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.stores[key.store]
	if all == nil {
		if n.stores == nil {
			n.stores = map[string]*neighbourhood{}
		}
		all = &neighbourhood{use: u, keepers: map[string]*neighbour{}}
		n.stores[key.store] = all
	}
	k := all.keepers[key.name]
	if k == nil {
		k = &neighbour{Keeper: make()}
		all.keepers[key.name] = k
	}
	k.users++
	return k.Keeper
}

// giveBack ends one use of a keeper.
func (n *neighbours) giveBack(key Key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.stores[key.store]
	if k := all.keepers[key.name]; k.users > 1 {
		k.users--
		return
	}
	if delete(all.keepers, key.name); len(all.keepers) == 0 {
		delete(n.stores, key.store)
	}
}

// holder returns another client whose refresh token that is, or was, and its store: in
// other stores, or with all set in the same one too.
func (n *neighbours) holder(but Key, all bool, token, binding record.Fingerprint) (name string, in *Use) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, one := range n.stores {
		if id == but.store && !all {
			continue
		}
		for name, k := range one.keepers {
			if key := (Key{id, name}); key != but && !k.Frees(token, binding) {
				return name, one.use
			}
		}
	}
	return "", nil
}

// named returns the store that commands call that, nil if no keeper has its record there.
func (n *neighbours) named(command string) recordstore.Store {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range n.stores {
		if one.use.command == command {
			return one.use.store
		}
	}
	return nil
}
