//go:build unix

package tokenfile

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// owner is the user that something belongs to; known is false where users are no numbers.
func owner(info fs.FileInfo) (id int, known bool) {
	st, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, false
	}
	return int(st.Uid), true
}

// anothers reports whether something belongs to another user than root and that of this
// process.
func anothers(info fs.FileInfo) bool {
	id, known := owner(info)
	return known && id != 0 && id != os.Geteuid()
}

// replaceable reports whether others could replace what is in a directory. In a sticky one
// they cannot, but for what is theirs.
func replaceable(dir fs.FileInfo) bool {
	return anothers(dir) || dir.Mode().Perm()&0o022 != 0 && dir.Mode()&fs.ModeSticky == 0
}

// checkDirectory refuses a directory that another user could put files into.
func checkDirectory(dir string, info fs.FileInfo) error {
	if id, _ := owner(info); anothers(info) {
		return exposedError{fmt.Errorf("%s belongs to user %d, and this process runs as user %d", dir, id, os.Geteuid())}
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return exposedError{fmt.Errorf("others can write to %s (mode %04o)", dir, perm)}
	}
	return nil
}

// numbered is what is at a path, by the numbers of its device and inode.
func numbered(path string) (identity, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return identity{}, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, false
	}
	return identity{device: uint64(st.Dev), inode: st.Ino}, true //nolint:gosec,unconvert // of another type on each system
}

// accessOf is what a file says of who may read it; known is false where users are no numbers.
func accessOf(info fs.FileInfo) (is access, known bool) {
	st, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return access{}, false
	}
	return access{info.Mode().Perm(), int(st.Uid), int(st.Gid)}, true
}

// openToReaders gives a directory that was just made the mode that it is to have, which a
// umask may have kept from it. One that somebody has put into its place meanwhile is left as
// it is, unless it is as empty as that one.
func openToReaders(made *os.Root) {
	dir, err := made.Open(".")
	if err != nil {
		return
	}
	defer dir.Close()
	info, err := dir.Stat()
	if err != nil || info.Mode().Perm() == directoryMode {
		return
	}
	if names, _ := dir.Readdirnames(1); len(names) > 0 {
		return
	}
	// Its group is that of the one above, unless a sandbox forbids to say so again
	// (RestrictSUIDSGID= of systemd).
	if dir.Chmod(directoryMode|info.Mode()&fs.ModeSetgid) != nil {
		_ = dir.Chmod(directoryMode)
	}
}
