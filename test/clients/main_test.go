package clients

import (
	"flag"
	"os"
	"testing"

	"lamplighter/test/internal/rig"
)

func TestMain(m *testing.M) {
	// Most of the time the tests wait until a token is replaced.
	_ = flag.Set("test.parallel", "8")
	os.Exit(rig.Main(m))
}
