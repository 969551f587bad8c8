package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

// holdLease lets another process have the lease for as long as it likes.
func (r *rig) holdLease() (release func()) {
	lease, err := r.newProcess().store.Lease(r.Context(), "erp")
	if err != nil {
		r.Fatal(err)
	}
	return lease.Release
}

func TestACacheThatSomebodyLockedHoldsUpNoToken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		defer r.holdLease()()
		p := r.boot(cacheOnly)
		p.token()
		time.Sleep(storeWait)
		p.toldOnce(finding.StoreFailed)
	})
}

func TestAnAnswerIsServedThoughSomebodyTookTheLockMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var release func()
		r.server.onSent = func(*machine, string) {
			if release == nil {
				r.disk.stealLease()
				release = r.holdLease()
			}
		}
		p := r.boot()
		p.token()
		p.toldOnce(finding.StoreFailed)
		began := time.Now()
		p.halt()
		if took := time.Since(began); took > time.Minute {
			t.Errorf("the stop took %v", took)
		}
		release()
	})
}
