package sharedstore

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// callBuckets are upper bounds of durations in seconds.
var callBuckets = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// Calls are the calls of the engine of one kind that ended in one way.
type Calls struct {
	// Operation is open, get, list, tags, put, acquire, renew or release, and Result
	// ok, not_found, conflict, refused, full, unsafe, unknown or unavailable.
	Operation, Result string

	// Count is how many there were, Seconds what all took, and Buckets how many took no
	// longer than that.
	Count   uint64
	Seconds float64
	Buckets map[float64]uint64
}

// calls counts them. There are few kinds.
type calls struct {
	mu  sync.Mutex
	all map[[2]string]*durations
}

// durations are those of one kind of call; the last are longer than any bound.
type durations struct {
	took  [len(callBuckets) + 1]uint64
	total time.Duration
}

func (c *calls) count(op, result string, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.all[[2]string{op, result}]
	if d == nil {
		if c.all == nil {
			c.all = make(map[[2]string]*durations)
		}
		d = new(durations)
		c.all[[2]string{op, result}] = d
	}
	bucket, _ := slices.BinarySearch(callBuckets[:], took.Seconds())
	d.took[bucket]++
	d.total += took
}

// Calls returns what was counted since the process began, in order.
func (s *Store) Calls() []Calls {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	all := make([]Calls, 0, len(s.calls.all))
	for kind, d := range s.calls.all {
		one := Calls{Operation: kind[0], Result: kind[1], Seconds: d.total.Seconds(), Buckets: make(map[float64]uint64, len(callBuckets))}
		for i, bound := range callBuckets {
			one.Count += d.took[i]
			one.Buckets[bound] = one.Count
		}
		one.Count += d.took[len(callBuckets)]
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Calls) int {
		return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Result, b.Result))
	})
	return all
}
