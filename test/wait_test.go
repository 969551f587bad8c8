package test

import (
	"context"
	"testing"
	"time"
)

// patience bounds every wait of these tests. Nothing here takes nearly as long,
// unless the machine is busy with something else.
const patience = time.Minute

// eventually polls until a condition holds, and fails the test if it never does.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited %v in vain for this: %s", patience, what)
		}
	}
}
