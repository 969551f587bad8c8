package moduletest

import (
	"os"
	"testing"
)

// Main runs the tests of a package beside the data of whoever runs them: the ledger of
// this machine is for those who use it.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lamplighter-test")
	if err != nil {
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv("XDG_DATA_HOME", dir); err != nil {
		return 1
	}
	return m.Run()
}
