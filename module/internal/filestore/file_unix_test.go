//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/moduletest/skip"
	"lamplighter/module/store"
)

func TestEverythingIsForItsOwnerAlone(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	st := tempStore(t)
	lease := mustLease(t, st)
	mustSave(t, st, &record.Record{}, 0)
	lease.Release()
	for path, want := range map[string]fs.FileMode{
		filepath.Dir(st.dir):              fs.ModeDir | 0o700,
		st.dir:                            fs.ModeDir | 0o700,
		st.Describe("erp"):                0o600,
		st.lockPath("erp"):                0o600,
		filepath.Join(st.dir, lockSuffix): 0o600,
	} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
}

func TestOpenRefusesADirectoryThatOthersCanEnter(t *testing.T) {
	for _, mode := range []fs.FileMode{0o770, 0o750, 0o701, 0o777, 0o704} {
		st := tempStore(t)
		mustOpen(t, st)
		if err := os.Chmod(st.dir, mode); err != nil {
			t.Fatal(err)
		}
		// Both an instance that was open before and one that never was.
		recordtest.WantErr(t, st.Open(t.Context()), nil, st.dir, "chmod 700 "+st.dir)
		recordtest.WantErr(t, NewFile(st.dir).Save(t.Context(), "erp", &record.Record{}, 0), nil, "chmod 700 "+st.dir)
		recordtest.WantErr(t, st.Save(t.Context(), "erp", &record.Record{}, 0), nil, "chmod 700 "+st.dir)
		if err := os.Chmod(st.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		mustSave(t, st, &record.Record{}, 0)
	}
}

func TestOpenRefusesASymlinkedDirectory(t *testing.T) {
	st := tempStore(t)
	mustOpen(t, st)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(st.dir, link); err != nil {
		t.Fatal(err)
	}
	recordtest.WantErr(t, NewFile(link).Open(t.Context()), nil, link, "symbolic link")
	mustOpen(t, NewFile(filepath.Join(link, "below"))) // above it they are fine
}

func TestARecordThatOthersCouldReadIsRefused(t *testing.T) {
	for _, mode := range []fs.FileMode{0o640, 0o660, 0o604, 0o666} {
		st := tempStore(t)
		mustSave(t, st, &record.Record{}, 0)
		path := st.Describe("erp")
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := st.Load(t.Context(), "erp")
		recordtest.WantErr(t, err, recordstore.ErrUnreadable, "chmod 600 "+path)
		recordtest.WantErr(t, err, recordstore.ErrExposed)
		recordtest.WantErr(t, st.Save(t.Context(), "erp", &record.Record{}, 1), recordstore.ErrUnreadable)
	}
}

func TestASymlinkedRecordIsRefused(t *testing.T) {
	st := tempStore(t)
	mustSave(t, st, &record.Record{}, 0)
	path := st.Describe("erp")
	if err := os.Rename(path, path+".real"); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{path + ".real", "missing"} {
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		_, err := st.Load(t.Context(), "erp")
		recordtest.WantErr(t, err, recordstore.ErrUnreadable, path, "symbolic link")
		recordtest.WantErr(t, err, recordstore.ErrForeign)
		recordtest.WantErr(t, st.Save(t.Context(), "erp", &record.Record{}, 0), recordstore.ErrUnreadable)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARecordThatIsNoFileIsRefused(t *testing.T) {
	st := tempStore(t)
	mustOpen(t, st)
	if err := os.Mkdir(st.Describe("erp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(st.Describe("crm"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"erp", "crm"} {
		_, err := st.Load(t.Context(), name)
		recordtest.WantErr(t, err, recordstore.ErrUnreadable, st.Describe(name), "not a regular file")
		recordtest.WantErr(t, err, recordstore.ErrForeign)
	}
}

func TestASymlinkedLockFileIsNotFollowed(t *testing.T) {
	st := tempStore(t)
	mustOpen(t, st)
	target := filepath.Join(t.TempDir(), "target")
	if err := os.Symlink(target, st.lockPath("erp")); err != nil {
		t.Fatal(err)
	}
	_, err := st.Lease(t.Context(), "erp")
	recordtest.WantErr(t, err, nil, st.lockPath("erp"))
	if exists(t, target) {
		t.Error("a file was created behind the link")
	}
}

func TestForeignOwnersAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		skip.Missing(t, "only root can give files away")
	}
	const other = 12345
	st := tempStore(t)
	mustSave(t, st, &record.Record{}, 0)

	path := st.Describe("erp")
	if err := os.Chown(path, other, -1); err != nil {
		t.Fatal(err)
	}
	_, err := st.Load(t.Context(), "erp")
	recordtest.WantErr(t, err, recordstore.ErrUnreadable, path, "chown -R 0 "+st.dir, "user 12345", "run this as that user")
	recordtest.WantErr(t, err, recordstore.ErrExposed)

	if err := os.Chown(st.dir, other, -1); err != nil {
		t.Fatal(err)
	}
	recordtest.WantErr(t, NewFile(st.dir).Open(t.Context()), nil, "chown -R 0 "+st.dir, "user 12345")
}

func TestFileSystemsWithoutLocksAreRecognised(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.ENOLCK} {
		st := tempStore(t)
		st.fs = &faulty{fileSystem: osFS{}, lockErr: errno}
		recordtest.WantErr(t, st.Open(t.Context()), recordstore.ErrNoLocks, st.dir, errno.Error())
	}
}

func TestAReadOnlyOrFullDiskIsAnErrorThatNamesTheFile(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EROFS, syscall.ENOSPC, syscall.EACCES, syscall.EDQUOT, syscall.EIO} {
		for _, op := range []string{"create", "write", "sync", "rename", "syncDir"} {
			disk := newMemFS(nil)
			st := onDisk(disk)
			mustSave(t, st, &record.Record{}, 0)
			disk.fail = func(_ int, kind string) error {
				if kind == op {
					return errno
				}
				return nil
			}
			err := st.Save(t.Context(), "erp", &record.Record{}, 1)
			recordtest.WantErr(t, err, errno, "erp.json")
			wantFull(t, errno, err)
		}
		st := tempStore(t)
		st.fs = &faulty{fileSystem: osFS{}, mkdirErr: fmt.Errorf("mkdir: %w", errno)}
		err := st.Open(t.Context())
		recordtest.WantErr(t, err, errno)
		wantFull(t, errno, err)
		st = tempStore(t)
		st.fs = &faulty{fileSystem: osFS{}, lockErr: errno}
		wantFull(t, errno, st.Open(t.Context()))
	}
}

// wantFull checks that no room is told apart from all else, as by stores that replicas share.
func wantFull(t *testing.T, errno syscall.Errno, err error) {
	t.Helper()
	if want := errno == syscall.ENOSPC || errno == syscall.EDQUOT; errors.Is(err, store.ErrFull) != want {
		t.Errorf("%v: that the store is full is wanted to be %v: %v", errno, want, err)
	}
}

func TestWhatIsSetAsideIsForItsOwnerAlone(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	st := damaged(t)
	if err := st.Replace(t.Context(), "erp", recordtest.Holding("living"), 2, 1); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{st.Describe("erp"), aside(st)} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != fs.FileMode(0o600) {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if _, err := st.Load(t.Context(), "erp"); err != nil {
		t.Error(err)
	}
}
