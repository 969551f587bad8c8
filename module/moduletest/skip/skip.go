// Package skip is for tests alone: it skips one, and tells whoever runs them all,
// because go test says nothing of what is skipped in a package that passes.
package skip

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Missing skips a test for which something is missing here. LAMPLIGHTER_REQUIRE=all
// makes that a failure: whoever sets it, as CI does, has everything.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("LAMPLIGHTER_REQUIRE") == "all" {
		t.Fatalf("LAMPLIGHTER_REQUIRE=all, and yet: "+format, args...)
	}
	Here(t, format, args...)
}

// Here skips a test that has its place elsewhere. The file that LAMPLIGHTER_SKIPS names
// holds a line about it then.
func Here(t testing.TB, format string, args ...any) {
	t.Helper()
	if name := os.Getenv("LAMPLIGHTER_SKIPS"); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		reason := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
		fmt.Fprintf(f, "%s: %s\n", t.Name(), reason) // one write, among those of other packages
	}
	t.Skipf(format, args...)
}
