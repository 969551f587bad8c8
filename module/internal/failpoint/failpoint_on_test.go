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
			if err != nil || string(out) != "survived" {
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
