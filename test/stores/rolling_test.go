package stores

import (
	"fmt"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// TestARollingUpdateFailsNoRequest replaces three replicas as a Deployment with maxSurge 1
// does, while a token is replaced every second: a new one is started, called once it says
// that it is ready, and then an old one is told to end, and called for a while yet.
func TestARollingUpdateFailsNoRequest(t *testing.T) {
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, backend(t), 2*time.Second, 5*time.Second)
			before := d.servers.Stats()
			l := newCallers(t)
			var old []func() error
			for _, r := range d.replicas {
				d.awaitReady(r)
				old = append(old, d.retire(r, l.add(r)))
			}
			for i, retire := range old {
				r := d.start(fmt.Sprintf("new-%d", i+1))
				d.awaitReady(r)
				l.add(r)
				if err := retire(); err != nil {
					t.Errorf("replica %d ended with %v", i+1, err)
				}
				d.replicas = append(d.replicas[1:], r)
			}
			rig.Eventually(t, "all new ones serve one more rotation", d.rotated(d.servers.Stats().Generation))
			l.end()
			answered, _, _, failures := l.counted()
			after := d.servers.Stats()
			t.Logf("%d requests answered, %d failed, over %d rotations with %d token requests",
				answered, len(failures), after.Generation-before.Generation, after.TokenRequests-before.TokenRequests)
			if len(failures) > 0 || after.Spent > 0 || after.TokenRequests != after.Generation || after.Generation-before.Generation < 3 {
				t.Errorf("%+v, failed: %v", after, failures)
			}
		})
	}
}

// awaitReady asks as the probes of a kubelet do.
func (d *deployment) awaitReady(r *replica) {
	d.t.Helper()
	for _, probe := range []string{"--live", "--ready"} {
		rig.Eventually(d.t, r.name+" is "+probe, func() bool {
			_, _, code := rig.Command(d.t, r.home, "tokens", "health", probe, "--address", r.socket())
			return code == 0
		})
	}
}

// retire ends a replica, which is called until everybody knows that it ends.
func (d *deployment) retire(r *replica, uncalled func()) func() error {
	return func() error {
		told := time.AfterFunc(shutdownDelay/2, uncalled)
		defer told.Stop()
		return r.End(rig.Terminate)
	}
}
