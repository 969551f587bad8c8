package test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// TestAnAnswerIsReadThatCameWhileTheProcessStoodStill stops the process while the token
// endpoint answers, as a debugger, a frozen container or the migration of a machine
// does, and for longer than a token request may take.
func TestAnAnswerIsReadThatCameWhileTheProcessStoodStill(t *testing.T) {
	t.Parallel()
	servers := startDemoServers(t, "1h")
	dir, address := rig.Home(t), rig.FreeAddress(t)
	config := strings.Replace(servers.caddyfile(address), "\t\t\tclient_id", "\t\t\ttimeout 2s\n\t\t\tclient_id", 1)
	rig.Write(t, dir, "Caddyfile", config)
	servers.fault(`{"kind":"delay_answer","ms":1000}`)
	s := rig.RunSidecar(t, dir, address)
	rig.Eventually(t, "the token endpoint has rotated", func() bool { return servers.stats().Generation == 1 })
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := s.Cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if signal == syscall.SIGSTOP {
			time.Sleep(2500 * time.Millisecond) // no event tells that a timeout is over in a process that stands still
		}
	}
	rig.Eventually(t, "the token is served", func() bool { return rig.Get(t, address, "/").Status == 200 })
	if stats := servers.stats(); stats.TokenRequests != 1 || stats.Spent != 0 {
		t.Errorf("%+v: the answer was not kept", stats)
	}
}
