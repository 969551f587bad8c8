package percaller

import (
	"container/heap"
	"container/list"
	"sync"
	"time"

	"github.com/patrickmn/go-cache"
)

// bounded is a go-cache that never holds more than it may. Room is made by what
// has expired, and then by what was asked for longest ago. It has no goroutine.
//
// The go-cache follows the wall clock, which stands still for nobody; an item ends
// by the monotonic clock too, which nobody sets.
type bounded[V any] struct {
	mu    sync.Mutex
	items *cache.Cache // of *item[V]
	used  *list.List   // of *item[V], the one that was asked for longest ago first
	ends  ending[V]    // the one that ends next first
}

// item is what is kept for a key.
type item[V any] struct {
	key   Key
	value V
	end   time.Time
	used  *list.Element
	index int // in ends
}

func newBounded[V any]() *bounded[V] {
	// Cleanup interval 0: go-cache's janitor would be a goroutine per client.
	b := &bounded[V]{items: cache.New(cache.NoExpiration, 0), used: list.New()}
	// However an item leaves, expired ones included, its place goes with it: a key
	// has one place, so that no second one drops it early.
	b.items.OnEvicted(func(_ string, v any) {
		it := v.(*item[V])
		b.used.Remove(it.used)
		heap.Remove(&b.ends, it.index)
	})
	return b
}

// get returns what is kept for a key.
func (b *bounded[V]) get(key Key, now time.Time) (value V, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, ok := b.items.Get(string(key))
	if !ok {
		return value, false
	}
	it := found.(*item[V])
	if !now.Before(it.end) {
		b.items.Delete(string(key))
		return value, false
	}
	b.used.MoveToBack(it.used)
	return it.value, true
}

// put keeps a value until its end, in place of what was kept for the key.
func (b *bounded[V]) put(key Key, value V, end, now time.Time, limit int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items.Delete(string(key))
	ttl := end.Sub(now)
	if ttl <= 0 {
		return // for go-cache that would be for ever
	}
	b.makeRoom(now, max(1, limit)-1)
	it := &item[V]{key: key, value: value, end: end}
	it.used = b.used.PushBack(it)
	heap.Push(&b.ends, it)
	b.items.Set(string(key), it, ttl)
}

// drop forgets a key.
func (b *bounded[V]) drop(key Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items.Delete(string(key))
}

// len returns how many items have not expired.
func (b *bounded[V]) len(now time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items.DeleteExpired()
	b.dropEnded(now)
	return b.used.Len()
}

// makeRoom leaves so many items at most. Called with b.mu held.
func (b *bounded[V]) makeRoom(now time.Time, most int) {
	if b.used.Len() <= most {
		return
	}
	b.dropEnded(now)
	for b.used.Len() > most {
		b.items.Delete(string(b.used.Front().Value.(*item[V]).key))
	}
}

func (b *bounded[V]) dropEnded(now time.Time) {
	for len(b.ends) > 0 && !now.Before(b.ends[0].end) {
		b.items.Delete(string(b.ends[0].key))
	}
}

// ending is a heap of items by their ends.
type ending[V any] []*item[V]

// Len, Less, Swap, Push and Pop are what container/heap wants.
func (h ending[V]) Len() int           { return len(h) }
func (h ending[V]) Less(i, j int) bool { return h[i].end.Before(h[j].end) }
func (h ending[V]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push appends an item.
func (h *ending[V]) Push(it any) {
	added := it.(*item[V])
	added.index = len(*h)
	*h = append(*h, added)
}

// Pop removes the last item.
func (h *ending[V]) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return it
}
