//go:build unix

package tokenfile

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkDirectory refuses a directory that another user could put files into.
func checkDirectory(dir string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if euid := os.Geteuid(); st.Uid != 0 && int(st.Uid) != euid {
		return exposedError{fmt.Errorf("%s belongs to user %d, and this process runs as user %d", dir, st.Uid, euid)}
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return exposedError{fmt.Errorf("others can write to %s (mode %04o)", dir, perm)}
	}
	return nil
}

// sameMode reports whether a file has the mode that it was given.
func sameMode(info fs.FileInfo, mode fs.FileMode) bool { return info.Mode().Perm() == mode }
