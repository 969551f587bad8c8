package keeper

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/recordstore"
)

// Whoever has mended a file or a directory looks whether that helped, and looking costs
// nothing. Until then people are told when it is looked at, and once of one trouble.
func TestWhatWasPutRightOnThisMachineIsSeenWithinSeconds(t *testing.T) {
	refused := errors.New("permission denied")
	for name, tc := range map[string]struct {
		cause    string
		put, fix func(r *rig)
	}{
		"a secret": {finding.CauseUnresolved,
			func(r *rig) { r.change(func() { r.resolveErr = refused }) },
			func(r *rig) { r.change(func() { r.resolveErr = nil }) }},
		"a directory": {finding.CauseStore,
			func(r *rig) { r.disk.refuseLoads(refused) },
			func(r *rig) { r.disk.refuseLoads(nil) }},
		"a record": {finding.CauseRecord,
			func(r *rig) { r.disk.refuseLoads(fmt.Errorf("%w: %w", recordstore.ErrForeign, refused)) },
			func(r *rig) { r.disk.refuseLoads(nil) }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				tc.put(r)
				p.keeper.Recheck()
				time.Sleep(time.Hour / 4)
				st := p.keeper.Status()
				if st.Trouble.Cause != tc.cause || !st.Looks || st.NextLook > 10*time.Second {
					t.Fatalf("cause %q; a look: %v, in %v", st.Trouble.Cause, st.Looks, st.NextLook)
				}
				if told := len(p.told(finding.TokenRefreshFailed)) + len(p.told(finding.Troubled)); told != 1 {
					t.Errorf("it was told of %d times", told)
				}
				tc.fix(r)
				time.Sleep(10 * time.Second)
				if st := p.keeper.Status(); st.Trouble.Cause != "" || st.Looks {
					t.Errorf("%+v, though it was put right 10 s ago", st.Trouble)
				}
			})
		})
	}
}
