package scratch

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// Storage reads from another one, and keeps what is written in memory.
type Storage struct {
	configured certmagic.Storage

	mu      sync.Mutex
	written map[string]value
}

// value is what was written of a key, or that it was deleted.
type value struct {
	text    []byte
	at      time.Time
	deleted bool
}

// Configured returns the storage that is read from, to which nothing is written.
func (s *Storage) Configured() certmagic.Storage { return s.configured }

// Lock does nothing: nobody else sees what is written.
func (*Storage) Lock(context.Context, string) error { return nil }

// Unlock does nothing.
func (*Storage) Unlock(context.Context, string) error { return nil }

// Store keeps a value in memory.
func (s *Storage) Store(_ context.Context, key string, text []byte) error {
	s.write(key, value{text: slices.Clone(text), at: time.Now()})
	return nil
}

// Delete forgets a value, and all below it.
func (s *Storage) Delete(ctx context.Context, key string) error {
	below, _ := s.List(ctx, key, true)
	for _, k := range append(below, key) {
		s.write(k, value{deleted: true})
	}
	return nil
}

func (s *Storage) write(key string, v value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written[key] = v
}

func (s *Storage) read(key string) (v value, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok = s.written[key]
	return v, ok
}

// Load returns a value, fs.ErrNotExist if there is none.
func (s *Storage) Load(ctx context.Context, key string) ([]byte, error) {
	v, ok := s.read(key)
	if !ok {
		return s.configured.Load(ctx, key)
	}
	if v.deleted {
		return nil, fs.ErrNotExist
	}
	return slices.Clone(v.text), nil
}

// Exists reports whether there is a value, or one below.
func (s *Storage) Exists(ctx context.Context, key string) bool {
	if v, ok := s.read(key); ok {
		return !v.deleted
	}
	if below, err := s.List(ctx, key, true); err == nil && len(below) > 0 {
		return true
	}
	return s.configured.Exists(ctx, key)
}

// List returns the keys below one, fs.ErrNotExist if there is none.
func (s *Storage) List(ctx context.Context, path string, recursive bool) ([]string, error) {
	keys, err := s.configured.List(ctx, path, recursive)
	s.mu.Lock()
	defer s.mu.Unlock()
	keys = slices.DeleteFunc(keys, func(key string) bool { return s.written[key].deleted })
	prefix := strings.TrimSuffix(path, "/") + "/"
	if path == "" {
		prefix = ""
	}
	for key, v := range s.written {
		rest, below := strings.CutPrefix(key, prefix)
		if !below || v.deleted {
			continue
		}
		if first, _, deeper := strings.Cut(rest, "/"); deeper && !recursive {
			key = prefix + first
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if keys = slices.Compact(keys); len(keys) > 0 {
		return keys, nil
	}
	return nil, err
}

// Stat describes a value, fs.ErrNotExist if there is none.
func (s *Storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	v, ok := s.read(key)
	if !ok {
		return s.configured.Stat(ctx, key)
	}
	if v.deleted {
		return certmagic.KeyInfo{}, fs.ErrNotExist
	}
	return certmagic.KeyInfo{Key: key, Modified: v.at, Size: int64(len(v.text)), IsTerminal: true}, nil
}

var _ certmagic.Storage = (*Storage)(nil)
