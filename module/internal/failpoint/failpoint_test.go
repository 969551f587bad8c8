//go:build !failpoint || !unix

package failpoint

import "testing"

func TestAtDoesNothingWithoutTheBuildTag(t *testing.T) {
	t.Setenv("LAMPLIGHTER_FAILPOINT", "here")
	At("here")
	if n := testing.AllocsPerRun(100, func() { At("here") }); n != 0 {
		t.Errorf("At allocates %v times, want an empty function", n)
	}
}
