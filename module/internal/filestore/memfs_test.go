package filestore

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// memFS is a disk in memory that remembers every write, so that the power can
// be taken away after any of them. Only what a real disk promises survives: the
// content of a file as of its last fsync, and names as of the directory's.
type memFS struct {
	mu     sync.Mutex
	names  map[string]*memFile
	locked map[string]bool
	log    []memOp
	clock  int64

	// fail, if set, makes an operation fail without any effect. at counts those
	// that write.
	fail func(at int, op string) error
	at   int
}

type memFile struct {
	id   int
	data []byte
	at   int64
}

// memOp is one thing that changed the disk.
type memOp struct {
	kind     string // create, write, truncate, sync, rename, remove, syncDir
	size     int64
	id       int // of the file
	name, to string
	data     []byte
}

func newMemFS(image map[string][]byte) *memFS {
	m := &memFS{names: make(map[string]*memFile), locked: make(map[string]bool)}
	for name, data := range image {
		m.names[name] = &memFile{id: -1, data: data}
	}
	return m
}

// note records an operation, unless it is to fail.
func (m *memFS) note(op memOp) error {
	m.at++
	if m.fail != nil {
		if err := m.fail(m.at-1, op.kind); err != nil {
			return &fs.PathError{Op: op.kind, Path: op.name, Err: err}
		}
	}
	m.log = append(m.log, op)
	return nil
}

func (m *memFS) mkdirAll(string) error { return nil }

func (m *memFS) list(string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.names)), nil
}

func (m *memFS) stat(path string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.names[filepath.Base(path)]; ok {
		return memInfo{name: path, size: int64(len(f.data)), at: f.at}, nil
	}
	return memInfo{name: path, dir: true}, nil // the only other thing is the directory
}

func (m *memFS) read(path string, limit int64) ([]byte, fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.names[filepath.Base(path)]
	if !ok {
		return nil, nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	data := bytes.Clone(f.data[:min(int64(len(f.data)), limit)])
	return data, memInfo{name: path, size: int64(len(f.data)), at: f.at}, nil
}

func (m *memFS) createTemp(path string) (tempFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := filepath.Base(path)
	if _, ok := m.names[name]; ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrExist}
	}
	m.clock++
	f := &memFile{id: len(m.log) + 1, at: m.clock}
	if err := m.note(memOp{kind: "create", id: f.id, name: name}); err != nil {
		return nil, err
	}
	m.names[name] = f
	return &memTemp{m, f, name}, nil
}

func (m *memFS) rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, to = filepath.Base(from), filepath.Base(to)
	f, ok := m.names[from]
	if !ok {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	if err := m.note(memOp{kind: "rename", id: f.id, name: from, to: to}); err != nil {
		return err
	}
	delete(m.names, from)
	m.names[to] = f
	return nil
}

func (m *memFS) remove(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := filepath.Base(path)
	if _, ok := m.names[name]; !ok {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	if err := m.note(memOp{kind: "remove", name: name}); err != nil {
		return err
	}
	delete(m.names, name)
	return nil
}

func (m *memFS) syncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.note(memOp{kind: "syncDir", name: dir})
}

func (m *memFS) tryLock(path string) (fileLock, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked[path] {
		return nil, nil
	}
	m.locked[path] = true
	return &memLock{m, path}, nil
}

// writes returns how many operations the disk has seen succeed.
func (m *memFS) writes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.log)
}

type memTemp struct {
	m    *memFS
	f    *memFile
	name string
}

func (t *memTemp) Write(p []byte) (int, error) {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	if err := t.m.note(memOp{kind: "write", id: t.f.id, name: t.name, data: bytes.Clone(p)}); err != nil {
		return 0, err
	}
	t.f.data = append(t.f.data, p...)
	return len(p), nil
}

func (t *memTemp) Truncate(size int64) error {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	if err := t.m.note(memOp{kind: "truncate", id: t.f.id, name: t.name, size: size}); err != nil {
		return err
	}
	t.f.data = t.f.data[:size]
	return nil
}

func (t *memTemp) Sync() error {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	return t.m.note(memOp{kind: "sync", id: t.f.id, name: t.name})
}

func (t *memTemp) Stat() (fs.FileInfo, error) {
	return memInfo{name: t.name, size: int64(len(t.f.data)), at: t.f.at}, nil
}

func (t *memTemp) Close() error { return nil }

type memLock struct {
	m    *memFS
	path string
}

func (l *memLock) lost() error { return nil }

func (l *memLock) unlock() {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locked, l.path)
}

type memInfo struct {
	name string
	size int64
	at   int64
	dir  bool
}

func (i memInfo) Name() string       { return filepath.Base(i.name) }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return time.Unix(i.at, 0) }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o700
	}
	return 0o600
}

// crashed returns what the disk may hold when the power fails after these
// operations: each subset of the unsynced changes to names may have reached it,
// and the unsynced content of a file may be missing, NUL, torn or there.
func crashed(ops []memOp) []map[string][]byte {
	content, synced := make(map[int][]byte), make(map[int][]byte)
	durable := make(map[string]int)
	var pending []memOp
	for _, op := range ops {
		switch op.kind {
		case "write":
			content[op.id] = slices.Concat(content[op.id], op.data)
		case "truncate":
			content[op.id] = content[op.id][:op.size]
		case "sync":
			synced[op.id] = content[op.id]
		case "syncDir":
			for _, p := range pending {
				p.applyTo(durable)
			}
			pending = nil
		default:
			pending = append(pending, op)
		}
	}
	images := make(map[string]map[string][]byte)
	for subset := range 1 << len(pending) {
		names := maps.Clone(durable)
		for i, op := range pending {
			if subset>>i&1 == 1 {
				op.applyTo(names)
			}
		}
		for _, left := range []func(data []byte) []byte{
			func([]byte) []byte { return nil },
			func(data []byte) []byte { return make([]byte, len(data)) },
			func(data []byte) []byte { return data[:len(data)/2] },
			func(data []byte) []byte {
				return slices.Concat(data[:len(data)/2], make([]byte, len(data)-len(data)/2))
			},
			func(data []byte) []byte { return data },
		} {
			image := make(map[string][]byte)
			for name, id := range names {
				data, whole := synced[id]
				if !whole || len(data) < len(content[id]) {
					data = left(content[id])
				}
				image[name] = data
			}
			images[fmt.Sprint(image)] = image
		}
	}
	return slices.Collect(maps.Values(images))
}

func (op memOp) applyTo(names map[string]int) {
	switch op.kind {
	case "create":
		names[op.name] = op.id
	case "rename":
		delete(names, op.name)
		names[op.to] = op.id
	case "remove":
		delete(names, op.name)
	}
}

var _ fileSystem = (*memFS)(nil)
