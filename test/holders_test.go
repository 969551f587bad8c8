package test

import (
	"path/filepath"
	"testing"
	"time"
)

// TestTwoProcessesShareOneGrant runs two sidecars on one data directory: one
// refreshes, the other serves what it wrote, and goes on when the first dies.
func TestTwoProcessesShareOneGrant(t *testing.T) {
	t.Parallel()
	servers := startDemoServers(t, "3s")
	data := filepath.Join(home(t), "data")
	runOne := func() *sidecar {
		dir, address := home(t), freeAddress(t)
		write(t, dir, "Caddyfile", servers.caddyfile(address))
		env := append(environment(dir), "XDG_DATA_HOME="+data, "CADDY_ADMIN=unix/"+filepath.Join(dir, "admin.sock"))
		s := &sidecar{startBinary(t, binary, dir, env, "run", "--config", "Caddyfile", "--adapter", "caddyfile"), address}
		eventually(t, "it listens", func() bool { return listens(address) })
		return s
	}
	first := runOne()
	second := runOne()
	serve := func() {
		t.Helper()
		for _, s := range []*sidecar{first, second} {
			if got := get(t, s.address, "/"); got.status != 200 {
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

	first.kill()
	first = second
	bothServe(3)
	if stats := servers.stats(); stats.Spent != 0 {
		t.Errorf("%+v", stats)
	}
}
