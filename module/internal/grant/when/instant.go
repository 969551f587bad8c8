// Package when answers when something is due: moments on two clocks, the schedule of token
// requests, and the pauses after failures.
//
// It knows moments, and no grant. It must not know clocks: who asks says what time it is.
package when

import "time"

// Now is the moment of an event, as both clocks tell it. Timers and durations
// follow the monotonic clock, which stands still while a machine is suspended;
// expiry also follows the wall clock, which jumps.
type Now struct {
	Mono int64   // ns of the process's own
	Wall int64   // Unix time in ns
	Draw float64 // random, in [0, 1), for what is spread
}

// Time returns the wall clock's reading.
func (n Now) Time() time.Time { return time.Unix(0, n.Wall).UTC() }

// Later returns what the wall clock tells at a monotonic moment.
func (n Now) Later(mono int64) time.Time { return n.Time().Add(time.Duration(mono - n.Mono)) }

// Instant is a moment on both clocks: it has come when either says so.
type Instant struct{ Mono, Wall int64 }

// At returns the moment of an event.
func (n Now) At() Instant { return Instant{n.Mono, n.Wall} }

// Reached reports whether the moment has come.
func (i Instant) Reached(n Now) bool { return n.Mono >= i.Mono || n.Wall >= i.Wall }

// Until is how long a timer has to run, 0 if the moment has come.
func (i Instant) Until(n Now) time.Duration {
	return time.Duration(max(0, min(i.Mono-n.Mono, i.Wall-n.Wall)))
}

// Add returns the moment that comes d later.
func (i Instant) Add(d time.Duration) Instant {
	return Instant{i.Mono + int64(d), i.Wall + int64(d)}
}

// Earlier returns the one that comes first on each clock.
func (i Instant) Earlier(other Instant) Instant {
	return Instant{min(i.Mono, other.Mono), min(i.Wall, other.Wall)}
}

// SeenFrom returns a moment as it looks from a later one: if the wall clock was set
// back in between, it was earlier by that clock than it seemed. What is counted
// from it must not last longer for whoever has the wall clock only.
func (i Instant) SeenFrom(n Now) Instant {
	i.Wall = min(i.Wall, n.Wall-(n.Mono-i.Mono))
	return i
}

// Wall returns the Unix time of a moment in ns, of absurd ones the nearest.
func Wall(t time.Time) int64 {
	const year = int64(365 * 24 * time.Hour)
	switch s := t.Unix(); {
	case s > 200*(year/int64(time.Second)):
		return 200 * year
	case s < 0:
		return 0
	}
	return t.UnixNano()
}

// FromWall returns the moment at which the wall clock tells t.
func FromWall(t time.Time, n Now) Instant {
	wall := Wall(t)
	return Instant{n.Mono + (wall - n.Wall), wall}
}
