package stores

import (
	"regexp"
	"slices"
	"testing"
	"time"
)

// TestAStoreThatIsRolledBackIsWrittenAnew restores a backup of the store, from before the
// last rotations, while three replicas are at work: what is lost with the store, they know.
// They tell of it, present nothing that is spent, and go on.
func TestAStoreThatIsRolledBackIsWrittenAnew(t *testing.T) {
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait, most of the time
			count := number(t, "LAMPLIGHTER_ROLLBACKS", 2)
			c := newCycles(t, backend(t), count, 2*time.Second, 2*time.Second)
			begun := time.Now()
			for i := range count {
				told := c.printed()
				c.cycle(i, "rollback")
				c.tells(told)
				if t.Failed() {
					break
				}
			}
			c.load.end()
			c.report(count, time.Since(begun))
		})
	}
}

// rollBack restores a backup that lacks one rotation at least.
func (c *cycles) rollBack() incident {
	c.t.Helper()
	i := incident{kind: "rollback", victims: []string{"the store"}}
	if c.backend.prepare != nil {
		c.backend.prepare()
	}
	restore := c.backend.backup(c.restored)
	c.restored++
	c.settle()
	time.Sleep(c.upTo(2 * time.Second))
	i.from = time.Now()
	restore()
	i.to = time.Now()
	return i
}

// printed is how much each replica has printed.
func (c *cycles) printed() (sizes []int) {
	for _, r := range c.replicas {
		sizes = append(sizes, len(r.Output.String()))
	}
	return sizes
}

var lostWrites = regexp.MustCompile(`"seen":(true|false),"store":"[^\n]*"event":"store_rolled_back"`)

// tells fails unless somebody has seen, since each had printed so much, that writes are lost.
// Where the server itself tells that it is another one, all do; else who misses a write.
func (c *cycles) tells(printed []int) {
	c.t.Helper()
	told, seen := 0, 0
	for i, r := range c.replicas {
		all := lostWrites.FindAllStringSubmatch(r.Output.String()[printed[i]:], -1)
		told += min(1, len(all))
		seen += min(1, len(slices.DeleteFunc(all, func(m []string) bool { return m[1] != "true" })))
	}
	c.t.Logf("     %d replicas told of it, %d miss a write", told, seen)
	if seen == 0 {
		c.t.Error("nobody has seen that writes are lost")
	}
}
