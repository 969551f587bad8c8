package module

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

// counts are what is counted of a client for all configurations together, and what
// happened to it lately: each has a registry of its own, and a count must not start
// anew when one is loaded.
// A client costs a few hundred bytes, where Prometheus' own counters would cost
// some thousand.
type counts struct {
	requests     [len(results)]atomic.Uint64 // by outcome
	unauthorized atomic.Uint64
	replayed     atomic.Uint64
	storeErrors  atomic.Uint64
	history      history

	mu    sync.Mutex
	took  [len(durationBuckets) + 1]uint64 // token requests by duration; the last are longer than any bound
	total time.Duration
}

// durationBuckets are upper bounds in seconds.
var durationBuckets = [...]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// counted are the counts of all clients, by name as in the metrics: a record that
// moves to another store gets another keeper, but counts go on.
var counted = caddy.NewUsagePool()

// sharedCounts returns the counts of a client, to be given back.
func sharedCounts(client string) (*counts, error) {
	value, _, err := counted.LoadOrNew(client, func() (caddy.Destructor, error) {
		return pooled[*counts]{value: new(counts)}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(pooled[*counts]).value, nil
}

// observe counts a token request.
func (c *client) observe(outcome tokenendpoint.Outcome, took time.Duration) {
	c.counts.requests[outcome].Add(1)
	c.counts.mu.Lock()
	defer c.counts.mu.Unlock()
	bucket, _ := slices.BinarySearch(durationBuckets[:], took.Seconds())
	c.counts.took[bucket]++
	c.counts.total += took
}

// count counts what an event tells.
func (c *client) count(e keeper.Event) {
	if e.Trouble.Cause == grant.CauseStore && e.Kind != grant.StoreRecovered {
		c.counts.storeErrors.Add(1)
	}
}

// histogram returns the durations as Prometheus has them: each bucket holds the
// smaller ones too.
func (n *counts) histogram() (count uint64, sum float64, buckets map[float64]uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	buckets = make(map[float64]uint64, len(durationBuckets))
	for i, bound := range durationBuckets {
		count += n.took[i]
		buckets[bound] = count
	}
	return count + n.took[len(durationBuckets)], n.total.Seconds(), buckets
}
