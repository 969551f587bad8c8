//go:build unix

package tokenfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"lamplighter/module/moduletest/skip"
)

// anotherGroup is the number of a group that this process can give a file, and does not give
// it by itself.
func anotherGroup(t *testing.T) int {
	t.Helper()
	if os.Geteuid() == 0 {
		return 12345
	}
	groups, _ := os.Getgroups()
	for _, id := range groups {
		if id != os.Getegid() {
			return id
		}
	}
	skip.Here(t, "this user is in one group alone")
	return 0
}

func groupOf(t *testing.T, file string) int {
	t.Helper()
	info, err := os.Stat(file)
	must(t, err)
	return int(info.Sys().(*syscall.Stat_t).Gid)
}

// TestAFileThatOthersMayReadThanIsWantedIsChanged: whoever is in its group reads the token,
// so that a group counts as its mode does.
func TestAFileThatOthersMayReadThanIsWantedIsChanged(t *testing.T) {
	id := anotherGroup(t)
	for name, c := range map[string]struct {
		before, after string
		outside       int // the group that somebody gives it, -1 for none
	}{
		"a group is set":                    {"", strconv.Itoa(id), -1},
		"another one is":                    {strconv.Itoa(id), strconv.Itoa(os.Getegid()), -1},
		"it is taken out of the settings":   {strconv.Itoa(id), "", -1},
		"somebody gives it another":         {"", "", id},
		"somebody gives it another by name": {strconv.Itoa(os.Getegid()), strconv.Itoa(os.Getegid()), id},
	} {
		t.Run(name, func(t *testing.T) {
			p := placed(t)
			p.mode, p.group = 0o640, c.before
			must(t, p.write([]byte("one"), yes))
			if _, changed, err := p.read(); changed || err != nil {
				t.Fatalf("what was just written: %v, %v", changed, err)
			}
			if c.outside >= 0 {
				must(t, os.Chown(p.in(), -1, c.outside))
			} else { // a reload, or a restart
				p = &path{dir: p.dir, name: p.name, mode: p.mode, group: c.after}
			}
			if _, changed, err := p.read(); !changed || err != nil {
				t.Errorf("%v, %v", changed, err)
			}
			must(t, p.write([]byte("one"), yes))
			want := os.Getegid()
			if c.after != "" {
				want, _ = strconv.Atoi(c.after)
			}
			if got := groupOf(t, p.in()); got != want {
				t.Errorf("it has group %d, not %d", got, want)
			}
			if _, changed, err := p.read(); changed || err != nil {
				t.Errorf("written anew: %v, %v", changed, err)
			}
		})
	}
}

func TestAGroupThatIsUnknownIsToldOfBeforeATokenIsNew(t *testing.T) {
	p := placed(t)
	must(t, p.write([]byte("one"), yes))
	p.group = "no such group"
	_, _, err := p.read()
	if _, grouped := errors.AsType[groupError](err); !grouped {
		t.Error(err)
	}
}

func TestAFileInADirectoryThatGivesItsGroupHasThat(t *testing.T) {
	p := placed(t)
	id := anotherGroup(t)
	must(t, os.Chown(p.dir, -1, id), os.Chmod(p.dir, 0o755|fs.ModeSetgid))
	must(t, p.write([]byte("one"), yes))
	again := &path{dir: p.dir, name: p.name, mode: p.mode}
	if _, changed, err := again.read(); changed || err != nil || groupOf(t, p.in()) != id {
		t.Errorf("%v, %v, group %d, want %d", changed, err, groupOf(t, p.in()), id)
	}
}

func TestAFileOfAnotherUserIsReplacedUnread(t *testing.T) {
	if os.Geteuid() != 0 {
		skip.Here(t, "only root can give a file away")
	}
	p := placed(t)
	must(t, os.WriteFile(p.in(), []byte("one"), 0o600), os.Chown(p.in(), 12345, -1))
	if _, changed, err := p.read(); !changed || err != nil {
		t.Errorf("%v, %v", changed, err)
	}
	must(t, p.write([]byte("one"), yes))
	if _, changed, err := p.read(); changed || err != nil {
		t.Errorf("written anew: %v, %v", changed, err)
	}
}

func TestAFileThatCannotBeReadIsReplaced(t *testing.T) {
	if os.Geteuid() == 0 {
		skip.Here(t, "root can read every file")
	}
	p := placed(t)
	must(t, os.WriteFile(p.in(), []byte("one"), 0o600), os.Chmod(p.in(), 0))
	if _, changed, err := p.read(); !changed || err != nil {
		t.Errorf("%v, %v", changed, err)
	}
	must(t, p.write([]byte("two"), yes))
	if content, changed, err := p.read(); string(content) != "two" || changed || err != nil {
		t.Errorf("%q, %v, %v", content, changed, err)
	}
}

// TestADirectoryThatIsMadeIsOpenToReadersWhateverTheUmask: the mode of the file says who may
// read it. What was there before is left as it is.
func TestADirectoryThatIsMadeIsOpenToReadersWhateverTheUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	for name, base := range map[string]fs.FileMode{"where names are relied on": 0o700, "where others can write": 0o777} {
		t.Run(name, func(t *testing.T) {
			p := placed(t)
			must(t, os.Chmod(p.dir, base))
			there := p.dir
			p.dir = filepath.Join(there, "of", "ours")
			must(t, p.write([]byte("one"), yes))
			for dir, want := range map[string]fs.FileMode{there: base, filepath.Dir(p.dir): 0o755, p.dir: 0o755} {
				if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != want {
					t.Errorf("%s has mode %v, not %v, %v", dir, info.Mode(), want, err)
				}
			}
			must(t, os.Chmod(p.dir, 0o700), p.write([]byte("two"), yes))
			if info, err := os.Stat(p.dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("what was there has mode %v now, %v", info.Mode(), err)
			}
		})
	}
}

func TestADirectoryThatIsMadeKeepsTheGroupOfTheOneAbove(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	p := placed(t)
	id := anotherGroup(t)
	must(t, os.Chown(p.dir, -1, id), os.Chmod(p.dir, 0o755|fs.ModeSetgid))
	p.dir = filepath.Join(p.dir, "ours")
	must(t, p.write([]byte("one"), yes))
	if info, err := os.Stat(p.dir); err != nil || info.Mode() != 0o755|fs.ModeDir|fs.ModeSetgid || groupOf(t, p.in()) != id {
		t.Errorf("mode %v, %v; the file has group %d, want %d", info.Mode(), err, groupOf(t, p.in()), id)
	}
}

func TestADirectoryThatOthersPutInThePlaceOfOursIsNotOpened(t *testing.T) {
	p := placed(t)
	must(t, os.Chmod(p.dir, 0o700), os.WriteFile(filepath.Join(p.dir, "erp.json"), nil, 0o600))
	root, err := os.OpenRoot(p.dir)
	must(t, err)
	defer root.Close()
	openToReaders(root)
	if info, err := os.Stat(p.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a directory that holds something has mode %v now, %v", info.Mode(), err)
	}
}
