//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"lamplighter/module/internal/redact"
)

// noFollow makes opening a symbolic link fail.
const noFollow = unix.O_NOFOLLOW

// lockAccess is how a lock file is opened. Where locks are fcntl's, an
// exclusive one needs a file that can be written.
var lockAccess = lockAccessOn(runtime.GOOS)

func lockAccessOn(goos string) int {
	switch goos {
	case "aix", "solaris", "illumos":
		return os.O_RDWR
	}
	return os.O_RDONLY
}

// openNoFollow opens a file for reading. A named pipe does not block it.
func openNoFollow(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|noFollow|unix.O_NONBLOCK, 0)
	if err == nil {
		return file, nil
	}
	// Each system has its own error for a symbolic link.
	if info, statErr := os.Lstat(path); statErr == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errSymlink}
	}
	return nil, err
}

// syncDir makes renames, creations and removals in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

// checkPrivate refuses what another user owns, could read or could write.
// Nothing is mended silently: who could read it may have done so.
func checkPrivate(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	mode := 0o600
	if info.IsDir() {
		mode = 0o700
	}
	if int(st.Uid) != os.Geteuid() {
		return foreign(path, st.Uid, info.IsDir())
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Errorf("%s is open to other users (mode %04o); if nobody has touched it, run: chmod %o %s", path, perm, mode, path)
	}
	return nil
}

// foreign says of a file or directory that it is somebody else's. Whoever has one foreign
// file there usually has more.
func foreign(path string, owner uint32, isDir bool) error {
	dir, euid := path, os.Geteuid()
	if !isDir {
		dir = filepath.Dir(path)
	}
	said := fmt.Sprintf("%s belongs to user %d, but this process runs as user %d", path, owner, euid)
	if euid == 0 { // whose records they may well be
		return fmt.Errorf("%s; run this as that user; only if root is to have the records from now on, run: chown -R 0 %s", said, redact.Quoted(dir))
	}
	to := strconv.Itoa(euid)
	if me, err := user.LookupId(to); err == nil {
		to = me.Username + ":"
	}
	return fmt.Errorf("%s; if the records are yours, run: chown -R %s %s", said, to, redact.Quoted(dir))
}

// whose adds to an error about a file that may not be used whose that is, or whose the
// directory is in which it cannot be seen.
func whose(err error) error {
	about, ok := errors.AsType[*fs.PathError](err)
	if !ok || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	path := about.Path
	info, statErr := os.Lstat(path)
	for errors.Is(statErr, fs.ErrPermission) && path != filepath.Dir(path) {
		path = filepath.Dir(path)
		info, statErr = os.Lstat(path)
	}
	if statErr != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %w", err, foreign(path, st.Uid, info.IsDir()))
	}
	return err
}

// noLocks reports whether an error means that locks will never work there.
func noLocks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, unix.ENOLCK)
}

// identity tells files apart, whatever their names are.
func identity(info fs.FileInfo) (device, inode uint64) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return uint64(st.Dev), uint64(st.Ino) //nolint:unconvert // other systems have other types
}
