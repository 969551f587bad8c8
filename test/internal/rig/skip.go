package rig

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Skip skips a test for which something is missing here. LAMPLIGHTER_REQUIRE=all
// makes that a failure: whoever sets it, as CI does, has installed everything.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("LAMPLIGHTER_REQUIRE") == "all" {
		t.Fatalf("LAMPLIGHTER_REQUIRE=all, and yet: "+format, args...)
	}
	SkipAnyway(t, format, args...)
}

// SkipAnyway skips a test for which nothing can be installed that is missing here. The
// file that LAMPLIGHTER_SKIPS names holds a line about it then: go test says nothing of
// what is skipped in a package that passes.
func SkipAnyway(t testing.TB, format string, args ...any) {
	t.Helper()
	if name := os.Getenv("LAMPLIGHTER_SKIPS"); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fmt.Fprintf(f, "%s: %s\n", t.Name(), strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " "))
	}
	t.Skipf(format, args...)
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
