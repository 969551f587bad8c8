package test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// TestSIGTERMDuringARefreshWaitsForItsRecord ends the process while the token
// endpoint has rotated and has not answered yet.
func TestSIGTERMDuringARefreshWaitsForItsRecord(t *testing.T) {
	t.Parallel()
	servers := startDemoServers(t, "1h")
	dir, address := rig.Home(t), rig.FreeAddress(t)
	rig.Write(t, dir, "Caddyfile", servers.caddyfile(address))
	servers.fault(`{"kind":"delay_answer","ms":2000}`)
	s := rig.RunSidecar(t, dir, address)
	rig.Eventually(t, "the token endpoint has rotated", func() bool { return servers.stats().Generation == 1 })
	if err := s.End(rig.Terminate); err != nil {
		t.Errorf("it ended with %v", err)
	}

	rig.RunSidecar(t, dir, address)
	rig.Eventually(t, "the token is served", func() bool { return rig.Get(t, address, "/").Status == 200 })
	if stats := servers.stats(); stats.TokenRequests != 1 || stats.Spent != 0 {
		t.Errorf("%+v: the answer was not kept", stats)
	}
}

// TestOpenStreamsDoNotOutliveTheGracePeriod ends the process while an upstream
// streams without end.
func TestOpenStreamsDoNotOutliveTheGracePeriod(t *testing.T) {
	t.Parallel()
	servers := startDemoServers(t, "1h")
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			fmt.Fprintln(w, "data: x")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(20 * time.Millisecond)
		}
	}))
	t.Cleanup(endless.Close)
	dir, address := rig.Home(t), rig.FreeAddress(t)
	config := strings.Replace(servers.caddyfile(address), "grace_period 10s", "grace_period 1s", 1)
	config = strings.Replace(config, "upstream_oauth "+servers.API, "upstream_oauth "+endless.URL, 1)
	rig.Write(t, dir, "Caddyfile", config)
	s := rig.RunSidecar(t, dir, address)
	res, err := http.Get("http://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := res.Body.Read(make([]byte, 1)); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %v", res.StatusCode, err)
	}
	began := time.Now()
	if err := s.End(rig.Terminate); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestRequestsAreServedUntilTheServersHaveStopped ends processes that still take requests
// for a while, and whose tokens end meanwhile. Caddy stops its apps in any order.
func TestRequestsAreServedUntilTheServersHaveStopped(t *testing.T) {
	t.Parallel()
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			servers := startDemoServers(t, "1s")
			dir, address := rig.Home(t), rig.FreeAddress(t)
			rig.Write(t, dir, "Caddyfile", strings.Replace(servers.caddyfile(address), "grace_period", "shutdown_delay 4s\n\tgrace_period", 1))
			s := rig.RunSidecar(t, dir, address)
			if got := rig.Get(t, address, "/"); got.Status != 200 {
				t.Fatalf("got %v", got)
			}
			if err := s.Cmd.Process.Signal(rig.Terminate); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				if got := rig.Get(t, address, "/"); got.Status != 200 {
					t.Fatalf("got %v", got)
				}
			}
			if err := s.End(rig.Terminate); err != nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}
