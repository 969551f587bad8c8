package tokenfile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lamplighter/module/moduletest/skip"
)

// TestABindMountIsTheDirectoryThatItShows: no path says that it is, and a token in it is one
// amid the records.
func TestABindMountIsTheDirectoryThatItShows(t *testing.T) {
	base := t.TempDir()
	data, mount := filepath.Join(base, "data"), filepath.Join(base, "mount")
	store := filepath.Join(data, "oauth2_client")
	must(t, os.MkdirAll(store, 0o700))
	must(t, os.Mkdir(mount, 0o700))
	if err := syscall.Mount(data, mount, "", syscall.MS_BIND, ""); err != nil {
		skip.Here(t, "nothing can be mounted here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(mount, 0)) })
	for path, refused := range map[string]bool{
		"oauth2_client/new/token": true,
		"oauth2_client":           true,
		"oauth2_client2/token":    false,
		"token":                   false,
	} {
		file := []*Compiled{{Path: filepath.Join(mount, path)}}
		var first, second Paths
		must(t, first.Keep(store, "records of grants"))
		must(t, second.Take("erp", file))
		for _, err := range []error{first.Take("erp", file), second.Keep(store, "records of grants")} {
			if (err != nil) != refused || refused && !strings.Contains(err.Error(), "records of grants") {
				t.Errorf("%s: %v, want it refused: %v", path, err, refused)
			}
		}
	}
	var both Paths
	must(t, both.Take("erp", []*Compiled{{Path: filepath.Join(data, "new", "token")}}))
	if err := both.Take("crm", []*Compiled{{Path: filepath.Join(mount, "new", "token")}}); err == nil || !strings.Contains(err.Error(), "client erp has it already") {
		t.Errorf("%v", err)
	}
}
