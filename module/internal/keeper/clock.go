package keeper

import "time"

// Clock tells the time twice: timers and durations follow the monotonic clock,
// which stands still while a machine is suspended; expiry also follows the wall
// clock, which jumps. The zero value is the real one.
type Clock struct {
	// Wall replaces the wall clock in tests; nil means time.Now.
	Wall func() time.Time
}

// now returns a reading for each clock. Compare mono only with mono.
func (c Clock) now() (mono, wall time.Time) {
	mono = time.Now()
	if c.Wall != nil {
		return mono, c.Wall().Round(0)
	}
	return mono, mono.Round(0)
}
