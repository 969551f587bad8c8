package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"lamplighter/module/internal/failpoint"
)

// Save writes the record. Without a lease it takes the lock for as long as it
// needs; while another process holds the lease it waits, until ctx ends. Once
// it writes, ctx no longer matters.
func (f *File) Save(ctx context.Context, name string, rec Record, ifRevision uint64) error {
	if err := checkName(name); err != nil {
		return err
	}
	path := f.path(name)
	if rec.Client != "" && rec.Client != name {
		return fmt.Errorf("%s: refusing to save the record of client %q there", path, rec.Client)
	}
	rec.Client, rec.Revision = name, ifRevision+1
	data, err := encodeFor(rec, f.keys.writing())
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	if err := f.ready(ctx); err != nil {
		return err
	}
	e, done := f.entry(name)
	defer done()
	if err := e.saving.lock(ctx); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	defer e.saving.unlock()
	unlock, err := f.exclude(ctx, e, name)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	defer unlock()
	if err := f.compare(e, name, rec, ifRevision); err != nil {
		return err
	}
	spare := 0
	if rec.Attempt != nil {
		spare = answerSize
	}
	return f.replace(e, rec, data, spare)
}

// compare checks that the stored revision is the expected one.
func (f *File) compare(e *entry, name string, rec Record, ifRevision uint64) error {
	if revision, own := f.watcher.own(name); own && revision == ifRevision && !e.unconfirmed {
		return nil // without a look into it
	}
	stored, _, err := f.load(f.path(name), name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if stored.Revision == ifRevision {
		return nil
	}
	if e.unconfirmed && sameRecord(stored, rec) {
		// The record is there since the last attempt to save it, and only its
		// durability is in doubt. It is written once more from the beginning: a
		// second fsync may report success for what the first one gave up.
		return nil
	}
	return fmt.Errorf("%s: %w: revision %d is stored, %d was expected", f.path(name), ErrConflict, stored.Revision, ifRevision)
}

// sameRecord compares records as they are written, since ciphertext is never the
// same twice.
func sameRecord(a, b Record) bool {
	first, err := encode(a)
	if err != nil {
		return false
	}
	second, err := encode(b)
	return err == nil && bytes.Equal(first, second)
}

// answerSize is the space that must be left beside a journal: it proves that the
// answer can be kept, which is longer than itself.
const answerSize = 64 << 10

// replace puts data, which is a record, in the place of the stored one, durably, if the disk has some space
// to spare. After any crash the record is the old or the new one.
func (f *File) replace(e *entry, rec Record, data []byte, spare int) error {
	name, path := rec.Client, f.path(rec.Client)
	temp := filepath.Join(f.dir, "."+name+tempInfix+rand.Text())
	info, err := f.writeTemp(temp, data, spare)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	f.watcher.expect(name, stampOf(info), rec.Revision) // before the rename, which watchers notice
	if err := f.fs.rename(temp, path); err != nil {
		return fmt.Errorf("save %s: %w", path, f.discard(temp, err))
	}
	e.unconfirmed = true
	failpoint.At("store-renamed")
	if err := f.fs.syncDir(f.dir); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	e.unconfirmed = false
	failpoint.At("store-dir-synced")
	return nil
}

// writeTemp writes a new file durably, or leaves none behind.
func (f *File) writeTemp(path string, data []byte, spare int) (fs.FileInfo, error) {
	file, err := f.fs.createTemp(path)
	if err != nil {
		return nil, err
	}
	info, err := fill(file, data, spare)
	// A failed close may be a failed write, too.
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, f.discard(path, err)
	}
	return info, nil
}

func fill(file tempFile, data []byte, spare int) (fs.FileInfo, error) {
	if _, err := file.Write(data); err != nil {
		return nil, err
	}
	if spare > 0 {
		// Taken and given back before it reaches the disk.
		if _, err := file.Write(make([]byte, spare)); err != nil {
			return nil, fmt.Errorf("there must be space for the answer of a token request: %w", err)
		}
		if err := file.Truncate(int64(len(data))); err != nil {
			return nil, err
		}
	}
	failpoint.At("store-temp-written")
	if err := file.Sync(); err != nil {
		return nil, err
	}
	failpoint.At("store-temp-synced")
	return file.Stat()
}

// discard removes a temporary file because of an error, and returns that error.
func (f *File) discard(temp string, because error) error {
	if err := f.fs.remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(because, err)
	}
	return because
}
