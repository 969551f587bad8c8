//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestTheAdminSocketIsWhereOthersCanOnlyPassThrough: the mode of the directory and the umask
// keep them from it until it has its own mode.
func TestTheAdminSocketIsWhereOthersCanOnlyPassThrough(t *testing.T) {
	home := short(t)
	run := filepath.Join(home, "run")
	t.Setenv("XDG_DATA_HOME", filepath.Join(home, "data"))
	t.Setenv("XDG_RUNTIME_DIR", run)
	if err := os.MkdirAll(filepath.Join(run, "lamplighter"), 0o700); err != nil {
		t.Fatal(err)
	}
	defer syscall.Umask(syscall.Umask(0o022))
	for _, c := range []struct {
		mode  fs.FileMode
		umask int
		there bool
	}{
		{0o711, 0o022, true}, // others reach what is there by its name alone
		{0o711, 0o077, true}, // as the units of systemd have it
		{0o711, 0o002, false},
		{0o711, 0, false},
		{0o755, 0o077, false},
		{0o770, 0o077, false},
		{0o700, 0, true},
	} {
		want := filepath.Join(home, "data", "lamplighter", "admin.sock")
		if c.there {
			want = filepath.Join(run, "lamplighter", "admin.sock")
		}
		if err := os.Chmod(filepath.Join(run, "lamplighter"), c.mode); err != nil {
			t.Fatal(err)
		}
		syscall.Umask(c.umask)
		if got := ownSocket(); got != want || umask() != c.umask {
			t.Errorf("mode %v, umask %04o: got %s, want %s", c.mode, c.umask, got, want)
		}
	}
}

// TestTheUnitsGiveADirectoryThatReadersOfTokensPassThrough: each socket and file in it has a
// mode of its own, and the admin socket goes there all the same.
func TestTheUnitsGiveADirectoryThatReadersOfTokensPassThrough(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	for _, unit := range []string{"../../packaging/lamplighter.service", "../../examples/systemd/lamplighter.service"} {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		_, mode, _ := strings.Cut(string(text), "\nRuntimeDirectoryMode=")
		bits, err := strconv.ParseUint(mode[:4], 8, 32)
		if err != nil || bits&0o011 != 0o011 {
			t.Errorf("%s: mode %.4s lets no proxy get to a socket of tokens (%v)", unit, mode, err)
		}
		dir := t.TempDir()
		if err := os.Chmod(dir, fs.FileMode(bits)); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(dir); err != nil || !private(info) {
			t.Errorf("%s: the admin socket would not go there (%v)", unit, err)
		}
		if !strings.Contains(string(text), "\nUMask=0077\n") || !strings.Contains(string(text), "\nSystemCallFilter=~@privileged @resources\n# The group of a token_file, which must be one of SupplementaryGroups=.\nSystemCallFilter=@chown\n") {
			t.Errorf("%s: a token_file cannot be given its group, or the umask is another", unit)
		}
	}
}
