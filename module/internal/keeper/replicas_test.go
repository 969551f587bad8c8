package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/store"
)

// shared is a rig whose store replicas share: a lease outlives its holder by 15 s.
func shared(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	bubble(t, func(t *testing.T, r *rig) {
		r.disk.faults(func() { r.disk.lease = 15 * time.Second })
		test(t, r)
	})
}

func TestNothingIsSpentWhileAStoreThatLostWritesIsReadByAll(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		time.Sleep(35 * time.Minute)
		r.disk.faults(func() { r.disk.leaseErr = store.ErrRolledBack })
		time.Sleep(10 * time.Minute)
		r.wantRequests(1)
		r.wantState(p, StateBackoff, grant.CauseStore)
		if e := p.toldOnce(grant.Troubled); p.saidOf(e).Remedy == "" {
			t.Errorf("told %+v", e)
		}
		p.token() // which is served from memory
		r.disk.faults(func() { r.disk.leaseErr = nil })
		time.Sleep(2 * time.Second)
		r.wantRequests(2)
		r.wantState(p, StateOK, "")
	})
}
