package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"lamplighter/module/internal/encryption"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// Open creates the directory and what is missing above it, checks that it
// belongs to this user alone, proves that files in it can be locked and brings
// what a crashed writer left to its end. Only the first success does all of it;
// later calls check owner and mode.
func (f *File) Open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("open %s: %w", f.dir, err)
	}
	f.opening.Lock()
	defer f.opening.Unlock()
	return full(f.open(ctx))
}

// open is Open, called with f.opening held.
func (f *File) open(ctx context.Context) error {
	if err := f.checkDir(); err != nil {
		f.opened.Store(false)
		return err
	}
	if f.opened.Load() {
		return nil
	}
	if err := f.proveLocks(); err != nil {
		return err
	}
	// A directory that cannot be synced must be known before a refresh token
	// depends on it.
	if err := f.fs.syncDir(f.dir); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err := f.sweep(); err != nil {
		return err
	}
	if err := f.claimOld(ctx); err != nil {
		return err
	}
	f.opened.Store(true)
	return nil
}

// ready opens the store if that has not succeeded yet: nothing secret is ever
// written into a directory that was not checked, and what kept Open from
// succeeding may have passed.
func (f *File) ready(ctx context.Context) error {
	if f.opened.Load() {
		return nil
	}
	return f.Open(ctx)
}

func (f *File) checkDir() error {
	if err := f.fs.mkdirAll(f.dir); err != nil {
		return fmt.Errorf("create store directory: %w", whose(err))
	}
	info, err := f.fs.stat(f.dir)
	switch {
	case err != nil:
		return fmt.Errorf("open: %w", whose(err))
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: name the directory itself", f.dir)
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", f.dir)
	}
	return checkPrivate(f.dir, info)
}

// proveLocks takes a lock twice: some file systems grant every lock.
func (f *File) proveLocks() error {
	path := filepath.Join(f.dir, lockSuffix)
	first, err := f.fs.tryLock(path)
	if err != nil {
		return f.lockError(path, err)
	}
	if first == nil {
		return nil // another process is just proving it
	}
	defer first.unlock()
	second, err := f.fs.tryLock(path)
	if err != nil {
		return f.lockError(path, err)
	}
	if second != nil {
		second.unlock()
		return fmt.Errorf("%s: %w: its file system granted the same lock twice", path, recordstore.ErrNoLocks)
	}
	return nil
}

// lockError says what a failed attempt to lock means.
func (f *File) lockError(path string, err error) error {
	if noLocks(err) {
		return fmt.Errorf("%s: %w by its file system: %w", path, recordstore.ErrNoLocks, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		// The directory was taken away: the next Open makes it anew.
		f.opened.Store(false)
	}
	return full(fmt.Errorf("lock %s: %w", path, whose(err)))
}

// sweep deals with the temporary files of writers that crashed.
func (f *File) sweep() error {
	files, err := f.fs.list(f.dir)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	for _, file := range files {
		name, ok := writerOf(file)
		if !ok {
			continue
		}
		if err := f.settle(filepath.Join(f.dir, file), name); err != nil {
			return fmt.Errorf("temporary file of a crashed writer: %w", err)
		}
	}
	return nil
}

// settle deals with the temporary file of a writer that no longer holds the lock.
func (f *File) settle(temp, name string) error {
	e, done := f.entry(name)
	defer done()
	if !e.saving.tryLock() {
		return nil // its writer lives, here
	}
	defer e.saving.unlock()
	path := f.lockPath(name)
	lock, err := f.fs.tryLock(path)
	if err != nil {
		return f.lockError(path, err)
	}
	if lock == nil {
		return nil // its writer lives
	}
	defer lock.unlock()
	return f.finish(e, name, temp)
}

// finishLeft deals with what another holder left that was killed between the
// journal and the answer: whoever takes over must not present what it has spent, nor
// write over its journal.
// Called with the lock and e.saving held.
func (f *File) finishLeft(e *entry, name string) error {
	stored, data, err := f.load(f.path(name), name)
	if err != nil || !stored.Journals() {
		return nil //nolint:nilerr // what is wrong with it, if anything, shows when it is loaded
	}
	if _, own := f.watcher.recall(name, data); own {
		return nil // nobody else has written since
	}
	files, err := f.fs.list(f.dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		if writer, ok := writerOf(file); ok && writer == name {
			if err := f.finish(e, name, filepath.Join(f.dir, file)); err != nil {
				return fmt.Errorf("temporary file of a crashed writer: %w", err)
			}
		}
	}
	return nil
}

// finish ends what a crashed writer began, if it had got as far as a whole record
// that follows the stored one: the refresh token in it may be the only living one.
// Anything else is removed. Called with the lock and e.saving held.
func (f *File) finish(e *entry, name, temp string) error {
	next, data, err := f.load(temp, name)
	if errors.Is(err, recordstore.ErrNotFound) || errors.Is(err, recordstore.ErrNewer) || errors.Is(err, encryption.ErrSealed) {
		return nil
	}
	if err != nil && !errors.Is(err, recordstore.ErrUnreadable) {
		return err
	}
	torn := err != nil
	stored, _, err := f.load(f.path(name), name)
	if errors.Is(err, recordstore.ErrNotFound) {
		stored, err = new(record.Record), nil
	}
	if err != nil {
		return nil //nolint:nilerr // beside a damaged record it may be all that is left
	}
	if !torn && next.Revision == stored.Revision+1 {
		if err := f.replace(e, next, data, 0); err != nil {
			return err
		}
	}
	if err := f.fs.remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writerOf returns whose record a temporary file was to become.
func writerOf(file string) (name string, ok bool) {
	file, ok = strings.CutPrefix(file, ".")
	if !ok {
		return "", false
	}
	at := strings.LastIndex(file, tempInfix)
	if at < 0 || recordstore.CheckName(file[:at]) != nil {
		return "", false
	}
	return file[:at], true
}
