package proxies

import (
	"flag"
	"os"
	"testing"

	"lamplighter/test/internal/rig"
)

// requests is more for a trial that lasts: go test ./proxies -run Nginx -requests 100000.
var requests = flag.Int("requests", 10_000, "how many requests nginx gets at least with each configuration")

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }
