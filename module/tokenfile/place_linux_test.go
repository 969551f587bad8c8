package tokenfile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lamplighter/module/moduletest/skip"
)

func TestOnAFullDiskTheOldFileStays(t *testing.T) {
	p := placed(t)
	if err := syscall.Mount("tmpfs", p.dir, "tmpfs", 0, "size=8k,mode=0755"); err != nil {
		skip.Here(t, "a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(p.dir, 0)) })
	must(t, p.write([]byte("one"), yes))
	err := p.write([]byte(strings.Repeat("x", 64<<10)), yes)
	if err == nil {
		t.Fatal("it was written")
	}
	if said := troubleOf(p.in(), err); said.Cause != CauseFailed || !strings.Contains(said.Detail, "no space left") {
		t.Errorf("%+v", said)
	}
	content, _, err := p.read()
	left, _ := filepath.Glob(filepath.Join(p.dir, ".token.*"))
	if string(content) != "one" || err != nil || len(left) > 0 {
		t.Errorf("%q, %v, left behind %v", content, err, left)
	}
	must(t, syscall.Mount("", p.dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	if err := p.write([]byte("two"), yes); err == nil {
		t.Error("it was written to a disk that is read only")
	}
	if _, err := os.Stat(p.in()); err != nil {
		t.Error(err)
	}
}
