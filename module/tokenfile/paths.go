package tokenfile

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Paths say which client of a configuration has which file, and which directories are kept
// for something else. The zero value knows of none.
type Paths struct {
	clients map[string]string // whose a file is
	kept    map[string]string // what a directory is for
}

// Keep notes that a directory is for something that no token may be written over, or amid.
// It is an error if a client has a file there.
func (p *Paths) Keep(dir, what string) error {
	if dir = resolved(dir); p.kept[dir] != "" || dir == "" {
		return nil
	}
	if p.kept == nil {
		p.kept = make(map[string]string)
	}
	p.kept[dir] = what
	for file, client := range p.clients {
		if strings.HasPrefix(file, dir+string(filepath.Separator)) || file == dir {
			return fmt.Errorf("token_file %s of client %s: %w", file, client, amid(dir, what))
		}
	}
	return nil
}

// Take notes that a client has files. No other one may have them.
func (p *Paths) Take(client string, list []*Compiled) error {
	for _, c := range list {
		file := resolved(c.Path)
		if other, taken := p.clients[file]; taken {
			return fmt.Errorf("token_file %s: client %s has it already: each needs a path of its own", c.Path, other)
		}
		for dir := file; ; dir = filepath.Dir(dir) {
			if what := p.kept[dir]; what != "" {
				return fmt.Errorf("token_file %s: %w", c.Path, amid(dir, what))
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
		if p.clients == nil {
			p.clients = make(map[string]string)
		}
		p.clients[file] = client
	}
	return nil
}

func amid(dir, what string) error {
	return fmt.Errorf("%s is for %s, and a token could be written over one of those: choose a directory for tokens, such as /run/lamplighter/<client>", dir, what)
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
