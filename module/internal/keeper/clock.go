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

// instant is a moment on both clocks: it has come when either says so.
type instant struct{ mono, wall time.Time }

func (i instant) reached(mono, wall time.Time) bool {
	return !mono.Before(i.mono) || !wall.Before(i.wall)
}

// until is how long a timer has to run, 0 if the moment has come.
func (i instant) until(mono, wall time.Time) time.Duration {
	return max(0, min(i.mono.Sub(mono), i.wall.Sub(wall)))
}

func (i instant) add(d time.Duration) instant {
	return instant{mono: i.mono.Add(d), wall: i.wall.Add(d)}
}

// seenFrom returns a moment as it looks from a later one: if the wall clock was set
// back in between, it was earlier by that clock than it seemed. What is counted
// from it must not last longer for whoever has the wall clock only.
func (i instant) seenFrom(mono, wall time.Time) instant {
	if seen := wall.Add(-mono.Sub(i.mono)); seen.Before(i.wall) {
		i.wall = seen
	}
	return i
}

func (i instant) isZero() bool { return i.mono.IsZero() }
