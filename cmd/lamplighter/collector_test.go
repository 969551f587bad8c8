package main

import (
	"math"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestASmallHeapHasRoomAndALargeOneDoubles(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 4 << 20: 400, 8 << 20: 200, 10 << 20: 175, 16 << 20: 100, 17 << 20: 100, 1 << 40: 100} {
		if got := percentOf(live, math.MaxInt64); got != want {
			t.Errorf("%d bytes: %d instead of %d", live, got, want)
		}
		if got := percentOf(live, 58<<20); got != 100 {
			t.Errorf("%d bytes in a container of 64 MiB: %d", live, got)
		}
	}
}

func gogc() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// TestRoomIsLeftAsTheHeapGrowsAndShrinks: it is looked at after each collection.
func TestRoomIsLeftAsTheHeapGrowsAndShrinks(t *testing.T) {
	before := gogc()
	t.Setenv("GOGC", "77")
	leaveRoom()
	if got := gogc(); got != before {
		t.Errorf("GOGC was set, and is %d", got)
	}
	t.Setenv("GOGC", "")
	leaveRoom()
	until := func(what string, roomy bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); gogc() > 100 != roomy; runtime.GC() {
			if time.Now().After(deadline) {
				t.Fatalf("%s, it is %d", what, gogc())
			}
		}
	}
	until("at first", true)
	held := make([]byte, 40<<20)
	until("with much in use", false)
	runtime.KeepAlive(held)
	until("with little again", true)
}
