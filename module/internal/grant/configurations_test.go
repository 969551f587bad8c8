package grant

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
	"lamplighter/module/moduletest/skip"
)

// configuration is a world to explore: who is in it, and what may happen.
type configuration struct {
	name     string
	holders  int
	rules    rules
	ends     bool
	stays    bool
	allow    may
	faults   int8
	crashes  int8
	orders   int8
	life     string        // where it begins; "" is with a seed, and nothing else
	long     bool          // takes more than a few seconds
	sample   int           // one state in so many goes on without faults
	within   time.Duration // it is too large to be explored to its end, and is left after that
	settings *step.Settings
	draw     float64
}

// rollbacks reports whether the write before is to be remembered.
func (c *configuration) rollbacks() bool { return c.allow&rollback != 0 }

var rotating = &step.Settings{Rotating: true, RefreshWindowRatio: 0.25, MinRefreshInterval: time.Second, Timeout: 30 * time.Second}

var hurried = &step.Settings{Rotating: true, RefreshWindowRatio: 0.25, MinRefreshInterval: time.Second, Timeout: time.Second}

var draining = &step.Settings{Rotating: true, Drain: true, RefreshWindowRatio: 0.25, MinRefreshInterval: time.Second, Timeout: 30 * time.Second}

var cached = &step.Settings{RefreshWindowRatio: 0.25, MinRefreshInterval: time.Second, Timeout: 30 * time.Second}

var sharing = &step.Settings{Rotating: true, RefreshWindowRatio: 0.25, MinRefreshInterval: time.Second, Timeout: 30 * time.Second, Lease: 15 * time.Second}

var forgiving = &step.Settings{Rotating: true, RefreshWindowRatio: 0.25, MinRefreshInterval: time.Second, Timeout: 30 * time.Second, Lease: 15 * time.Second, ReuseGrace: time.Minute}

var sharedCache = &step.Settings{RefreshWindowRatio: 0.25, MinRefreshInterval: time.Second, Timeout: 30 * time.Second, Lease: 15 * time.Second}

