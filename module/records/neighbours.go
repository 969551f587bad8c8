package records

import (
	"sync"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/record"
)

// neighbours are the keepers of this process by their stores, so that those of one
// store need not be gone through: there may be very many.
type neighbours struct {
	mu     sync.Mutex
	stores map[string]*neighbourhood
}

// neighbourhood are those of one store.
type neighbourhood struct {
	use     *Use
	keepers map[string]*keeper.Keeper
}

func (n *neighbours) add(key Key, k *keeper.Keeper, u *Use) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stores[key.store] == nil {
		if n.stores == nil {
			n.stores = make(map[string]*neighbourhood)
		}
		n.stores[key.store] = &neighbourhood{use: u, keepers: make(map[string]*keeper.Keeper)}
	}
	n.stores[key.store].keepers[key.name] = k
}

func (n *neighbours) remove(key Key, k *keeper.Keeper) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.stores[key.store]
	if all == nil || all.keepers[key.name] != k {
		return // another one has taken its place already
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
