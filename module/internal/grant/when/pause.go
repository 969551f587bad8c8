package when

import "time"

const (
	// LeaseRetryMin and LeaseRetryMax bound the pause before the lease is tried again.
	LeaseRetryMin = 250 * time.Millisecond
	LeaseRetryMax = time.Second

	// LeaseGrace is how long beside its timeout another holder may keep the lease, for its store.
	LeaseGrace = 5 * time.Second

	// LastChancePause is the pause between the attempts to write what is only in memory
	// when the client is stopped for good.
	LastChancePause = 500 * time.Millisecond
)