var configurations = []configuration{
	{name: "one, strict, store", holders: 1, allow: storeAway | inDoubt | crashes, faults: 2, crashes: 1},
	{name: "one, strict, server", holders: 1, allow: serverFaults | crashes, faults: 2, crashes: 1},
	{name: "one, strict, store lost", holders: 1, allow: storeFaults | crashes, faults: 2, crashes: 1},
	{name: "one, replace, server", holders: 1, rules: replace, allow: serverFaults | crashes, faults: 1, crashes: 1},
	{name: "one, same, server", holders: 1, rules: same, allow: serverFaults | crashes, faults: 1, crashes: 1},
	{name: "one, fork, server", holders: 1, rules: fork, allow: serverFaults | crashes, faults: 1, crashes: 1},
	{name: "one, family, server", holders: 1, rules: family, allow: serverFaults | crashes, faults: 2, crashes: 1},
	{name: "one, swap, server", holders: 1, rules: swap, allow: serverFaults | crashes, faults: 1, crashes: 1},
	{name: "one, swap, store", holders: 1, rules: swap, allow: storeFaults | crashes, faults: 1, crashes: 1},
	{name: "one, swap, operator", holders: 1, rules: swap, life: "valid", allow: operator, orders: 1},
	{name: "one, odd answers", holders: 1, allow: odd | answerLost | storeAway | crashes, faults: 2, crashes: 1},
	{name: "one, odd answers, draining", holders: 1, settings: draining, allow: odd | storeAway | crashes, faults: 2, crashes: 1},
	{name: "one, odd answers, cache", holders: 1, rules: fixed, settings: cached, life: "unsupplied", allow: odd | storeAway | refreshes, faults: 2, orders: 1},
	{name: "one, odd answers, beside", holders: 1, life: "beside", allow: odd | storeAway | refusals, faults: 2, orders: 1},
	{name: "one, killed", holders: 1, life: "valid", allow: kills | unsent | slowly | unavailable | storeAway | inDoubt, faults: 2},
	{name: "one, lease", holders: 1, allow: leaseEnds | storeAway | inDoubt, faults: 2},
	{name: "one, fixed", holders: 1, rules: fixed, allow: serverFaults | storeFaults | crashes, faults: 1, crashes: 1},
	{name: "one, cache", holders: 1, rules: fixed, settings: cached, allow: serverFaults | storeAway | refreshes | stops, faults: 1, orders: 1},
	{name: "one, nothing to present", holders: 1, rules: fixed, settings: cached, life: "unsupplied", allow: serverFaults | storeAway | refreshes | stops, faults: 1, orders: 1},
	{name: "one, cached", holders: 1, rules: fixed, settings: cached, allow: serverFaults | storeFaults | crashes | operator, faults: 1, crashes: 1, orders: 1, long: true},
	{name: "one, ends", holders: 1, ends: true, allow: serverFaults | storeAway | crashes, faults: 1, crashes: 1},
	{name: "one, ends for good", holders: 1, ends: true, stays: true, allow: unsent | storeAway | crashes, faults: 1, crashes: 1},
	{name: "one, an order", holders: 1, allow: operator | storeAway | unsent | unavailable, faults: 1, orders: 1},
	{name: "one, import, ledger", holders: 1, allow: imports | spends | unsent, faults: 2, orders: 1, sample: 128},
	{name: "one, import, lease held", holders: 1, settings: hurried, allow: imports | hangs | storeAway, faults: 2, orders: 1, draw: 0.99, sample: 64},
	{name: "one, two orders", holders: 1, allow: refreshes | imports | revokes | goes, orders: 2},
	{name: "one, another binding", holders: 1, allow: rebinds | rerequests | imports, orders: 2},
	{name: "one, a panic", holders: 1, allow: panics | storeAway | revokes, faults: 2, orders: 1},
	{name: "one, revocation", holders: 1, life: "valid", allow: revokes | reloads | stops | refusals | goes, orders: 2},
	{name: "one, revocation, server", holders: 1, life: "valid", allow: revokes | refreshes | answerLost | late, faults: 1, orders: 2},
	{name: "one, replace, revocation", holders: 1, rules: replace, life: "valid", allow: revokes | answerLost | crashes, faults: 1, crashes: 1, orders: 1, sample: 64},
	{name: "one, owed", holders: 1, life: "owed", allow: storeAway | inDoubt | refreshes | stops | revokes | crashes, faults: 3, crashes: 1, orders: 1},
	{name: "one, owed, stopped", holders: 1, life: "owed", allow: storeAway | stops, faults: 2, orders: 2, sample: 64},
	{name: "one, lost", holders: 1, life: "lost", allow: storeAway | refreshes | imports | crashes, faults: 1, crashes: 1, orders: 2},
	{name: "one, seed of another", holders: 1, allow: steals | storeAway | inDoubt | crashes | refreshes | stops, faults: 2, crashes: 1, orders: 1},
	{name: "one, seed of another, faults", holders: 1, allow: steals | storeAway | inDoubt | crashes | refreshes | stops, faults: 3, crashes: 1, orders: 1, long: true},
	{name: "one, carried over", holders: 1, allow: carries | storeAway | inDoubt | crashes | stops, faults: 2, crashes: 1, orders: 1},
	{name: "one, carried over, order", holders: 1, allow: carries | storeAway | inDoubt | crashes | refreshes | stops, faults: 2, crashes: 1, orders: 1, long: true},
	{name: "one, carried back", holders: 1, life: "valid", allow: carries | returns | answerLost | inDoubt | revokes, faults: 3, orders: 1, sample: 64},
	{name: "one, owed, carried over", holders: 1, life: "owed", allow: carries | leaseEnds | storeAway | stops, faults: 3, orders: 1, sample: 64},
	{name: "one, shared, carried over", holders: 1, settings: sharing, life: "asking", allow: carries | cuts, faults: 2},
	{name: "one, again", holders: 1, allow: steals | repeats | storeAway, faults: 1, orders: 2},
	{name: "two, carried over", holders: 2, life: "valid", allow: carries | watched | storeAway, faults: 2, sample: 512, within: time.Minute, long: true},
	{name: "one, cache, seed of another", holders: 1, rules: fixed, settings: cached, allow: steals | storeAway | refreshes | stops, faults: 3, orders: 1},
	{name: "two, seed of another", holders: 2, allow: steals | storeAway, faults: 2, long: true},
	{name: "one, beside", holders: 1, life: "beside", allow: storeAway | answerLost | unavailable | crashes | refreshes | refusals, faults: 1, orders: 1},
	{name: "one, operator", holders: 1, allow: operator | storeAway | unsent | crashes, faults: 1, orders: 2, long: true},
	{name: "one, operator, crash", holders: 1, allow: operator | inDoubt | answerLost | crashes, faults: 1, crashes: 1, orders: 1, long: true},
	{name: "one, bindings", holders: 1, allow: rebinds | rerequests | imports | storeAway | crashes, faults: 1, crashes: 1, orders: 2, long: true},
	{name: "one, panics", holders: 1, allow: panics | operator, faults: 2, orders: 1, long: true},
	{name: "one, draining", holders: 1, settings: draining, allow: serverFaults | storeAway | rerequests | reloads | stops, faults: 1, orders: 1},
	{name: "two", holders: 2, allow: watched},
	{name: "two, replace, overrun", holders: 2, rules: replace, life: "valid", allow: leaseEnds | crashes, faults: 1, crashes: 1, long: true},
	{name: "two, swap", holders: 2, rules: swap, life: "valid", allow: watched | answerLost, faults: 1, within: time.Minute, long: true},
	{name: "two, shared, swap, cut off", holders: 2, rules: swap, settings: sharing, life: "asking", allow: watched | cuts, faults: 1, sample: 512, within: time.Minute, long: true},
	{name: "two, valid, order", holders: 2, life: "valid", allow: refreshes | crashes, crashes: 1, orders: 1, long: true},
	{name: "two, valid, store", holders: 2, life: "valid", allow: watched | storeAway | inDoubt, faults: 1, long: true},
	{name: "two, valid, lease", holders: 2, life: "valid", allow: watched | leaseEnds, faults: 1, long: true},
	{name: "two, valid, rollback", holders: 2, life: "valid", allow: watched | rollback | damage, faults: 1, long: true},
	{name: "two, valid, crash", holders: 2, life: "valid", allow: watched | crashes, crashes: 1, long: true},
	{name: "two, valid, server", holders: 2, life: "valid", allow: watched | answerLost | late, faults: 1, long: true},
	{name: "one, shared", holders: 1, settings: sharing, allow: crashes | storeAway | inDoubt | answerLost, faults: 1, crashes: 1},
	{name: "one, shared, replace", holders: 1, rules: replace, settings: sharing, life: "valid", allow: crashes | refreshes | refusals, crashes: 1, orders: 1},
	{name: "one, forgiving", holders: 1, rules: replace, settings: forgiving, life: "valid", allow: crashes | answerLost | unavailable, faults: 1, crashes: 1},
	{name: "one, shared, rolled back", holders: 1, settings: sharing, life: "valid", allow: rollback | storeAway, faults: 2},
	{name: "one, shared cache", holders: 1, rules: fixed, settings: sharedCache, allow: storeAway | inDoubt | unavailable | crashes, faults: 1, crashes: 1},
	{name: "one, shared cache, nothing to present", holders: 1, rules: fixed, settings: sharedCache, life: "unsupplied", allow: storeAway | leaseEnds, faults: 2},
	{name: "two, started, shared cache", holders: 2, rules: fixed, settings: sharedCache, life: "unsupplied", sample: 64},
	{name: "two, shared cache", holders: 2, rules: fixed, settings: sharedCache, life: "unsupplied", allow: watched, sample: 256, within: time.Minute, long: true},
	{name: "two, shared", holders: 2, settings: sharing, life: "valid", allow: watched, sample: 512, within: time.Minute, long: true},
	{name: "two, shared, cut off", holders: 2, settings: sharing, life: "asking", allow: watched | cuts, faults: 1, sample: 512, within: time.Minute, long: true},
	{name: "two, shared, revocation", holders: 2, settings: sharing, life: "asking", allow: watched | cuts | revokes, faults: 1, orders: 1, sample: 512, within: time.Minute, long: true},
	{name: "two, shared, crash", holders: 2, settings: sharing, life: "asking", allow: watched | crashes, crashes: 1, sample: 512, within: time.Minute, long: true},
	{name: "two, shared, in doubt", holders: 2, settings: sharing, life: "asking", allow: watched | inDoubt, faults: 1, sample: 512, within: time.Minute, long: true},
	{name: "two, shared, rolled back", holders: 2, settings: sharing, life: "asking", allow: watched | rollback, faults: 1, sample: 512, within: time.Minute, long: true},
	{name: "two, shared, lease", holders: 2, settings: sharing, life: "asking", allow: watched | leaseEnds, faults: 1, sample: 512, within: time.Minute, long: true},
	{name: "two, shared, refused", holders: 2, settings: sharing, life: "valid", allow: watched | refusals, orders: 1, sample: 512, within: time.Minute, long: true},
	{name: "two, forgiving, cut off", holders: 2, rules: replace, settings: forgiving, life: "asking", allow: watched | cuts, faults: 1, sample: 512, within: time.Minute, long: true},
	{name: "two, forgiving, crash", holders: 2, rules: replace, settings: forgiving, life: "asking", allow: watched | crashes, crashes: 1, sample: 512, within: time.Minute, long: true},
	{name: "three, shared, cut off", holders: 3, settings: sharing, life: "asking", allow: watched | cuts, faults: 1, sample: 512, within: time.Minute, long: true},
	{name: "three, shared, crash", holders: 3, settings: sharing, life: "asking", allow: watched | crashes, crashes: 1, sample: 512, within: time.Minute, long: true},
	{name: "two, valid, operator", holders: 2, life: "valid", allow: watched | operator | rebinds | rerequests, orders: 1, long: true},
}

