package filestore

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"lamplighter/module/internal/record"
	"lamplighter/module/internal/record/recordtest"
	"lamplighter/module/moduletest/skip"
)

// as does something as another user: in a thread of its own, which ends with it.
func as(t *testing.T, uid uintptr, do func()) {
	t.Helper()
	done := make(chan unix.Errno)
	go func() {
		runtime.LockOSThread()
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uid, ^uintptr(0))
		if errno == 0 {
			do()
		}
		done <- errno
	}()
	if errno := <-done; errno != 0 {
		t.Fatal(errno)
	}
}

// What somebody did as root in the directory of a service is told with the file it was done
// to, and with what gives all of them back.
func TestAForeignFileIsNamedWithItsRemedy(t *testing.T) {
	if os.Geteuid() != 0 {
		skip.Missing(t, "only root can give files away")
	}
	const nobody = 65534
	for _, foreign := range []string{"erp.json", ".lock", "", ".."} {
		top, err := os.MkdirTemp("", "lamplighter-foreign-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(top) })
		dir := filepath.Join(top, "caddy", "records")
		for _, d := range []string{filepath.Dir(dir), dir} {
			if err := os.Mkdir(d, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(d, nobody, -1); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(top, 0o755); err != nil {
			t.Fatal(err)
		}
		as(t, nobody, func() {
			st := NewFile(dir)
			if err := st.Open(t.Context()); err != nil {
				t.Error(err)
			}
			if err := st.Save(t.Context(), "erp", &record.Record{}, 0); err != nil {
				t.Error(err)
			}
		})
		named := filepath.Join(dir, foreign)
		if err := os.Chown(named, 0, 0); err != nil {
			t.Fatal(err)
		}
		whole := dir
		if foreign == ".." {
			whole = named
		}
		as(t, nobody, func() {
			st := NewFile(dir)
			err := st.Open(t.Context())
			if err == nil {
				_, err = st.Load(t.Context(), "erp")
			}
			recordtest.WantErr(t, err, nil, named+" belongs to user 0", "chown -R nobody: "+whole)
		})
	}
}
