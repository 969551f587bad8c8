package tokenfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// place is where a file is.
type place interface {
	// read returns what is in the file, fs.ErrNotExist if there is none. changed says that
	// its mode, owner or group is not the one that it is to have, or that it cannot be read.
	read() (content []byte, changed bool, err error)

	// write puts a new file there, unless still says no at last.
	write(content []byte, still func() bool) error

	// tidy removes what a crash has left.
	tidy()
}

// exposedError is the error of a place that others can write to. Nothing is written there.
type exposedError struct{ error }

// groupError is the error of a group that the file cannot be given.
type groupError struct{ error }

// unfitError is the error of a token that the file's form cannot hold.
type unfitError struct{ error }

// maxContent bounds what is read of a file that may be another's.
const maxContent = 1 << 20

// path is a place in the file system.
type path struct {
	dir, name string
	mode      fs.FileMode
	group     string
	given     *access // to the file that was written last
}

func newPath(c *Compiled) *path {
	return &path{dir: filepath.Dir(c.Path), name: filepath.Base(c.Path), mode: c.mode, group: c.group}
}

// open returns the directory, which is made if it is missing. All that follows is done in
// that very directory, whatever its path stands for meanwhile.
func (p *path) open() (*os.Root, error) { return openDirectory(p.dir) }

// present looks at what is at the path. A symbolic link is refused: it would be replaced,
// and whoever reads what it points to would go on with an old token.
func (p *path) present(root *os.Root) (fs.FileInfo, error) {
	info, err := root.Lstat(p.name)
	switch {
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, exposedError{fmt.Errorf("%s is a symbolic link", p.in())}
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", p.in())
	}
	return info, nil
}

func (p *path) in() string { return filepath.Join(p.dir, p.name) }

func (p *path) read() (content []byte, changed bool, err error) {
	root, err := p.open()
	if err != nil {
		return nil, false, err
	}
	defer root.Close()
	info, err := p.present(root)
	if err != nil {
		return nil, false, err
	}
	want, err := p.access(root)
	if err != nil {
		return nil, false, err
	}
	f, err := root.Open(p.name)
	if errors.Is(err, fs.ErrPermission) {
		return nil, true, nil // another user's, perhaps: it need not be read to be replaced
	}
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	content, err = io.ReadAll(io.LimitReader(f, maxContent))
	is, known := accessOf(info)
	return content, known && is != want, err
}

// access is what a file says of who may read it.
type access struct {
	mode         fs.FileMode
	owner, group int
}

// access is what the file is to have in a directory. Where no group is set, that and the
// owner are what a new file gets there, which some file systems choose themselves: then the
// first write shows it.
func (p *path) access(root *os.Root) (access, error) {
	want := access{mode: p.mode, owner: os.Geteuid(), group: os.Getegid()}
	dir, err := root.Stat(".")
	if err != nil {
		return want, err
	}
	if has, known := accessOf(dir); known && (dir.Mode()&fs.ModeSetgid != 0 || runtime.GOOS != "linux") {
		want.group = has.group
	}
	if p.given != nil {
		want.owner, want.group = p.given.owner, p.given.group
	}
	if p.group != "" {
		want.group, err = groupID(p.group)
	}
	if err != nil {
		return want, groupError{err}
	}
	return want, nil
}

func (p *path) write(content []byte, still func() bool) error {
	root, err := p.open()
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := p.present(root); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temporary := p.temporary() + rand.Text()
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	given, err := p.fill(f, content)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil && still() {
		// No sync: after a loss of power the file is written anew.
		if err = root.Rename(temporary, p.name); err == nil {
			p.given = given
			return nil
		}
	}
	_ = root.Remove(temporary)
	return err
}

// fill writes a new file, and gives it its group and mode before it has its name. It returns
// what the file system made of those, nil where they are unknown.
func (p *path) fill(f *os.File, content []byte) (*access, error) {
	if p.group != "" {
		id, err := groupID(p.group)
		if err == nil {
			err = f.Chown(-1, id)
		}
		if err != nil {
			return nil, groupError{err}
		}
	}
	if err := f.Chmod(p.mode); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	_, err = f.Write(content)
	if given, known := accessOf(info); known {
		return &given, err
	}
	return nil, err
}

// groupID is the number of a group.
func groupID(group string) (int, error) {
	if id, err := strconv.Atoi(group); err == nil {
		return id, nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

// temporary is how the names of files begin that become this one.
func (p *path) temporary() string { return "." + p.name + "." }

// oldEnough is the age of a temporary file that nobody is writing any more.
const oldEnough = time.Minute

// tidy removes temporary files that a crash has left, which may hold tokens.
func (p *path) tidy() {
	root, err := p.open()
	if err != nil {
		return
	}
	defer root.Close()
	dir, err := root.Open(".")
	if err != nil {
		return
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		random, ours := strings.CutPrefix(name, p.temporary())
		if !ours || len(random) != len(rand.Text()) {
			continue
		}
		if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > oldEnough {
			_ = root.Remove(name)
		}
	}
}
