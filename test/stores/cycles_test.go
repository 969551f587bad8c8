package stores

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// What can happen, in equal parts.
var kinds = []string{"kill", "stop", "partition", "failover"}

// cycles is one run: faults that are drawn from a seed, one after the other.
type cycles struct {
	*deployment
	rand *rand.Rand
	load *callers

	lost      int                        // grants that were, as the protocol explains
	spent     int                        // spent refresh tokens that were presented, likewise
	restored  int                        // backups
	recovered map[string][]time.Duration // from the end of a fault to the next rotation that all serve, by kind
	takeovers []time.Duration            // from the fault of who was asking, to the answer that another replica got
}

// incident is one fault.
type incident struct {
	kind     string
	victims  []string
	asking   bool // it befell the victim while it asked
	from, to time.Time
}

func (i incident) String() string {
	when := "at any time"
	if i.asking {
		when = "while it asked"
	}
	return fmt.Sprintf("%s of %s, %s", i.kind, strings.Join(i.victims, ", "), when)
}

// number is a setting of the environment.
func number(t *testing.T, name string, standard int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return standard
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number", name, text)
	}
	return n
}

// TestCycles lets three replicas share a grant in a store while one fault follows another.
// LAMPLIGHTER_CYCLES is how many, then with the lease that lamplighter has by default;
// LAMPLIGHTER_SEED repeats a run.
func TestCycles(t *testing.T) {
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait, most of the time
			runCycles(t, backend(t))
		})
	}
}

func runCycles(t *testing.T, b *backend) {
	t.Helper()
	count, lease, timeout := 20, 2*time.Second, 2*time.Second
	if os.Getenv("LAMPLIGHTER_CYCLES") != "" {
		count, lease, timeout = number(t, "LAMPLIGHTER_CYCLES", 0), 0, 10*time.Second
	}
	c := newCycles(t, b, count, lease, timeout)
	begun := time.Now()
	var order []string
	for i := range count {
		if len(order) == 0 {
			order = slices.Clone(kinds)
			c.rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		c.cycle(i, order[0])
		order = order[1:]
		if t.Failed() {
			break
		}
	}
	c.load.end()
	c.report(count, time.Since(begun))
}

// newCycles has three replicas at work.
func newCycles(t *testing.T, b *backend, count int, lease, timeout time.Duration) *cycles {
	t.Helper()
	seed := number(t, "LAMPLIGHTER_SEED", int(time.Now().UnixNano()%1e6)+1)
	t.Logf("%d cycles with LAMPLIGHTER_SEED=%d", count, seed)
	c := &cycles{
		deployment: deploy(t, b, lease, timeout), rand: rand.New(rand.NewPCG(uint64(seed), 0)),
		recovered: make(map[string][]time.Duration),
	}
	if c.lease == 0 {
		c.lease = 15 * time.Second
	}
	c.settle()
	c.load = newCallers(t, c.replicas...)
	return c
}

// settle waits for one more rotation, and for all replicas to serve it.
func (c *cycles) settle() time.Duration {
	c.t.Helper()
	begun := time.Now()
	rig.Eventually(c.t, "all serve one more rotation", c.rotated(c.servers.Stats().Generation))
	return time.Since(begun)
}

// cycle has one fault befall them, and judges what came of it.
func (c *cycles) cycle(n int, kind string) {
	c.t.Helper()
	c.load.during("")
	c.settle()
	c.load.during(kind) // before it begins: requests under way may meet it
	begun := time.Now()
	incident := c.befall(kind)
	after := c.servers.Stats().Generation
	ok := c.within(c.bound(kind), c.rotated(after))
	took := time.Since(incident.to)
	c.judge(n, incident, c.gateway.since(begun), ok)
	c.recovered[kind] = append(c.recovered[kind], took)
	c.t.Logf("%3d: %s: %s until all served a new token", n, incident, took.Round(time.Millisecond))
	if _, _, _, failures := c.load.counted(); len(failures) > 0 {
		c.t.Errorf("cycle %d: failed without any fault: %s", n, strings.Join(failures, "\n"))
	}
}

// slack is what a machine that is busy with other things may need.
const slack = 10 * time.Second

// bound is how long it may take at most: the attempt of who is gone, a lease, and one
// more in which a refusal is doubtful, or nobody takes one since writes may be lost.
func (c *cycles) bound(string) time.Duration {
	return max(c.lease, c.timeout) + c.lease + 2*time.Second + slack
}

func (c *cycles) within(d time.Duration, holds func() bool) bool {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return false
}

// befall has a fault of a kind begin and end.
func (c *cycles) befall(kind string) incident {
	c.t.Helper()
	switch kind {
	case "failover":
		return c.failover()
	case "rollback":
		return c.rollBack()
	}
	i := incident{kind: kind, asking: c.rand.IntN(2) == 0}
	victim := c.replicas[c.rand.IntN(len(c.replicas))]
	moment := c.upTo(1500 * time.Millisecond)
	var heal func()
	begin := func(r *replica) {
		c.load.during(kind, r.name)
		i.from, i.victims = time.Now(), []string{r.name}
		heal = c.inflict(kind, r)
	}
	if i.asking {
		asked := make(chan struct{})
		c.gateway.once(func(name string) bool {
			defer close(asked)
			begin(c.named(name))
			return kind != "kill" // what was not sent is not lost
		})
		<-asked
	} else {
		time.Sleep(moment)
		begin(victim)
	}
	time.Sleep(c.length(kind))
	heal()
	i.to = time.Now()
	return i
}

// length is how long a fault lasts. A process that is stopped for longer than its lease
// has lost it.
func (c *cycles) length(kind string) time.Duration {
	if kind == "kill" {
		return c.upTo(c.lease)
	}
	return c.lease + c.lease/4 + c.upTo(c.lease/4)
}

// inflict begins a fault of one replica.
func (c *cycles) inflict(kind string, r *replica) (heal func()) {
	switch kind {
	case "kill":
		r.signal(syscall.SIGKILL)
		return func() {
			<-r.Done
			c.run(r, r.Address)
		}
	case "stop":
		r.signal(syscall.SIGSTOP)
		return func() { r.signal(syscall.SIGCONT) }
	}
	return r.cut()
}

// failover restarts the store, or has another server take its place.
func (c *cycles) failover() incident {
	c.t.Helper()
	i := incident{kind: "failover", victims: []string{"the store"}}
	fail := c.backend.failure
	if c.backend.prepare != nil {
		c.backend.prepare()
	}
	if fail == nil || c.rand.IntN(2) == 0 {
		i.kind, fail = "restart", func() string { c.backend.restart(); return c.backend.address }
	}
	c.load.during("failover")
	time.Sleep(c.upTo(time.Second))
	i.from = time.Now()
	c.backend.address = fail()
	for _, r := range c.replicas {
		r.store.lead(c.t, c.backend.address)
	}
	i.to = time.Now()
	return i
}

// upTo draws a time.
func (c *cycles) upTo(d time.Duration) time.Duration {
	return time.Duration(c.rand.Int64N(int64(d)))
}
