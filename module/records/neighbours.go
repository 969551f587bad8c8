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
	stores map[string]map[string]*keeper.Keeper
}

func (n *neighbours) add(key Key, k *keeper.Keeper) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stores[key.dir] == nil {
		if n.stores == nil {
			n.stores = make(map[string]map[string]*keeper.Keeper)
		}
		n.stores[key.dir] = make(map[string]*keeper.Keeper)
	}
	n.stores[key.dir][key.name] = k
}

func (n *neighbours) remove(key Key, k *keeper.Keeper) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stores[key.dir][key.name] != k {
		return // another one has taken its place already
	}
	if delete(n.stores[key.dir], key.name); len(n.stores[key.dir]) == 0 {
		delete(n.stores, key.dir)
	}
}

// holder returns the record of another client whose refresh token that is, or was:
// in other stores, or with all set in the same one too.
func (n *neighbours) holder(but Key, all bool, token, binding record.Fingerprint) (Key, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for dir, list := range n.stores {
		if dir == but.dir && !all {
			continue
		}
		for name, k := range list {
			if key := (Key{dir, name}); key != but && !k.Frees(token, binding) {
				return key, true
			}
		}
	}
	return Key{}, false
}
