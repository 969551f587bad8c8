package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// room is how far the heap grows at least between two collections of garbage. Go's rule,
	// that it doubles, leaves a sidecar with one client less than 8 MiB, which requests fill
	// many times a second: a tenth of their CPU. A share, as GOGC is one, would cost a fleet of
	// clients a multiple; this costs it nothing.
	room = 16 << 20
	// smallest is the heap that Go takes any smaller one for.
	smallest = 4 << 20
	// tight is a memory limit under which a container has better use for room: many
	// connections at once.
	tight = 128 << 20
)

// leaveRoom has garbage collected when the heap has doubled, and has grown by room. Whoever sets
// GOGC wants something else; a memory limit, which Caddy takes from the container, goes before.
func leaveRoom() {
	if os.Getenv("GOGC") != "" {
		return
	}
	pace(100)
}

// pace says when the next collection begins, and is called after it. percent is what holds now.
func pace(percent int) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if next := percentOf(live[0].Value.Uint64(), debug.SetMemoryLimit(-1)); next != percent {
		debug.SetGCPercent(next)
		percent = next
	}
	runtime.AddCleanup(new(collection), pace, percent)
}

// collection is garbage from the start, and large enough to be an object of its own.
type collection [32]byte

// percentOf is the GOGC for a heap of which so much is in use, under a memory limit, in steps, for
// each change stops the process for a moment.
func percentOf(live uint64, limit int64) int {
	const step = 25
	if limit < tight {
		return 100
	}
	percent := 100 * room / max(live, smallest)
	return int(max(100, (percent+step-1)/step*step)) //nolint:gosec // 400 at most
}
