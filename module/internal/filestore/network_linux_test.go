package filestore

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"lamplighter/module/moduletest/skip"
)

func TestNetworkFileSystemIsToldByTheNearestDirectory(t *testing.T) {
	dir := t.TempDir()
	if kind, ok := NetworkFileSystem(filepath.Join(dir, "not", "there", "yet")); ok {
		skip.Missing(t, "the tests themselves run on %s", kind)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	magic := int64(st.Type) & 0xffffffff
	networkFileSystems[magic] = "a test"
	defer delete(networkFileSystems, magic)
	if kind, ok := NetworkFileSystem(filepath.Join(dir, "not", "there", "yet")); !ok || kind != "a test" {
		t.Errorf("got %q, %v", kind, ok)
	}
}
