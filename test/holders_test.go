package test

import (
	"path/filepath"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// TestTwoProcessesShareOneGrant runs two sidecars on one data directory: one
// refreshes, the other serves what it wrote, and goes on when the first dies.
func TestTwoProcessesShareOneGrant(t *testing.T) {
	t.Parallel()
	servers := startDemoServers(t, "3s")
	data := filepath.Join(rig.Home(t), "data")
	runOne := func() *rig.Sidecar {
		dir, address := rig.Home(t), rig.FreeAddress(t)
		rig.Write(t, dir, "Caddyfile", servers.caddyfile(address))
		return rig.RunSidecar(t, dir, address, "XDG_DATA_HOME="+data, "CADDY_ADMIN=unix/"+filepath.Join(dir, "admin.sock"))
	}
	first := runOne()
	second := runOne()
	serve := func() {
		t.Helper()
		for _, s := range []*rig.Sidecar{first, second} {
			if got := rig.Get(t, s.Address, "/"); got.Status != 200 {
				t.Fatalf("got %v", got)
			}
		}
	}
	bothServe := func(rotations int) {
		t.Helper()
		for target := servers.stats().Generation + rotations; servers.stats().Generation < target; time.Sleep(20 * time.Millisecond) {
			serve()
		}
		serve() // both have the new token, so its record is written
	}
	bothServe(3)
	stats := servers.stats()
	if stats.Spent != 0 || stats.TokenRequests != stats.Generation {
		t.Errorf("%+v: the processes did not take turns", stats)
	}

	first.Kill()
	first = second
	bothServe(3)
	if stats := servers.stats(); stats.Spent != 0 {
		t.Errorf("%+v", stats)
	}
}
