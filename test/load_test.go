package test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestRotationUnderLoadFailsNoRequest lets four callers send requests over thirty
// rotations, each of which kills the old access token at once.
func TestRotationUnderLoadFailsNoRequest(t *testing.T) {
	t.Parallel()
	const rotations = 30
	servers := startDemoServers(t, "2s")
	dir, address := rig.Home(t), rig.FreeAddress(t)
	rig.Write(t, dir, "Caddyfile", servers.caddyfile(address))
	rig.RunSidecar(t, dir, address)

	var done atomic.Bool
	var answered atomic.Int64
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			for !done.Load() && !t.Failed() {
				var res *http.Response
				var err error
				if caller%2 == 0 {
					res, err = http.Get("http://" + address + "/orders")
				} else {
					res, err = http.Post("http://"+address+"/orders", "text/plain", strings.NewReader(strings.Repeat("a body ", 1000)))
				}
				if err != nil {
					t.Errorf("after %d answers: %v", answered.Load(), err)
					return
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				if res.StatusCode != http.StatusOK || err != nil {
					t.Errorf("after %d answers: %d %s %v", answered.Load(), res.StatusCode, body, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	rig.Eventually(t, "thirty rotations", func() bool { return t.Failed() || servers.stats().Generation > rotations })
	done.Store(true)
	callers.Wait()
	stats := servers.stats()
	if stats.Spent != 0 || stats.Refused != 0 || answered.Load() < 4*rotations {
		t.Errorf("%d answers, %+v", answered.Load(), stats)
	}
	t.Logf("%d answers over %d rotations, %d of them replayed after a 401", answered.Load(), stats.Generation, stats.APIUnauthorized)
}
