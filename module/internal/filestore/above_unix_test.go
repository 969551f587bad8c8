//go:build unix

package filestore

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestADirectoryThatOthersCanReplaceIsFound(t *testing.T) {
	top := t.TempDir()
	for name, tc := range map[string]struct {
		above fs.FileMode
		owner int // 0 for us
		want  string
	}{
		"ours":           {above: 0o755},
		"our group's":    {above: 0o775},
		"everybody's":    {above: 0o777, want: "everybody can write to "},
		"sticky":         {above: 0o777 | fs.ModeSticky},
		"another user's": {above: 0o755, owner: 4711, want: "belongs to user 4711"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.owner != 0 && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			above := filepath.Join(top, name)
			dir := filepath.Join(above, "state", "records")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(above, tc.above); err != nil {
				t.Fatal(err)
			}
			if tc.owner != 0 {
				if err := os.Chown(above, tc.owner, -1); err != nil {
					t.Fatal(err)
				}
			}
			link := filepath.Join(top, "link to "+name)
			if err := os.Symlink(dir, link); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{dir, link} {
				switch err := Above(path); {
				case tc.want == "" && err != nil:
					t.Error(err)
				case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
					t.Errorf("%s: %v, want %q", path, err, tc.want)
				}
			}
		})
	}
	if err := Above(filepath.Join(top, "nowhere")); err != nil {
		t.Error(err)
	}
}