func (c configuration) rig() *rig {
	if c.settings == nil {
		c.settings = rotating
	}
	if c.sample == 0 {
		c.sample = 16
	}
	if c.draw == 0 {
		c.draw = 0.5
	}
	r := &rig{configuration: c, wrong: func(string) {}, reached: func(Phase, step.Event, Phase) {}}
	for binding := range r.obeyed {
		for request := range r.obeyed[binding] {
			set := *c.settings
			set.Bound = record.FingerprintOf(fmt.Sprint(binding, request))
			r.obeyed[binding][request] = &set
		}
	}
	return r
}

func (c configuration) start(r *rig) *world {
	w := &world{rig: r, now: 1, server: server{rules: r.rules, ends: r.ends, stays: r.stays}}
	w.server.families[0] = login{there: true, current: "A0"}
	for i := range w.holders {
		w.h[i].seed = "A0"
	}
	if c.life != "" {
		w = beginnings[c.life](w)
	}
	w.faults, w.crashes, w.orders = c.faults, c.crashes, c.orders
	return w
}

// beginnings are where a world may begin.
var beginnings = map[string]func(*world) *world{
	"valid": valid, "owed": owed, "lost": lost, "beside": beside, "unsupplied": unsupplied, "asking": asking,
}

// unsupplied is a client whose grant has no refresh token, such as client_credentials.
func unsupplied(w *world) *world {
	for i := range w.holders {
		w.h[i].seed = ""
	}
	return w
}

