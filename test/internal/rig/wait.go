package rig

import (
	"context"
	"testing"
	"time"
)

// Patience bounds every wait of these tests. Nothing here takes nearly as long,
// unless the machine is busy with something else.
const Patience = time.Minute

// Eventually polls until a condition holds, and fails the test if it never does.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited %v in vain for this: %s", Patience, what)
		}
	}
}
