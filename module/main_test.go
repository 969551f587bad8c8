package module

import (
	"os"
	"testing"
)

// The ledger of this machine is for those who use it, and a test's for the test.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lamplighter-test")
	if err == nil {
		err = os.Setenv("XDG_DATA_HOME", dir)
	}
	code := 1
	if err == nil {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}
