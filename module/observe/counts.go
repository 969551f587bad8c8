package observe

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

// Counts are what is counted of a client for all configurations together, and what
// happened to it lately: each has a registry of its own, and a count must not start
// anew when one is loaded.
// A client costs a few hundred bytes, where Prometheus' own counters would cost
// some thousand.
type Counts struct {
	requests [len(results)]atomic.Uint64 // by outcome
	// Unauthorized are the 401s of upstreams to requests with a token, and Replayed the
	// requests that were sent once more because of one.
	Unauthorized, Replayed atomic.Uint64
	// Takeovers are the leases that were taken over from another replica.
	Takeovers atomic.Uint64
	// Requests are the requests that wanted a token.
	Requests Requests
	// Proofs are the proofs of possession that were refused.
	Proofs Proofs
	// Rejections are the answers of upstreams that rejected a token.
	Rejections Rejections

	storeErrors atomic.Uint64
	// History is what happened lately.
	History History

	mu    sync.Mutex
	took  [len(durationBuckets) + 1]uint32 // token requests by duration; the last are longer than any bound
	total time.Duration
}

// durationBuckets are upper bounds in seconds.
var durationBuckets = [...]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Observe counts a token request.
func (n *Counts) Observe(outcome tokenendpoint.Outcome, took time.Duration) {
	n.requests[outcome].Add(1)
	n.mu.Lock()
	defer n.mu.Unlock()
	bucket, _ := slices.BinarySearch(durationBuckets[:], took.Seconds())
	n.took[bucket]++
	n.total += took
}

// Count counts what an event tells.
func (n *Counts) Count(e keeper.Event) {
	if e.Kind == finding.StoreRecovered {
		return
	}
	switch e.Trouble.Cause {
	case finding.CauseStore, finding.CauseStoreRefused, finding.CauseStoreUnsafe, finding.CauseStoreFull:
		n.storeErrors.Add(1)
	}
}

// histogram returns the durations as Prometheus has them: each bucket holds the
// smaller ones too.
func (n *Counts) histogram() (count uint64, sum float64, buckets map[float64]uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	buckets = make(map[float64]uint64, len(durationBuckets))
	for i, bound := range durationBuckets {
		count += uint64(n.took[i])
		buckets[bound] = count
	}
	return count + uint64(n.took[len(durationBuckets)]), n.total.Seconds(), buckets
}
