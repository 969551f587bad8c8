package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Tags are those of the lamplighter that `make build` builds.
const Tags = "nobadger,nomysql,nopgx"

// Binary is the lamplighter under test. LAMPLIGHTER_BINARY names one that is
// built already, say the one of a container image; else Main builds it.
var Binary = os.Getenv("LAMPLIGHTER_BINARY")

// Main is for a package's TestMain: it sees to it that there is a Binary, runs
// the tests, and returns the exit code.
func Main(m *testing.M) int {
	if Binary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "lamplighter-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	Binary = filepath.Join(dir, "lamplighter")
	if err := Build(Binary, Tags); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Build builds what `make build` does, if the tags are Tags.
func Build(to, tags string) error {
	root, err := Repository()
	if err != nil {
		return err
	}
	return BuildFrom(root, to, tags)
}

// BuildFrom is Build with other sources of Lamplighter.
func BuildFrom(sources, to, tags string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-tags", tags,
		"-ldflags", "-X github.com/caddyserver/caddy/v2.CustomBinaryName=lamplighter -X github.com/caddyserver/caddy/v2.CustomVersion=v0.0.0-test",
		"-o", to, "./cmd/lamplighter")
	cmd.Dir = sources
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building lamplighter: %w\n%s", err, out)
	}
	return nil
}

// Repository is the directory of Lamplighter's sources: the tests of a package
// run in its own.
func Repository() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "cmd", "lamplighter")); missing == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			err = fmt.Errorf("the sources of lamplighter are not above this directory")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
