package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/recordstore"
)

// Two processes see the damage. One mends it, and the other one joins what it wrote.
func TestADamagedRecordIsMendedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first := r.boot()
		first.token()
		second := r.boot()
		second.token()
		r.disk.refuseLoads(recordstore.ErrUnreadable)
		first.keeper.Recheck()
		second.keeper.Recheck()
		for range 10 {
			first.tick(3 * time.Second)
			second.tick(3 * time.Second)
		}
		if len(r.disk.aside) != 1 {
			t.Errorf("%d records were set aside, want the damaged one", len(r.disk.aside))
		}
		for range 8 {
			first.tick(30 * time.Minute)
			second.tick(30 * time.Minute)
			r.wantUse(first)
			r.wantUse(second)
		}
		if len(r.disk.aside) != 1 {
			t.Errorf("%d records were set aside by and by, want the damaged one", len(r.disk.aside))
		}
	})
}