// owed is valid, but one answer could not be written, and its access token is about
// to end: the machine was suspended.
func owed(w *world) *world {
	w = valid(w)
	w.faults = 1
	for _, what := range []string{"time", "look", "called", "look", "connect", "lease", "look", "save", "hold", "process", "answer", "save away"} {
		m := mover{w: w}
		m.yield = func(is move, v *world) {
			if is == (move{0, what}) {
				kept := *v
				w = &kept
			}
		}
		m.all()
	}
	w.now += int64(57 * time.Minute)
	return w
}

// asking is valid, but one holder has begun to ask, and the others have seen that.
func asking(w *world) *world {
	w = valid(w)
	who := int8(-1)
	for _, what := range []string{"time", "look", "called", "look", "connect", "lease", "look", "save", "hold", "watch", "look", "watch", "look"} {
		next := w
		m := mover{w: w}
		m.yield = func(is move, v *world) {
			mine := who < 0 || what == "watch" || is.who == who || w.h[who].under != nil && what == "look"
			if next == w && is.what == what && mine {
				kept := *v
				next = &kept
				if who < 0 {
					who = is.who
				}
			}
		}
		m.all()
		w = next
	}
	return w
}

// lost is a grant that the server has ended.
func lost(w *world) *world {
	w = valid(w)
	w.server.families[0].dead, w.past.killed = true, true
	for step := 0; !w.h[0].state.trouble.NeedsGrant(); step++ {
		next, _ := w.fair(step)
		w = &next
	}
	return w
}

// beside is a grant that lives, and the seed of another log-in beside it.
func beside(w *world) *world {
	w = valid(w)
	w.server.families[1] = login{there: true, current: "B0"}
	for i := range w.holders {
		w.h[i].seed = "B0"
	}
	return w
}

// valid lets every holder come to a token, and rotate once more.
func valid(w *world) *world {
	for i := range w.holders {
		w.boot(i)
	}
	for step := 0; !w.well(); step++ {
		next, ok := w.fair(step)
		if !ok || step > 400 {
			panic("no beginning")
		}
		w = &next
	}
	return w
}

func configurationOf(t *testing.T, name string) configuration {
	for _, c := range configurations {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("there is no configuration %q", name)
	return configuration{}
}

func TestEverythingThatMayHappen(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("explores for minutes; runs without -race and -short")
	}
	all := os.Getenv("LAMPLIGHTER_EXPLORE") == "all"
	var explored atomic.Int32
	wanted := int32(0)
	t.Cleanup(func() {
		if !t.Failed() && explored.Load() == wanted { // and not only some of them
			checkTable(t, &reached)
			checkReached(t, &reached)
		}
	})
	for _, c := range configurations {
		if !c.long || all {
			wanted++
		}
		t.Run(c.name, func(t *testing.T) {
			if c.long && !all {
				skip.Here(t, "takes long; runs by make explore")
			}
			t.Parallel()
			explore(t, c)
			explored.Add(1)
		})
	}
}
