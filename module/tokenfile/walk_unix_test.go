//go:build unix

package tokenfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// shared is a directory that everybody can write to, such as an emptyDir, with one of ours
// in it, and elsewhere another one of ours in which nothing may be written.
func shared(t *testing.T) (mount, ours string) {
	t.Helper()
	base := t.TempDir()
	mount, ours = filepath.Join(base, "mount"), filepath.Join(base, "oauth2_client")
	must(t, os.Mkdir(mount, 0o755), os.Chmod(mount, 0o777), os.Mkdir(ours, 0o700), os.WriteFile(filepath.Join(ours, "erp.json"), []byte("record"), 0o600))
	return mount, ours
}

// TestALinkOnTheWayIsFollowedOnlyWhereNobodyElseCouldHavePutIt is the table of ways to a
// directory of ours that is not the one that was meant.
func TestALinkOnTheWayIsFollowedOnlyWhereNobodyElseCouldHavePutIt(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, mount, ours string) (dir string)
		exposed bool
	}{
		"a link in the place of the directory": {func(t *testing.T, mount, ours string) string {
			must(t, os.Symlink(ours, mount+"/vol"))
			return mount + "/vol"
		}, true},
		"one that is relative": {func(t *testing.T, mount, _ string) string {
			must(t, os.Symlink("../oauth2_client", mount+"/vol"))
			return mount + "/vol"
		}, true},
		"a link above the directory": {func(t *testing.T, mount, ours string) string {
			must(t, os.Symlink(filepath.Dir(ours), mount+"/vol"))
			return mount + "/vol/oauth2_client"
		}, true},
		"a link below a directory of ours in it": {func(t *testing.T, mount, ours string) string {
			must(t, os.Mkdir(mount+"/vol", 0o755), os.Symlink(ours, mount+"/vol/erp"))
			return mount + "/vol/erp"
		}, true},
		"a directory of somebody else on the way": {func(t *testing.T, mount, _ string) string {
			must(t, os.MkdirAll(mount+"/vol/erp", 0o755))
			another(t, &path{dir: mount + "/vol"})
			return mount + "/vol/erp"
		}, true},
		"the same where a file belongs to who made it": {func(t *testing.T, mount, _ string) string {
			must(t, os.Chmod(mount, 0o777|fs.ModeSticky), os.MkdirAll(mount+"/vol/erp", 0o755))
			another(t, &path{dir: mount + "/vol"})
			return mount + "/vol/erp"
		}, true},
		"a link that leads through it and out again": {func(t *testing.T, mount, ours string) string {
			must(t, os.Symlink(mount+"/../oauth2_client", ours+"/link"))
			return ours + "/link"
		}, true},
		"a directory of ours in it": {func(t *testing.T, mount, _ string) string { return mount + "/vol/erp" }, false},
		"a link of ours where nobody else can write": {func(t *testing.T, mount, ours string) string {
			must(t, os.Symlink("../oauth2_client/./down/../down", ours+"/link"), os.Mkdir(ours+"/down", 0o755))
			return ours + "/link"
		}, false},
		"a link of ours where a file belongs to who made it": {func(t *testing.T, mount, ours string) string {
			must(t, os.Chmod(mount, 0o777|fs.ModeSticky), os.Mkdir(ours+"/down", 0o755), os.Symlink(ours+"/down", mount+"/vol"))
			return mount + "/vol"
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			mount, ours := shared(t)
			p := &path{dir: c.prepare(t, mount, ours), name: "erp.json", mode: 0o600}
			err := p.write([]byte("token"), yes)
			if _, exposed := errors.AsType[exposedError](err); exposed != c.exposed || !exposed && err != nil {
				t.Errorf("%v", err)
			}
			if content, err := os.ReadFile(filepath.Join(ours, "erp.json")); string(content) != "record" || err != nil {
				t.Errorf("the other file is %q, %v", content, err)
			}
			if !c.exposed {
				if content, _, err := p.read(); string(content) != "token" || err != nil {
					t.Errorf("%q, %v", content, err)
				}
			}
		})
	}
}

func TestLinksThatLeadInACircleEnd(t *testing.T) {
	_, ours := shared(t)
	must(t, os.Symlink("one", ours+"/two"), os.Symlink("two", ours+"/one"))
	if err := (&path{dir: ours + "/one", name: "token", mode: 0o600}).write(nil, yes); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Error(err)
	}
}

// TestNobodyWhoReplacesPartsOfAWayTurnsIt lets somebody else swap directories for links
// while files are written.
func TestNobodyWhoReplacesPartsOfAWayTurnsIt(t *testing.T) {
	mount, ours := shared(t)
	vol, aside := mount+"/vol", mount+"/aside"
	p := &path{dir: vol + "/oauth2_client", name: "erp.json", mode: 0o600}
	must(t, p.write([]byte("token"), yes))
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(vol, aside)
			_ = os.Symlink(filepath.Dir(ours), vol)
			_ = os.Remove(vol)
			_ = os.Rename(aside, vol)
		}
	}()
	for range 2000 {
		_ = p.write([]byte("token"), yes) // whether it succeeds or not
	}
	close(stop)
	<-ended
	if content, err := os.ReadFile(ours + "/erp.json"); string(content) != "record" || err != nil {
		t.Errorf("the record is %q, %v", content, err)
	}
}

// TestAPathWithoutLinksAndOthersIsOpenedAsItIsWritten: what is opened is what the system
// itself finds there, wherever nobody else could have a hand in it.
func TestAPathWithoutLinksAndOthersIsOpenedAsItIsWritten(t *testing.T) {
	base := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "up", "down"}), 1, 5).Draw(rt, "parts")
		must(t, os.RemoveAll(base), os.MkdirAll(base+"/a/b/c", 0o755), os.Symlink("..", base+"/a/up"), os.Symlink("b/./c", base+"/a/down"))
		dir := filepath.Join(append([]string{base}, parts...)...)
		must(t, os.MkdirAll(dir, 0o755))
		root, err := openDirectory(dir)
		if err != nil {
			rt.Fatal(err)
		}
		defer root.Close()
		got, err := root.Stat(".")
		must(t, err)
		want, err := os.Stat(dir)
		must(t, err)
		if !os.SameFile(got, want) {
			rt.Errorf("%s is another directory", dir)
		}
	})
}
