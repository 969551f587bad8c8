//go:build unix

package tokenfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lamplighter/module/moduletest/skip"
)

func yes() bool { return true }

// placed is a path in a directory of the test's own, and what it says of a write.
func placed(t *testing.T) *path {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "erp")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return &path{dir: dir, name: "token", mode: 0o600}
}

func TestAFileIsReplacedByRenaming(t *testing.T) {
	p := placed(t)
	must(t, p.write([]byte("one"), yes))
	reader, err := os.Open(p.in())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	p.mode = 0o640
	must(t, p.write([]byte("another"), yes))
	old := make([]byte, 10)
	if n, _ := reader.Read(old); string(old[:n]) != "one" {
		t.Errorf("who has the old file open reads %q", old[:n])
	}
	info, err := os.Stat(p.in())
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	content, changed, err := p.read()
	if string(content) != "another" || changed || err != nil {
		t.Errorf("%q, %v, %v", content, changed, err)
	}
	if left, _ := os.ReadDir(p.dir); len(left) != 1 {
		t.Errorf("there are %v", left)
	}
}

func TestAModeOfAnUmaskIsNotTheFiles(t *testing.T) {
	p := placed(t)
	p.mode = 0o644
	defer syscall.Umask(syscall.Umask(0o077))
	must(t, p.write([]byte("one"), yes))
	if info, err := os.Stat(p.in()); err != nil || info.Mode() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestADirectoryThatIsMissingIsMade(t *testing.T) {
	p := placed(t)
	p.dir = filepath.Join(p.dir, "of", "ours")
	if _, _, err := p.read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	must(t, os.RemoveAll(filepath.Dir(p.dir))) // somebody removes it again
	must(t, p.write([]byte("one"), yes))
	if info, err := os.Stat(p.dir); err != nil || info.Mode().Perm()&0o022 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestNothingIsWrittenWhereOthersCould is the table of hostile places.
func TestNothingIsWrittenWhereOthersCould(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, p *path)
		exposed bool
	}{
		"others can write to the directory":    {func(t *testing.T, p *path) { must(t, os.Chmod(p.dir, 0o757)) }, true},
		"its group can":                        {func(t *testing.T, p *path) { must(t, os.Chmod(p.dir, 0o775)) }, true},
		"everybody can, as in /tmp":            {func(t *testing.T, p *path) { must(t, os.Chmod(p.dir, 0o777|fs.ModeSticky)) }, true},
		"the directory is another user's":      {another, true},
		"a symbolic link to a file":            {func(t *testing.T, p *path) { link(t, p, "elsewhere") }, true},
		"a symbolic link to nothing":           {func(t *testing.T, p *path) { link(t, p, "nowhere") }, true},
		"a symbolic link out of the directory": {func(t *testing.T, p *path) { link(t, p, "../elsewhere") }, true},
		"a directory":                          {func(t *testing.T, p *path) { must(t, os.Mkdir(p.in(), 0o755)) }, false},
		"a named pipe":                         {func(t *testing.T, p *path) { must(t, syscall.Mkfifo(p.in(), 0o600)) }, false},
		"a file is in the way of the directory": {func(t *testing.T, p *path) {
			must(t, os.WriteFile(p.dir+"/file", nil, 0o600))
			p.dir += "/file"
		}, false},
		"no such group": {func(_ *testing.T, p *path) { p.group = "no such group" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := placed(t)
			target := filepath.Join(p.dir, "elsewhere")
			must(t, os.WriteFile(target, []byte("untouched"), 0o600))
			c.prepare(t, p)
			err := p.write([]byte("secret-token"), yes)
			if err == nil {
				t.Fatal("it was written")
			}
			if _, exposed := errors.AsType[exposedError](err); exposed != c.exposed {
				t.Errorf("exposed: %v: %v", exposed, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Error(err)
			}
			if said := troubleOf(p.in(), err); said.Detail == "" || said.Remedy == "" || !strings.Contains(said.Detail, p.in()) {
				t.Errorf("%+v", said)
			}
			if content, err := os.ReadFile(target); string(content) != "untouched" || err != nil {
				t.Errorf("elsewhere is %q, %v", content, err)
			}
			left, _ := filepath.Glob(filepath.Join(p.dir, ".token.*"))
			if len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func link(t *testing.T, p *path, to string) {
	t.Helper()
	must(t, os.Symlink(to, p.in()))
}

// another gives the directory to another user, which takes root.
func another(t *testing.T, p *path) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip.Here(t, "only root can give a directory away")
	}
	must(t, os.Chown(p.dir, 12345, 12345))
}

func TestWhatSomebodyWritesToIsSeen(t *testing.T) {
	p := placed(t)
	must(t, p.write([]byte("one"), yes))
	must(t, os.Chmod(p.in(), 0o666))
	if _, changed, err := p.read(); !changed || err != nil {
		t.Errorf("%v, %v", changed, err)
	}
	must(t, os.WriteFile(p.in(), make([]byte, 2*maxContent), 0o600))
	if content, _, err := p.read(); len(content) != maxContent || err != nil {
		t.Errorf("%d bytes were read, %v", len(content), err)
	}
}

func TestAWriteThatIsOverTakesNobodysPlace(t *testing.T) {
	p := placed(t)
	must(t, p.write([]byte("new"), yes), p.write([]byte("old"), func() bool { return false }))
	content, _, err := p.read()
	left, _ := os.ReadDir(p.dir)
	if string(content) != "new" || err != nil || len(left) != 1 {
		t.Errorf("%q, %v, %v", content, err, left)
	}
}

func TestTokensThatACrashLeftAreRemoved(t *testing.T) {
	p := placed(t)
	must(t, p.write([]byte("one"), yes))
	long := time.Now().Add(-time.Hour)
	names := map[string]bool{".token.ABCDEFGHIJKLMNOPQRSTUVWXYZ": true, ".token.short": false, ".other.ABCDEFGHIJKLMNOPQRSTUVWXYZ": false, ".token.ABCDEFGHIJKLMNOPQRSTUVWX22": false}
	for name := range names {
		file := filepath.Join(p.dir, name)
		must(t, os.WriteFile(file, nil, 0o600))
		if !strings.HasSuffix(name, "22") { // which somebody is writing
			must(t, os.Chtimes(file, long, long))
		}
	}
	must(t, os.Mkdir(filepath.Join(p.dir, ".token.ABCDEFGHIJKLMNOPQRSTUVWXYA"), 0o755))
	p.tidy()
	for name, gone := range names {
		if _, err := os.Stat(filepath.Join(p.dir, name)); errors.Is(err, fs.ErrNotExist) != gone {
			t.Errorf("%s: %v", name, err)
		}
	}
	(&path{dir: "/nonexistent/never", name: "token"}).tidy()
}

func TestAGroupIsTheFiles(t *testing.T) {
	p := placed(t)
	groups, err := os.Getgroups()
	if err != nil || len(groups) == 0 {
		groups = []int{os.Getegid()}
	}
	p.group, p.mode = "", 0o640
	for _, id := range groups {
		if id != os.Getegid() {
			p.group = strconv.Itoa(id)
		}
	}
	if os.Geteuid() == 0 {
		p.group = "12345"
	}
	if p.group == "" {
		p.group = strconv.Itoa(os.Getegid())
	}
	must(t, p.write([]byte("one"), yes))
	info, err := os.Stat(p.in())
	must(t, err)
	if got := strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Gid)); got != p.group || info.Mode() != 0o640 {
		t.Errorf("group %s, want %s, mode %v", got, p.group, info.Mode())
	}
}
