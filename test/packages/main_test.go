// Package packages judges what operators install with the tools of those who install it:
// dpkg and rpm in a Debian that holds nothing else, systemd, buildah, sha256sum, tar.
package packages

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"lamplighter/test/internal/rig"
)

const root = "../.."

// The versions that are made: Debian, RPM and semver.org agree that the first comes before
// the second.
const (
	before = "v1.0.0-rc.1"
	after  = "v1.0.0"
)

var dir string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if dir, err = os.MkdirTemp("", "lamplighter-packages-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	return m.Run()
}

// The first is made once, and the second.
var (
	first  = sync.OnceValues(func() (string, error) { return dist("first", before) })
	second = sync.OnceValues(func() (string, error) { return dist("second", after) })
)

// dist runs `make dist` for this machine alone.
func dist(name, version string, env ...string) (string, error) {
	to := filepath.Join(dir, name)
	cmd := exec.Command("make", "dist", "VERSION="+version, "DIST="+to, "PLATFORMS=linux/"+runtime.GOARCH)
	cmd.Dir = root
	cmd.Env = append(append(os.Environ(), "MAKEFLAGS="), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return to, nil
}

// made returns the directory of what is made, or skips the test where the tools cannot
// be had: they are modules of Go, which a proxy has.
func made(t *testing.T, dist func() (string, error)) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		rig.SkipAnyway(t, "packages are for Linux")
	}
	rig.Need(t, "make", "install make")
	to, err := dist()
	if err != nil && rig.Unreachable(err.Error()) {
		rig.Skip(t, "the tools that make packages cannot be downloaded: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// file returns the one of a kind that is made.
func file(t *testing.T, in, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(in, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s is %v: %v", pattern, found, err)
	}
	return found[0]
}

// output runs a command in a directory, and returns what it prints.
func output(t *testing.T, in, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = in
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, &out, &errs)
	}
	return out.String()
}
