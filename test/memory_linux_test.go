package test

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"lamplighter/test/internal/rig"
)

var noCore = regexp.MustCompile(`(?m)^Max core file size +0 +0 `)

// TestRunningSidecarLeavesNoCoreDump looks from outside, as an operator would.
func TestRunningSidecarLeavesNoCoreDump(t *testing.T) {
	dir, address := rig.Home(t), rig.FreeAddress(t)
	rig.Write(t, dir, "Caddyfile", "http://"+address+" {\n\trespond ok\n}\n")
	s := rig.RunSidecar(t, dir, address)
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", s.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !noCore.Match(limits) {
		t.Errorf("it may dump its memory:\n%s", limits)
	}
	// The metrics of the process still work.
	if res := adminConfig(t, dir); !regexp.MustCompile(`(?m)^process_resident_memory_bytes [1-9]`).MatchString(res) {
		t.Error("no process metrics")
	}
}
