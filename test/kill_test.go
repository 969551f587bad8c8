package test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestSIGKILLAtEveryStepIsSafe kills the real process at each step of a refresh.
// After the restart the new generation is there, or the one refresh token that
// may have been consumed is presented once more, and a refusal is explained.
func TestSIGKILLAtEveryStepIsSafe(t *testing.T) {
	t.Parallel()
	mortal := filepath.Join(t.TempDir(), "lamplighter")
	if err := rig.Build(mortal, "nobadger,nomysql,nopgx,failpoint"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		failpoint string
		kept      bool // the grant lives on; else the answer is lost
		requests  int  // token requests, those after the restart too
	}{
		{"before-journal", true, 1},
		{"store-temp-written", true, 1}, // of the journal
		{"store-renamed", true, 1},
		{"after-journal", true, 1},
		{"before-send", true, 1},
		{"after-send", false, 2},
		{"after-headers", false, 2},
		{"mid-body", false, 2},
		{"after-body", false, 2},
		{"after-parse", false, 2},
		{"store-temp-written:2", true, 1}, // of the new generation, and found complete
		{"store-temp-synced:2", true, 1},
		{"store-renamed:2", true, 1},
		{"store-dir-synced:2", true, 1},
		{"before-publish", true, 1},
	} {
		t.Run(strings.ReplaceAll(test.failpoint, ":", "_"), func(t *testing.T) {
			servers := startDemoServers(t, "1h")
			dir, address := rig.Home(t), rig.FreeAddress(t)
			rig.Write(t, dir, "Caddyfile", servers.caddyfile(address))

			run := []string{"run", "--config", "Caddyfile", "--adapter", "caddyfile"}
			p := rig.StartBinary(t, mortal, dir, append(rig.Environment(dir), "LAMPLIGHTER_FAILPOINT="+test.failpoint), run...)
			rig.Eventually(t, "the process is killed", p.Ended)
			if status := p.Cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
				t.Fatalf("it ended otherwise: %v", p.Err)
			}

			rig.RunSidecar(t, dir, address)
			var clients []struct{ State, Token, Cause, Detail, Remedy string }
			rig.Eventually(t, "the state is settled", func() bool {
				out, _, _ := rig.Command(t, dir, "tokens", "list", "--json")
				return json.Unmarshal([]byte(out), &clients) == nil && len(clients) == 1 &&
					(clients[0].State == "ok" || clients[0].State == "grant_lost")
			})
			c, stats := clients[0], servers.stats()
			if stats.TokenRequests != test.requests {
				t.Errorf("%d token requests, want %d", stats.TokenRequests, test.requests)
			}
			if test.kept {
				if got := rig.Get(t, address, "/"); got.Status != 200 || c.State != "ok" || stats.Spent != 0 {
					t.Errorf("%v, %+v, %+v", got, c, stats)
				}
				return
			}
			if got := rig.Get(t, address, "/"); got.Status != 503 || c.State != "grant_lost" || c.Cause != "response_lost" ||
				!strings.Contains(c.Detail, "the response lost in a crash") || c.Remedy == "" || stats.Spent != 1 {
				t.Errorf("%v, %+v, %+v", got, c, stats)
			}
		})
	}
}

// TestSIGKILLInALaterRefreshIsSafe kills the process in its second refresh, when
// the record holds a grant that no seed can bring back.
func TestSIGKILLInALaterRefreshIsSafe(t *testing.T) {
	t.Parallel()
	mortal := filepath.Join(t.TempDir(), "lamplighter")
	if err := rig.Build(mortal, "nobadger,nomysql,nopgx,failpoint"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		failpoint string
		kept      bool
	}{
		{"after-journal:2", true},
		{"before-send:2", true},
		{"after-send:2", false},
		{"after-parse:2", false},
		{"store-temp-synced:4", true},
		{"store-dir-synced:4", true},
		{"before-publish:2", true},
	} {
		t.Run(strings.ReplaceAll(test.failpoint, ":", "_"), func(t *testing.T) {
			t.Parallel()
			servers := startDemoServers(t, "3s")
			dir, address := rig.Home(t), rig.FreeAddress(t)
			rig.Write(t, dir, "Caddyfile", servers.caddyfile(address))
			run := []string{"run", "--config", "Caddyfile", "--adapter", "caddyfile"}
			p := rig.StartBinary(t, mortal, dir, append(rig.Environment(dir), "LAMPLIGHTER_FAILPOINT="+test.failpoint), run...)
			rig.Eventually(t, "the process is killed", p.Ended)
			before := servers.stats()
			if before.TokenRequests < 1 || before.Refused != 0 {
				t.Fatalf("killed too early: %+v", before)
			}

			rig.RunSidecar(t, dir, address)
			if test.kept {
				rig.Eventually(t, "it goes on", func() bool { return rig.Get(t, address, "/").Status == 200 })
				rig.Eventually(t, "it refreshes again", func() bool { return servers.stats().Generation > before.Generation+1 })
				if after := servers.stats(); after.Spent != 0 {
					t.Errorf("%+v", after)
				}
				return
			}
			rig.Eventually(t, "the loss is noticed", func() bool {
				out, _, _ := rig.Command(t, dir, "tokens", "list", "--json")
				return strings.Contains(out, `"grant_lost"`) && strings.Contains(out, "response_lost") && strings.Contains(out, "lost in a crash")
			})
			if after := servers.stats(); after.Spent != 1 {
				t.Errorf("%+v", after)
			}
		})
	}
}
