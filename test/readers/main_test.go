package readers

import (
	"os"
	"testing"

	"lamplighter/test/internal/rig"
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }
