//go:build !failpoint || !unix

package failpoint

import "testing"

func TestAtDoesNothingWithoutTheBuildTag(t *testing.T) {
	t.Setenv("LAMPLIGHTER_FAILPOINT", "here")
	At("here")
	Behind("here")
	if n := testing.AllocsPerRun(100, func() { At("here"); Behind("here") }); n != 0 {
		t.Errorf("they allocate %v times, want empty functions", n)
	}
}
