//go:build failpoint && unix

package failpoint

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const helper = "FAILPOINT_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helper) == "" {
		os.Exit(m.Run())
	}
	for range 2 {
		At("one")
		At("two")
	}
	for range 2 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			At("written")
		}()
		Behind("written")
		os.Stdout.WriteString("read ")
		<-done
	}
	os.Stdout.WriteString("survived")
}

func TestAtKillsAtTheChosenPassing(t *testing.T) {
	for value, killed := range map[string]bool{
		"":      false,
		"none":  false,
		"one":   true,
		"two:1": true,
		"two:2": true,
		"two:3": false,
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), helper+"=1", Variable+"="+value)
		out, err := cmd.Output()
		if !killed {
			if err != nil || string(out) != "read read survived" {
				t.Errorf("%q: got %q and %v, want a process that survives", value, out, err)
			}
			continue
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Errorf("%q: got %v, want a killed process", value, err)
			continue
		}
		if ws := exit.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGKILL {
			t.Errorf("%q: got %v, want SIGKILL", value, ws)
		}
		if len(out) != 0 {
			t.Errorf("%q: went on to print %q", value, out)
		}
	}
}

func TestNothingGoesOnBehindAPlaceThatKills(t *testing.T) {
	for value, printed := range map[string]string{"written": "", "written:2": "read "} {
		for range 20 {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), helper+"=1", Variable+"="+value)
			if out, err := cmd.Output(); err == nil || string(out) != printed {
				t.Fatalf("%q: got %q and %v, want %q", value, out, err, printed)
			}
		}
	}
}
