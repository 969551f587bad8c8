package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// File keeps every record in a file of its own: <dir>/<name>.json, readable by
// its owner only. Beside it lies <name>.lock, whose lock covers lease and
// compare-and-swap; lock files are empty and never deleted, because a lock on a
// deleted file excludes nobody.
//
// Two processes may use one directory, as long as they see the same locks: on
// one machine, or through a volume whose file system shares them.
type File struct {
	dir     string
	fs      fileSystem
	watcher *watcher
	keys    encryption.Keyring

	claiming gate // admits one change of claims at a time

	opening sync.Mutex
	opened  atomic.Bool

	mu      sync.Mutex
	entries map[string]*entry
}

// entry is what the store knows of one client besides its file, while it works at
// that or has to remember something.
type entry struct {
	users int // guarded by the store's mu

	// saving admits one Save, or one attempt to take a lease, at a time.
	saving gate

	// leasing is held as long as a lease is, so that those who wait in this
	// process need not poll.
	leasing gate

	// unconfirmed says that the last Save here replaced the record but could
	// not make that durable. Guarded by saving.
	unconfirmed bool

	mu   sync.Mutex
	held *hold // the lock of the current lease, nil without one
}

// NewFile returns the store of the records in dir. It touches nothing: Open
// does, and so do Save and Lease if Open has not succeeded before.
func NewFile(dir string) *File {
	f := &File{dir: filepath.Clean(dir), fs: osFS{}, claiming: newGate(), entries: make(map[string]*entry)}
	f.watcher = newWatcher(f.dir, f.stamp)
	return f
}

// Encrypt has records encrypted with keys from their next write on, or written
// in the clear if keys is nil, until done is called: then the keys hold that were
// given before. What these keys encrypted stays readable.
func (f *File) Encrypt(keys *encryption.Keys) (done func()) { return f.keys.Use(keys) }

// Load returns the record. A file that others could have written or read, or
// whose content is damaged, is ErrUnreadable and never ErrNotFound.
func (f *File) Load(ctx context.Context, name string) (*record.Record, error) {
	if err := recordstore.CheckName(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("load %s: %w", f.path(name), err)
	}
	rec, _, err := f.load(f.path(name), name)
	return rec, err
}

// load also returns the bytes of the file, of a damaged one too.
func (f *File) load(path, name string) (*record.Record, []byte, error) {
	data, info, err := f.fs.read(path, recordstore.MaxSize+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("%s: %w", path, recordstore.ErrNotFound)
	case errors.Is(err, errSymlink):
		return nil, nil, recordstore.Foreign(fmt.Errorf("%s: %w: it is a symbolic link; put the file itself there", path, recordstore.ErrUnreadable))
	case err != nil:
		return nil, nil, fmt.Errorf("load: %w", whose(err))
	case !info.Mode().IsRegular():
		return nil, nil, recordstore.Foreign(fmt.Errorf("%s: %w: it is not a regular file", path, recordstore.ErrUnreadable))
	}
	if err := checkPrivate(path, info); err != nil {
		return nil, nil, fmt.Errorf("%w: %w: %w", recordstore.ErrUnreadable, recordstore.ErrExposed, err)
	}
	if rec, _ := f.watcher.recall(name, data); rec != nil {
		return rec, data, nil
	}
	rec, _, err := recordstore.Decode(name, data, f.keys.Identities()...)
	if err != nil {
		return nil, data, fmt.Errorf("%s: %w", path, err)
	}
	f.watcher.remember(name, data, last{record: rec, revision: rec.Revision})
	return rec, data, nil
}

// Watch watches the directory while anybody watches a record in it. changed
// must be quick, for it holds up the news of all others, and it must not call
// stop, which would wait for itself.
func (f *File) Watch(name string, changed func()) (stop func()) {
	if recordstore.CheckName(name) != nil {
		return func() {}
	}
	return f.watcher.watch(name, changed)
}

// Describe returns the path of the client's record.
func (f *File) Describe(name string) string { return f.path(name) }

func (f *File) path(name string) string     { return filepath.Join(f.dir, name+recordSuffix) }
func (f *File) lockPath(name string) string { return filepath.Join(f.dir, name+lockSuffix) }

// entry returns what is known of a client, until done is called.
func (f *File) entry(name string) (e *entry, done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.entries[name]
	if !ok {
		e = &entry{saving: newGate(), leasing: newGate()}
		f.entries[name] = e
	}
	e.users++
	return e, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if e.users--; e.users == 0 && !e.unconfirmed {
			delete(f.entries, name)
		}
	}
}

// Names returns the clients that have a record here.
func (f *File) Names() (names []string, err error) {
	files, err := f.fs.list(f.dir)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	for _, file := range files {
		if name, ok := strings.CutSuffix(file, recordSuffix); ok && recordstore.CheckName(name) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// stamp identifies the present content of a record's file.
func (f *File) stamp(name string) stamp {
	info, err := f.fs.stat(f.path(name))
	if err != nil {
		return 0
	}
	return stampOf(info)
}

const (
	recordSuffix = ".json"
	lockSuffix   = ".lock"
	tempInfix    = recordSuffix + ".tmp-"
)

// gate is a mutex whose waiters can give up.
type gate chan struct{}

func newGate() gate { return make(gate, 1) }

func (g gate) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g gate) tryLock() bool {
	select {
	case g <- struct{}{}:
		return true
	default:
		return false
	}
}

func (g gate) unlock() { <-g }

// Interface guard
var _ recordstore.Store = (*File)(nil)
