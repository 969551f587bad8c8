package tokenfile

import (
	"fmt"
	"path/filepath"
)

// Paths say which client of a configuration has which file, and which files and directories
// are kept for something else. One that is there is known by what it is, whatever its path
// says: through symbolic links and bind mounts, and in letters of another case where that
// makes no other file. The zero value knows of none.
type Paths struct {
	clients map[identity]string      // whose a file is
	below   map[identity]string      // a file that is this, or below it, and its client
	kept    map[identity]string      // what a directory or file is for
	files   func() map[string]string // see KeepFiles; nil once it was asked
}

// Keep notes that a directory is for something that no token may be written over, or amid.
// It is an error if a client has a file there.
func (p *Paths) Keep(dir, what string) error {
	if dir == "" {
		return nil
	}
	what = fmt.Sprintf("%s is for %s, and a token could be written over one of those", resolved(dir), what)
	return p.keep(dir, what)
}

// KeepFiles has single files be asked for when the first client has one: what they are, by
// their paths. No token may be written over one of them.
func (p *Paths) KeepFiles(files func() map[string]string) { p.files = files }

func (p *Paths) keep(path, why string) error {
	is := identify(path)
	if p.kept[is] != "" {
		return nil
	}
	if p.kept == nil {
		p.kept = make(map[identity]string)
	}
	p.kept[is] = why
	if file := p.below[is]; file != "" {
		return fmt.Errorf("token_file %s: %w", file, amid(why))
	}
	return nil
}

// Take notes that a client has files. No other one may have them.
func (p *Paths) Take(client string, list []*Compiled) error {
	if len(list) > 0 && p.files != nil {
		for file, what := range p.files() {
			if err := p.keep(file, over(file, what)); err != nil {
				return err
			}
		}
		p.files = nil
	}
	for _, c := range list {
		path := resolved(c.Path)
		file := named(path)
		if other, taken := p.clients[file]; taken {
			return fmt.Errorf("token_file %s: client %s has it already: each needs a path of its own", c.Path, other)
		}
		if p.clients == nil {
			p.clients, p.below = make(map[identity]string), make(map[identity]string)
		}
		p.clients[file] = client
		above := []identity{file}
		for ; ; path = filepath.Dir(path) {
			above = append(above, at(path))
			if path == filepath.Dir(path) {
				break
			}
		}
		for _, is := range above {
			if why := p.kept[is]; why != "" {
				return fmt.Errorf("token_file %s: %w", c.Path, amid(why))
			}
			if p.below[is] == "" {
				p.below[is] = c.Path + " of client " + client
			}
		}
	}
	return nil
}

// Over returns an error if the token would be written over a file, and what that is.
func (f *File) Over(file, what string) error {
	if identify(f.Path) != identify(file) {
		return nil
	}
	return fmt.Errorf("%s: %w", f.Path, amid(over(file, what)))
}

func over(file, what string) string {
	return fmt.Sprintf("%s is %s, which a token would be written over", resolved(file), what)
}

func amid(why string) error {
	return fmt.Errorf("%s: choose a directory for tokens, such as /run/lamplighter/<client>", why)
}

// identity is what is at a path: the numbers of its device and inode, if there are such, and
// else a path. What is not there yet is known by its name in what is.
type identity struct {
	device, inode uint64
	path          string
}

// identify returns what is at a path.
func identify(path string) identity { return at(resolved(path)) }

// at is identify of a path that is resolved.
func at(path string) identity {
	if is, ok := numbered(path); ok {
		return is
	}
	return named(path)
}

// named returns the name that a resolved path ends with, in its directory, whatever has that
// name: two hard links are two.
func named(path string) identity {
	dir := filepath.Dir(path)
	if dir == path {
		return identity{path: path}
	}
	in := at(dir)
	in.path = filepath.Join(in.path, filepath.Base(path))
	return in
}

// resolved is a path without the symbolic links that are in it now.
func resolved(path string) string {
	if path == "" {
		return ""
	}
	path = filepath.Clean(path)
	dir, name := filepath.Dir(path), filepath.Base(path)
	if dir == path {
		return path
	}
	if whole, err := filepath.EvalSymlinks(path); err == nil {
		return whole
	}
	return filepath.Join(resolved(dir), name)
}
