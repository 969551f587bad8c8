package sharedstore

import (
	"strings"
	"sync"
	"time"

	"lamplighter/module/internal/record"
	"lamplighter/module/store"
)

// clocks are what is known of the clocks of other processes.
type clocks struct {
	mu     sync.Mutex
	own    map[string]bool    // what this process calls itself in its writes
	behind map[string]*behind // by process
}

// behind is how far a clock seems to be behind this process's.
type behind struct {
	least  time.Duration // of all writes
	tag    store.Tag     // of the last write
	writes int
}

// lateness is how late a write may land without being taken for one of a clock that is
// behind. By so much a token may seem to end too early, which costs little.
const lateness = 10 * time.Second

// keptClocks bounds the processes whose clocks are known. They come and go.
const keptClocks = 256

// received returns a record with its times as this process's clock tells them, which it
// read at that time. That the writer's clock is ahead shows in one write. That it is
// behind might as well be a write that landed late, which must not prolong a token's
// life: so it takes two, and the lesser of what they show.
func (s *Store) received(rec *record.Record, o store.Object, now time.Time) *record.Record {
	if o.Age < 0 || rec.Written.IsZero() {
		return rec
	}
	by := now.Add(-o.Age).Sub(rec.Written)
	return rec.Received(o.Age, now.Add(s.clocks.allow(rec.WriteID, o.Tag, by)-by))
}

// allow returns how much later the times of a write are in this process's clock.
func (c *clocks) allow(writeID string, tag store.Tag, by time.Duration) time.Duration {
	process := processOf(writeID)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.own[process]:
		return 0
	case by <= 0:
		return by
	}
	b := c.behind[process]
	if b == nil {
		if c.behind == nil || len(c.behind) >= keptClocks {
			c.behind = make(map[string]*behind)
		}
		b = &behind{least: by}
		c.behind[process] = b
	}
	if b.tag != tag {
		b.tag = tag
		b.writes++
	}
	if b.least = min(b.least, by); b.writes < 2 || b.least < lateness {
		return 0
	}
	return b.least
}

// wrote notes what this process calls itself.
func (c *clocks) wrote(writeID string) {
	process := processOf(writeID)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own == nil || len(c.own) >= keptClocks {
		c.own = make(map[string]bool)
	}
	c.own[process] = true
}

// processOf is what all writes of a process begin with.
func processOf(writeID string) string {
	if end := strings.IndexAny(writeID, ".-"); end >= 0 {
		return writeID[:end]
	}
	return writeID
}
