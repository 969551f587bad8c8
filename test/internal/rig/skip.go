package rig

import (
	"os/exec"
	"testing"

	"lamplighter/module/moduletest/skip"
)

// Skip skips a test for which something is missing here. LAMPLIGHTER_REQUIRE=all
// makes that a failure: whoever sets it, as CI does, has installed everything.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	skip.Missing(t, format, args...)
}

// SkipAnyway skips a test for which nothing can be installed that is missing here.
func SkipAnyway(t testing.TB, format string, args ...any) {
	t.Helper()
	skip.Here(t, format, args...)
}

// Need returns the path of a tool, or skips the test and names what brings it.
func Need(t testing.TB, tool, remedy string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		Skip(t, "there is no %s here: %s", tool, remedy)
	}
	return path
}
