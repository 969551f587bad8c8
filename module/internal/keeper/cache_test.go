package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

func TestGrantsWithoutARefreshTokenNeedNoStore(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.seed = ""
		r.disk.refuseSaves(errReadOnly, anything)
		r.disk.refuseLoads(errReadOnly)
		r.disk.faults(func() { r.disk.leaseErr = errReadOnly })
		p := r.boot(cacheOnly)
		p.token()
		time.Sleep(3 * time.Hour)
		p.token()
		p.toldOnce(finding.StoreFailed)
		if st := p.keeper.Status(); st.Unsaved || st.State != StateOK {
			t.Errorf("status %+v, want ok", st)
		}
		r.disk.refuseLoads(nil)
		r.disk.faults(func() { r.disk.leaseErr = nil })
		r.disk.acceptSaves()
		time.Sleep(time.Hour)
		p.toldOnce(finding.StoreRecovered)
		r.disk.refuseSaves(errReadOnly, anything)
		time.Sleep(time.Hour)
		if found := p.told(finding.StoreFailed); len(found) != 2 {
			t.Errorf("told %d failures, want the second one too", len(found))
		}
	})
}

func TestAGrantThatIsRefusedWithoutARefreshTokenIsTriedSlowly(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.seed = ""
		r.server.always(refuses()) // a wrong password
		p := r.boot(cacheOnly)
		p.tick(30 * time.Minute)
		r.wantState(p, StateMisconfigured, "invalid_grant")
		if n := r.server.count(); n < 6 || n > 14 {
			t.Errorf("%d requests in half an hour", n)
		}
		r.server.heal()
		time.Sleep(6 * time.Minute)
		p.token()
	})
}

func TestARefreshTokenThatIsNotReplacedIsPresentedEachTime(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.reuses = true
		p := r.boot(cacheOnly)
		p.tick(5 * time.Hour)
		p.kill()
		p = r.boot(cacheOnly)
		p.tick(5 * time.Hour)
		for _, asked := range r.server.requests() {
			if asked.token != r.seed {
				t.Fatalf("presented %q", asked.token)
			}
		}
		r.wantState(p, StateOK, "")
		r.server.revoke(r.seed)
		p.tick(time.Hour)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		before := r.server.count()
		p.tick(5 * time.Hour)
		r.wantRequests(before)
		r.supply(r.server.login())
		p.tick(time.Minute)
		r.wantState(p, StateOK, "")
	})
}
