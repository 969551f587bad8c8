package grant

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/grant/step"
)

// node is a state of the frontier.
type node struct {
	world *world
	key   uint64
	trail int32
}

// trail is how a state was reached.
type trail struct {
	from int32
	move move
}

// exploration is one search through all states of a configuration.
type exploration struct {
	*rig
	seen   map[uint64]struct{}
	trails []trail
	at     int32 // the trail of the state that goes on
	move   move  // … with
	found  map[string]bool
	order  []string
	states, transitions, depth, widest,
	tried int
}

// explore goes through everything that may happen, to the end, and reports what
// must not: each with the shortest history, as a test.
func explore(t *testing.T, c configuration) {
	x := &exploration{rig: c.rig(), seen: make(map[uint64]struct{}), found: make(map[string]bool), trails: []trail{{-1, move{}}}}
	seeing := true
	x.wrong = func(why string) {
		if seeing {
			x.report(why)
		}
	}
	x.reached = reached.note
	start := c.start(x.rig)
	began := time.Now()
	var enc, again encoder
	start.prune()
	level := []node{{start, enc.key(start), 0}}
	x.seen[level[0].key] = struct{}{}
	for len(level) > 0 {
		var next []node
		x.widest = max(x.widest, len(level))
		for _, n := range level {
			x.at = n.trail
			m := mover{w: n.world}
			m.yield = func(what move, v *world) {
				x.transitions++
				v.prune()
				k := enc.key(v)
				if _, ok := x.seen[k]; ok {
					return
				}
				x.seen[k] = struct{}{}
				x.move = what
				v.check()
				x.trails = append(x.trails, trail{n.trail, what})
				kept := *v
				if k%uint64(x.sample) == 0 {
					x.tried++
					seeing = false
					why := progress(kept)
					seeing = true
					if why != "" {
						x.report("(d) " + why)
					}
				}
				next = append(next, node{&kept, k, int32(len(x.trails) - 1)})
			}
			m.each(func(what move) { x.move = what })
			if again.key(n.world) != n.key {
				x.move = move{}
				x.report("Next wrote to what states share")
			}
		}
		if len(x.order) > 0 && os.Getenv("LAMPLIGHTER_EXPLORE") != "on" {
			break // the shortest are known
		}
		level = next
		x.depth++
		if left := len(level); x.within > 0 && time.Since(began) > x.within && left > 0 {
			t.Logf("%s is too large: left with %d states to go on from", x.name, left)
			break
		}
	}
	x.states = len(x.seen)
	took := time.Since(began)
	t.Logf("%-24s %7d states, depth %d, %.1f moves a state, at most %d at a depth, %d continued to their end, %.1f s",
		x.name, x.states, x.depth, float64(x.transitions)/float64(x.states), x.widest, x.tried, took.Seconds())
	for _, why := range x.order {
		t.Error(why)
	}
}

// report keeps the first history of each kind of violation.
func (x *exploration) report(why string) {
	kind := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, why)
	if x.found[kind] || len(x.found) > 8 {
		return
	}
	x.found[kind] = true
	var moves []string
	for i := x.at; i > 0; i = x.trails[i].from {
		moves = append(moves, x.trails[i].move.String())
	}
	slices.Reverse(moves)
	if x.move != (move{}) {
		moves = append(moves, x.move.String())
	}
	x.order = append(x.order, fmt.Sprintf("%s\n\thistory(t, %q, `\n%s\n`)", why, x.name, strings.Join(moves, "\n")))
}

func (m move) String() string {
	if m.who == 9 {
		return m.what
	}
	return fmt.Sprintf("%d %s", m.who, m.what)
}

// each lists every move, and names it before it happens.
func (m *mover) each(before func(move)) {
	m.before = before
	m.all()
}

// prune forgets what is of no interest any more.
func (w *world) prune() {
	honoured := func(t string) bool { return w.server.honours(t, w.now) }
	w.safe = fitting(w.safe, honoured)
	for i := range w.h {
		h := &w.h[i]
		h.heard = fitting(h.heard, honoured)
		if n := len(h.dead); n > 6 {
			h.dead = h.dead[n-6:]
		}
	}
}

// history repeats what an exploration found. It fails if that is wrong, as a test
// of a fault that is mended must not; each move is one line.
func history(t *testing.T, name, moves string) *world {
	t.Helper()
	c := configurationOf(t, name)
	r := c.rig()
	var done []string
	wrong := func(why string) { t.Errorf("%s, after %q", why, done) }
	r.wrong = func(string) {}
	r.reached = func(Phase, step.Event, Phase) {}
	w := c.start(r)
	r.wrong = wrong
	for line := range strings.Lines(strings.TrimSpace(moves)) {
		want, found := strings.TrimSpace(line), false
		done = append(done, want)
		m := mover{w: w}
		m.before = func(is move) {
			r.wrong = func(string) {}
			if is.String() == want {
				r.wrong = wrong
			}
		}
		m.yield = func(what move, v *world) {
			if !found && what.String() == want {
				found = true
				kept := *v
				w = &kept
			}
		}
		m.all()
		if !found {
			t.Fatalf("%q cannot happen after %q", want, done)
		}
		r.wrong = wrong
		w.check()
		w.prune()
		if os.Getenv("LAMPLIGHTER_EXPLORE") == "show" {
			t.Log(want, w)
		}
	}
	if os.Getenv("LAMPLIGHTER_EXPLORE") == "show" {
		r.show = func(step int, w *world) { t.Log("goes on", step, w.brief()) }
	}
	if why := progress(*w); why != "" {
		t.Errorf("%s, after %q", why, done)
	}
	return w
}
