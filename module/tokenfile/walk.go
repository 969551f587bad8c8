package tokenfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// directoryMode is that of a directory that is made: its files say who may read them.
const directoryMode = 0o755

// maxLinks is how many symbolic links a path may lead through.
const maxLinks = 40

// walk is the way to a directory, from the root of the file system on. As long as nobody
// but root and the user of this process can replace what the path names, it goes by names,
// and follows links, such as /var/run. From the first directory on in which others can,
// it holds each directory open, follows no link, and accepts only directories that belong
// to one of those two: what others put there is never walked into, nor written to.
type walk struct {
	at    string      // where it is, without links
	info  fs.FileInfo // of that
	held  *os.Root    // that directory, once others can replace what is in it
	rest  []string    // names that are left, with the next one first
	links int
}

// openDirectory opens a directory, which is made if it is missing.
func openDirectory(dir string) (*os.Root, error) {
	w := &walk{rest: names(dir)}
	if err := w.restart(filepath.VolumeName(dir) + string(filepath.Separator)); err != nil {
		return nil, err
	}
	for len(w.rest) > 0 {
		if err := w.step(); err != nil {
			w.close()
			return nil, err
		}
	}
	return w.end()
}

// names are the parts of a path, in their order.
func names(path string) []string {
	return strings.FieldsFunc(path[len(filepath.VolumeName(path)):], func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) }) //nolint:gosec // an ASCII one
}

// restart goes to a directory by its name.
func (w *walk) restart(at string) (err error) {
	w.at = at
	w.info, err = os.Lstat(at)
	return err
}

// step goes on to the next name.
func (w *walk) step() error {
	if err := w.hold(); err != nil {
		return err
	}
	name := w.rest[0]
	if name == "." || name == ".." { // of a link
		w.rest = w.rest[1:]
		return w.leave(name)
	}
	there := filepath.Join(w.at, name)
	info, err := w.look(name, there)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return w.follow(there, info)
	case !info.IsDir():
		return &fs.PathError{Op: "open", Path: there, Err: errors.New("not a directory")}
	}
	w.rest = w.rest[1:]
	return w.enter(there, info)
}

// hold opens the directory where names are relied on no longer.
func (w *walk) hold() error {
	if w.held != nil || !replaceable(w.info) {
		return nil
	}
	held, err := os.OpenRoot(w.at)
	if err != nil {
		return err
	}
	w.held = held
	return w.same()
}

// same checks that the directory that is held is the one that was looked at.
func (w *walk) same() error {
	now, err := w.held.Stat(".")
	if err == nil && !os.SameFile(w.info, now) {
		return exposedError{fmt.Errorf("%s was replaced by others", w.at)}
	}
	return err
}

// leave goes where a link says that its way goes on.
func (w *walk) leave(name string) error {
	if name == "." {
		return nil
	}
	if w.held != nil {
		return exposedError{fmt.Errorf("a symbolic link leads through %s, which others can write to", w.at)}
	}
	return w.restart(filepath.Dir(w.at))
}

// look says what a name is, which is made if it is missing.
func (w *walk) look(name, there string) (info fs.FileInfo, err error) {
	lstat, mkdir := func() (fs.FileInfo, error) { return os.Lstat(there) }, func() error { return os.Mkdir(there, directoryMode) }
	open := func() (*os.Root, error) { return os.OpenRoot(there) }
	if w.held != nil {
		lstat, mkdir = func() (fs.FileInfo, error) { return w.held.Lstat(name) }, func() error { return w.held.Mkdir(name, directoryMode) }
		open = func() (*os.Root, error) { return w.held.OpenRoot(name) }
	}
	if info, err = lstat(); !errors.Is(err, fs.ErrNotExist) {
		return info, err
	}
	err = mkdir()
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err == nil {
		if made, err := open(); err == nil { // else the next step says what is wrong
			openToReaders(made)
			_ = made.Close()
		}
	}
	return lstat()
}

// follow puts what a link says in the place of its name.
func (w *walk) follow(there string, info fs.FileInfo) error {
	if w.held != nil || anothers(info) {
		return exposedError{fmt.Errorf("%s is a symbolic link, where others could have put it", there)}
	}
	if w.links++; w.links > maxLinks {
		return fmt.Errorf("%s: too many symbolic links", there)
	}
	to, err := os.Readlink(there)
	if err != nil {
		return err
	}
	w.rest = append(names(to), w.rest[1:]...)
	if filepath.IsAbs(to) {
		return w.restart(filepath.VolumeName(to) + string(filepath.Separator))
	}
	return nil
}

// enter goes into a directory.
func (w *walk) enter(there string, info fs.FileInfo) error {
	if anothers(info) && (w.held != nil || w.info.Mode().Perm()&0o022 != 0) {
		return exposedError{fmt.Errorf("%s belongs to another user, and is where others can put directories", there)}
	}
	w.at, w.info = there, info
	if w.held == nil {
		return nil
	}
	next, err := w.held.OpenRoot(filepath.Base(there))
	if err != nil {
		return err
	}
	w.close()
	w.held = next
	return w.same()
}

// end returns the directory, in which nobody else may be able to write.
func (w *walk) end() (*os.Root, error) {
	root := w.held
	if root == nil {
		var err error
		if root, err = os.OpenRoot(w.at); err != nil {
			return nil, err
		}
	}
	info, err := root.Stat(".")
	if err == nil {
		err = checkDirectory(w.at, info)
	}
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	return root, nil
}

func (w *walk) close() {
	if w.held != nil {
		_ = w.held.Close()
	}
}
