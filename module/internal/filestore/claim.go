package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
)

// Claims lie beside the records, in 256 files by the first byte of the fingerprint.
// They hold no secret: a fingerprint says nothing about its refresh token.
const (
	claimsDir = ".claims"

	// claimsComplete is an empty file that says that the records which were there
	// before there were claims have been looked through.
	claimsComplete = "complete"
)

// Claim makes a refresh token the client's, under the lock of the file that the
// claim is in.
func (f *File) Claim(ctx context.Context, name string, token record.Fingerprint, free func(owner string) (bool, error)) (owner string, err error) {
	if err := recordstore.CheckName(name); err != nil {
		return "", err
	}
	if err := f.ready(ctx); err != nil {
		return "", err
	}
	err = f.editClaims(ctx, token, func(known map[record.Fingerprint]string) (changed bool, err error) {
		if owner = known[token]; owner == name {
			return false, nil
		}
		if owner != "" {
			if let, err := free(owner); err != nil || !let {
				return false, err
			}
		}
		known[token], owner = name, name
		return true, nil
	})
	if err != nil {
		return "", full(err)
	}
	return owner, nil
}

// Claimed returns whose a refresh token is.
func (f *File) Claimed(ctx context.Context, token record.Fingerprint) (owner string, err error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("claims in %s: %w", f.dir, err)
	}
	known, err := f.readClaims(f.claimsPath(token, recordSuffix))
	return known[token], err
}

func (f *File) claimsPath(token record.Fingerprint, suffix string) string {
	return filepath.Join(f.dir, claimsDir, token.String()[:2]+suffix)
}

// editClaims changes the claims of the file that one token is in.
func (f *File) editClaims(ctx context.Context, token record.Fingerprint, edit func(known map[record.Fingerprint]string) (changed bool, err error)) error {
	path := f.claimsPath(token, recordSuffix)
	if err := f.claiming.lock(ctx); err != nil {
		return fmt.Errorf("claims in %s: %w", path, err)
	}
	defer f.claiming.unlock()
	lock, err := f.lockClaims(ctx, f.claimsPath(token, lockSuffix))
	if err != nil {
		return err
	}
	defer lock.unlock()
	known, err := f.readClaims(path)
	if err != nil {
		return err
	}
	if changed, err := edit(known); err != nil || !changed {
		return err
	}
	if err := f.writeClaims(path, known); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// lockClaims waits for another process that has the lock, which is never long.
func (f *File) lockClaims(ctx context.Context, path string) (fileLock, error) {
	for {
		lock, err := f.fs.tryLock(path)
		if err != nil {
			return nil, f.lockError(path, err)
		}
		if lock != nil {
			return lock, nil
		}
		if err := pause(ctx, lockPoll); err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

func (f *File) readClaims(path string) (map[record.Fingerprint]string, error) {
	data, info, err := f.fs.read(path, recordstore.MaxSize+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return make(map[record.Fingerprint]string), nil
	case err != nil:
		return nil, fmt.Errorf("claims: %w", err)
	}
	if err := checkPrivate(path, info); err != nil {
		return nil, err
	}
	known, err := recordstore.DecodeClaims(data)
	switch {
	case errors.Is(err, recordstore.ErrNewer):
		return nil, fmt.Errorf("%s: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read: %w; restore it from a backup, or remove it if no client was renamed or given another's refresh token", path, err)
	}
	return known, nil
}

// writeClaims replaces a file of claims, durably. Called with its lock held.
func (f *File) writeClaims(path string, known map[record.Fingerprint]string) error {
	data, err := recordstore.EncodeClaims(known)
	if err != nil {
		return err
	}
	temp := strings.TrimSuffix(path, recordSuffix) + ".tmp"
	if err := f.fs.remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a writer that crashed
		return err
	}
	if err := f.createSynced(temp, data); err != nil {
		return f.discard(temp, err)
	}
	if err := f.fs.rename(temp, path); err != nil {
		return f.discard(temp, err)
	}
	return f.fs.syncDir(filepath.Dir(path))
}

func (f *File) createSynced(path string, data []byte) error {
	file, err := f.fs.createTemp(path)
	if err != nil {
		return err
	}
	if _, err = file.Write(data); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// claimOld claims, once, what records say that were there before there were claims:
// of those that can be read. A claim that is there already stays.
func (f *File) claimOld(ctx context.Context) error {
	dir := filepath.Join(f.dir, claimsDir)
	if err := f.fs.mkdirAll(dir); err != nil {
		return fmt.Errorf("create the directory of claims: %w", err)
	}
	if _, err := f.fs.stat(filepath.Join(dir, claimsComplete)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	names, err := f.Names()
	if err != nil {
		return err
	}
	used, tried := make(map[record.Fingerprint]string), make(map[record.Fingerprint]string)
	for _, name := range names {
		rec, _, err := f.load(f.path(name), name)
		if err != nil {
			continue
		}
		for _, token := range rec.Used() {
			used[token] = name
		}
		for _, token := range rec.Candidates() {
			tried[token] = name
		}
	}
	maps.Copy(tried, used)
	found := make(map[string]map[record.Fingerprint]string)
	for token, name := range tried {
		part := token.String()[:2]
		if found[part] == nil {
			found[part] = make(map[record.Fingerprint]string)
		}
		found[part][token] = name
	}
	for _, part := range slices.Sorted(maps.Keys(found)) {
		if err := f.addClaims(ctx, found[part]); err != nil {
			return err
		}
	}
	if err := f.createSynced(filepath.Join(dir, claimsComplete), nil); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("claims: %w", err)
	}
	return f.fs.syncDir(dir)
}

// addClaims adds claims that are all in one file.
func (f *File) addClaims(ctx context.Context, found map[record.Fingerprint]string) error {
	var any record.Fingerprint
	for any = range found {
		break
	}
	return f.editClaims(ctx, any, func(known map[record.Fingerprint]string) (changed bool, err error) {
		for token, name := range found {
			if known[token] == "" {
				known[token], changed = name, true
			}
		}
		return changed, nil
	})
}
