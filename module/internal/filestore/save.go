package filestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"lamplighter/module/internal/failpoint"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// Save writes the record. Without a lease it takes the lock for as long as it
// needs; while another process holds the lease it waits, until ctx ends. Once
// it writes, ctx no longer matters.
func (f *File) Save(ctx context.Context, name string, rec *record.Record, ifRevision uint64) error {
	return full(f.write(ctx, name, rec, ifRevision+1, f.compare))
}

// Replace is Save, but for what it writes over.
func (f *File) Replace(ctx context.Context, name string, rec *record.Record, revision, over uint64) error {
	return full(f.write(ctx, name, rec, revision, func(e *entry, rec *record.Record) error { return f.setAside(e, rec, over) }))
}

// write writes the record as that revision, if admit lets it.
func (f *File) write(ctx context.Context, name string, given *record.Record, revision uint64, admit func(*entry, *record.Record) error) error {
	if err := recordstore.CheckName(name); err != nil {
		return err
	}
	path, rec := f.path(name), *given
	if rec.Client != "" && rec.Client != name {
		return fmt.Errorf("%s: refusing to save the record of client %q there", path, rec.Client)
	}
	if revision == 0 {
		return fmt.Errorf("%s: refusing to save revision 0 there, which nobody could read", path)
	}
	rec.Client, rec.Revision = name, revision
	data, err := recordstore.Encode(&rec, f.keys.Writing(), recordstore.Stamp{})
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
	if err := admit(e, &rec); err != nil {
		return err
	}
	if err := f.replace(e, &rec, data, spareFor(&rec)); err != nil {
		return err
	}
	f.watcher.remember(name, data, last{record: given, revision: revision, own: true})
	return nil
}

// compare checks that the stored revision is the one before the record's.
func (f *File) compare(e *entry, rec *record.Record) error {
	stored, _, err := f.load(f.path(rec.Client), rec.Client)
	if errors.Is(err, recordstore.ErrNotFound) {
		stored, err = new(record.Record), nil
	}
	if err != nil {
		return err
	}
	return f.follows(e, rec, stored, rec.Revision-1)
}

// follows checks that a record is to come after the stored one.
func (f *File) follows(e *entry, rec, stored *record.Record, expected uint64) error {
	if stored.Revision == expected || e.again(rec, stored) {
		return nil
	}
	return fmt.Errorf("%s: %w: revision %d is stored, %d was expected", f.path(rec.Client), recordstore.ErrConflict, stored.Revision, expected)
}

// again reports whether a record is there since the last attempt to save it, and
// only its durability is in doubt. It is written once more from the beginning: a
// second fsync may report success for what the first one gave up.
func (e *entry) again(rec, stored *record.Record) bool {
	return e.unconfirmed && stored.WriteID != "" && stored.WriteID == rec.WriteID && stored.Revision == rec.Revision
}

// damagedSuffix is that of a record which another one replaced.
const damagedSuffix = recordSuffix + ".damaged"

// setAside copies, durably, what is stored and is to be written over, so that at no
// moment there is nothing. A record that another holder mended meanwhile is none of
// that, and neither is one which is whole but not for us to read.
func (f *File) setAside(e *entry, rec *record.Record, over uint64) error {
	name, path := rec.Client, f.path(rec.Client)
	stored, data, err := f.load(path, name)
	switch {
	case errors.Is(err, recordstore.ErrNotFound):
		return nil
	case err == nil:
		if err := f.follows(e, rec, stored, over); err != nil || e.again(rec, stored) {
			return err
		}
	case !errors.Is(err, recordstore.ErrUnreadable), errors.Is(err, recordstore.ErrForeign), errors.Is(err, recordstore.ErrExposed), errors.Is(err, recordstore.ErrNewer):
		return err
	}
	temp := filepath.Join(f.dir, "."+name+tempInfix+rand.Text())
	if _, err := f.writeTemp(temp, data, 0); err != nil {
		return fmt.Errorf("set %s aside: %w", path, err)
	}
	if err := f.fs.rename(temp, filepath.Join(f.dir, name+damagedSuffix)); err != nil {
		return fmt.Errorf("set %s aside: %w", path, f.discard(temp, err))
	}
	if err := f.fs.syncDir(f.dir); err != nil {
		return fmt.Errorf("set %s aside: %w", path, err)
	}
	return nil
}

// answerSize is the space that must be left beside a journal: it proves that the
// answer can be kept, which is longer than itself.
const answerSize = 64 << 10

// spareFor is the space that must be left beside a record.
func spareFor(rec *record.Record) int {
	if rec.Journals() {
		return answerSize
	}
	return 0
}

// replace puts data, which is a record, in the place of the stored one, durably, if
// the disk has some space to spare. After any crash the record is the old or the new
// one.
func (f *File) replace(e *entry, rec *record.Record, data []byte, spare int) error {
	name, path := rec.Client, f.path(rec.Client)
	temp := filepath.Join(f.dir, "."+name+tempInfix+rand.Text())
	info, err := f.writeTemp(temp, data, spare)
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	f.watcher.expect(name, stampOf(info)) // before the rename, which watchers notice
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
			return nil, fmt.Errorf("there must be %d KiB of space beside it, for the answer of a token request: %w", spare>>10, err)
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
