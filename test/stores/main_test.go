package stores

import (
	"flag"
	"os"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestMain lets four tests run at once, if nobody says otherwise: what may run beside others waits
// most of its time, for leases and for servers.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(rig.Main(m))
}
