package filestore

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"
)

// fileSystem is all that the store asks of a disk, so that tests can take the
// power away between any two requests. Errors name the path.
type fileSystem interface {
	// mkdirAll creates a directory for its owner alone, durably.
	mkdirAll(dir string) error

	// list returns the names in a directory.
	list(dir string) ([]string, error)

	// stat follows no symbolic link.
	stat(path string) (fs.FileInfo, error)

	// read returns at most limit bytes, and errSymlink for a symbolic link.
	read(path string, limit int64) ([]byte, fs.FileInfo, error)

	// createTemp creates a file that does not exist, for its owner alone.
	createTemp(path string) (tempFile, error)

	// rename replaces atomically what is there.
	rename(from, to string) error

	remove(path string) error

	// syncDir makes what happened to the names in a directory durable.
	syncDir(dir string) error

	// tryLock locks a file, which it creates if need be. It returns nil if
	// somebody else has the lock.
	tryLock(path string) (fileLock, error)
}

// tempFile is a file being written.
type tempFile interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
}

// fileLock is an exclusive lock on a file.
type fileLock interface {
	// lost returns why the lock excludes nobody any more, or nil.
	lost() error

	// unlock is called once.
	unlock()
}

var (
	errSymlink  = errors.New("is a symbolic link")
	errReplaced = errors.New("the lock file was deleted or replaced")
)

// osFS is the operating system's.
type osFS struct{}

func (osFS) mkdirAll(dir string) error {
	// Whatever is there: the caller looks at it.
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := (osFS{}).mkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func (osFS) list(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

func (osFS) stat(path string) (fs.FileInfo, error) { return os.Lstat(path) }

func (osFS) read(path string, limit int64) ([]byte, fs.FileInfo, error) {
	file, err := openNoFollow(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, info, err
	}
	data := bytes.NewBuffer(make([]byte, 0, min(info.Size(), limit)+bytes.MinRead))
	_, err = data.ReadFrom(io.LimitReader(file, limit))
	return data.Bytes(), info, err
}

func (osFS) createTemp(path string) (tempFile, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|noFollow, 0o600)
	if err != nil {
		return nil, err // not file: a nil *os.File is no nil tempFile
	}
	return file, nil
}

func (osFS) rename(from, to string) error { return os.Rename(from, to) }
func (osFS) remove(path string) error     { return os.Remove(path) }
func (osFS) syncDir(dir string) error     { return syncDir(dir) }

func (osFS) tryLock(path string) (fileLock, error) {
	fl := flock.New(path, flock.SetFlag(os.O_CREATE|lockAccess|noFollow), flock.SetPermissions(0o600))
	ok, err := fl.TryLock()
	if errors.Is(err, syscall.EINTR) {
		return nil, nil
	}
	if err != nil || !ok {
		return nil, err
	}
	return confirmed(path, fl)
}

// confirmed returns the lock that was just taken, unless the file was replaced
// between opening and locking it: then the other one counts.
func confirmed(path string, fl *flock.Flock) (fileLock, error) {
	info, err := fl.Stat()
	lock := &osLock{path: path, flock: fl, info: info}
	if err != nil {
		lock.unlock()
		return nil, err
	}
	if lock.lost() != nil {
		lock.unlock()
		return nil, nil
	}
	return lock, nil
}

// osLock is a flock(2) or what the platform has instead.
type osLock struct {
	path  string
	flock *flock.Flock
	info  fs.FileInfo // of the locked file, whatever the path leads to now
}

func (l *osLock) lost() error {
	now, err := os.Lstat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return errReplaced
	}
	if err != nil {
		return err
	}
	if !os.SameFile(l.info, now) {
		return errReplaced
	}
	return nil
}

func (l *osLock) unlock() {
	// The file stays open, and locked, if unlocking was interrupted.
	for range 3 {
		if l.flock.Unlock() == nil {
			return
		}
	}
}

// Interface guards
var (
	_ fileSystem = osFS{}
	_ fileLock   = (*osLock)(nil)
	_ tempFile   = (*os.File)(nil)
)
