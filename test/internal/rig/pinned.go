package rig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Pinned runs a tool in a directory, in the version that the Makefile names, and returns
// what it prints. It skips the test where the tool cannot be downloaded.
func Pinned(t testing.TB, in, tool string, args ...string) (string, error) {
	t.Helper()
	root, err := Repository()
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^` + tool + `\s*:= (\S+@v\S+)$`).FindSubmatch(makefile)
	if version == nil {
		t.Fatalf("the Makefile pins no %s", tool)
	}
	cmd := exec.Command("go", append([]string{"run", string(version[1])}, args...)...)
	cmd.Dir = in
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if Unreachable(errs.String()) {
		Skip(t, "%s cannot be downloaded: %s", tool, &errs)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s%s", cmd, err, &out, &errs)
	}
	return out.String(), err
}

// Unreachable reports whether Go says that it cannot download a module.
func Unreachable(said string) bool {
	return strings.Contains(said, "dial tcp") || strings.Contains(said, "module lookup disabled")
}
