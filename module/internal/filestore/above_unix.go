//go:build unix

package filestore

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Above returns an error if others could put another directory into the place of one with
// records, such as an older copy of it, whose refresh tokens are spent: what is above it
// belongs to another user, or others can write to it. In a sticky directory, as /tmp is, only
// who owns a name can move it.
func Above(dir string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil // it is not there yet, or is in no way readable: others say so
	}
	for below := real; below != filepath.Dir(below); below = filepath.Dir(below) {
		above := filepath.Dir(below)
		info, err := os.Stat(above)
		if err != nil {
			return nil
		}
		if err := movable(above, info); err != nil {
			return err
		}
	}
	return nil
}

func movable(above string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d", above, st.Uid)
	}
	perm := info.Mode().Perm()
	switch {
	case info.Mode()&fs.ModeSticky != 0:
		return nil
	case perm&0o002 != 0:
		return fmt.Errorf("everybody can write to %s (mode %04o)", above, perm)
	case perm&0o020 != 0 && st.Gid != 0 && !ours(int(st.Gid)):
		return fmt.Errorf("group %d can write to %s (mode %04o)", st.Gid, above, perm)
	}
	return nil
}

// ours reports whether this process is in a group: then its members are trusted with this.
func ours(gid int) bool {
	groups, _ := os.Getgroups()
	return gid == os.Getegid() || slices.Contains(groups, gid)
}
