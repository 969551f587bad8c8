//go:build !unix

package filestore

import (
	"errors"
	"io/fs"
	"os"
)

// noFollow has no counterpart here: openNoFollow looks first.
const noFollow = 0

const lockAccess = os.O_RDONLY

// openNoFollow opens a file for reading.
func openNoFollow(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errSymlink}
	}
	return os.Open(path)
}

// syncDir does nothing: directories cannot be synced here.
func syncDir(string) error { return nil }

// checkPrivate checks nothing: who may read a file is not in its mode here.
func checkPrivate(string, fs.FileInfo) error { return nil }

// whose adds nothing.
func whose(err error) error { return err }

// identity does not know files by anything but their names here.
func identity(fs.FileInfo) (device, inode uint64) { return 0, 0 }

// noLocks reports whether an error means that locks will never work there.
func noLocks(err error) bool { return errors.Is(err, errors.ErrUnsupported) }
