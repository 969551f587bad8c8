package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the lamplighter under test. LAMPLIGHTER_BINARY names one that is
// built already, say the one of a container image; else it is built here.
var binary = os.Getenv("LAMPLIGHTER_BINARY")

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if binary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "lamplighter-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "lamplighter")
	if err := build(binary, "nobadger,nomysql,nopgx"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build builds what `make build` does.
func build(to, tags string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-tags", tags,
		"-ldflags", "-X github.com/caddyserver/caddy/v2.CustomBinaryName=lamplighter -X github.com/caddyserver/caddy/v2.CustomVersion=v0.0.0-test",
		"-o", to, "./cmd/lamplighter")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building lamplighter: %w\n%s", err, out)
	}
	return nil
}
