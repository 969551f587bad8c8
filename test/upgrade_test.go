package test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// firstRelease is the commit of the first release.
const firstRelease = "99e05ee2cdc3cf4ad7e83b71c75a54ea0cbfcc13"

// upgrade is a client that two releases keep in turn, on one data directory.
type upgrade struct {
	*testing.T
	servers *demoServers
	first   string // the binary of the first release
	bin     string // where the command lamplighter is, whichever release that is
	home    string
	address string
	steps   []string // the commands of docs/upgrade.md
}

// TestARecordGoesOnFromTheFirstReleaseToThisOne does what docs/upgrade.md says, and runs
// its commands.
func TestARecordGoesOnFromTheFirstReleaseToThisOne(t *testing.T) {
	t.Parallel()
	u := newUpgrade(t)

	stop := u.run(u.first)
	u.wants(200, 1)
	u.refreshes(2)

	u.step("lamplighter validate", rig.Binary) // while the old one runs
	stop()
	u.step("cp -a", rig.Binary)
	before := u.record()
	stop = u.run(rig.Binary)
	u.wants(200, 2)
	if said := u.step("lamplighter tokens list", rig.Binary); !regexp.MustCompile(`demo +valid +ok .* 2 +-`).MatchString(said) {
		t.Errorf("it goes on as\n%s", said)
	}
	stop()
	u.step("cmp", rig.Binary) // nothing was due, so nothing was written

	stop = u.run(u.first)
	u.wants(200, 2)
	stop()
	stop = u.run(rig.Binary)
	u.refreshes(3)
	u.wants(200, 3)
	stop()

	after := u.record()
	if bytes.Equal(before, after) {
		t.Error("the new release writes nothing")
	}
	u.isRefused(3)
	if got := u.record(); !bytes.Equal(got, after) {
		t.Errorf("the first release has overwritten the record:\n%s", got)
	}

	stop = u.run(rig.Binary) // forward again
	u.wants(200, 3)
	u.refreshes(4)
	u.wants(200, 4)
	stop()

	u.step("jq", rig.Binary) // and back, with the grant
	stop = u.run(u.first)
	u.wants(200, 5)
	u.refreshes(6)
	stop()
	stop = u.run(rig.Binary)
	u.wants(200, 6)
	u.refreshes(7)
	stop()
	if left := u.unused(); len(left) > 0 {
		t.Errorf("docs/upgrade.md has commands that were not run: %q", left)
	}
}

func newUpgrade(t *testing.T) *upgrade {
	t.Helper()
	rig.Need(t, "git", "install it to build the first release")
	rig.Need(t, "jq", "install it to try the way back")
	page, err := os.ReadFile(filepath.Join("..", "docs", "upgrade.md"))
	if err != nil {
		t.Fatal(err)
	}
	u := &upgrade{T: t, servers: startDemoServers(t, "1h"), home: rig.Home(t), address: rig.FreeAddress(t), first: buildFirstRelease(t)}
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		u.steps = append(u.steps, block[1])
	}
	if len(u.steps) == 0 || !strings.HasPrefix(u.steps[0], "records=") {
		t.Fatalf("docs/upgrade.md begins with %q", u.steps)
	}
	u.steps = u.steps[1:] // what they are in general; here, step says
	u.bin = filepath.Join(u.home, "bin")
	if err := os.Mkdir(u.bin, 0o700); err != nil {
		t.Fatal(err)
	}
	rig.Write(t, u.home, "Caddyfile", u.servers.caddyfile(u.address))
	return u
}

// buildFirstRelease builds it from the history of the repository.
func buildFirstRelease(t *testing.T) string {
	t.Helper()
	sources := t.TempDir()
	archive := exec.Command("git", "-c", "safe.directory=*", "archive", "--format=tar", firstRelease)
	archive.Dir = ".." // of all of the repository, not of the tests alone
	tar, err := archive.Output()
	if err != nil {
		rig.SkipAnyway(t, "the history of this repository does not reach back to the first release: git archive: %v", err)
	}
	unpack := exec.Command("tar", "-x", "-C", sources)
	unpack.Stdin = bytes.NewReader(tar)
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	binary := filepath.Join(t.TempDir(), "lamplighter")
	if err := rig.BuildFrom(sources, binary, rig.Tags); err != nil {
		t.Fatal(err)
	}
	return binary
}

// run starts a release. It is stopped as a service manager does.
func (u *upgrade) run(binary string) (stop func()) {
	u.Helper()
	p := rig.StartBinary(u.T, binary, u.home, rig.Environment(u.home), "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	rig.Eventually(u.T, "the sidecar listens", func() bool {
		if p.Ended() {
			u.Fatalf("the sidecar ended: %v", p.Err)
		}
		return rig.Serves(u.address)
	})
	return func() {
		u.Helper()
		if err := p.End(rig.Terminate); err != nil {
			u.Fatal(err)
		}
	}
}

// step runs the commands of docs/upgrade.md that begin with a word.
func (u *upgrade) step(begins, binary string) (said string) {
	u.Helper()
	link := filepath.Join(u.bin, "lamplighter")
	_ = os.Remove(link)
	if err := os.Symlink(binary, link); err != nil {
		u.Fatal(err)
	}
	for i, commands := range u.steps {
		if !strings.Contains(commands, begins) {
			continue
		}
		u.steps[i] = ""
		cmd := exec.Command("sh", "-eu", "-c", commands)
		cmd.Dir = u.home
		cmd.Env = append(rig.Environment(u.home), "PATH="+u.bin+string(os.PathListSeparator)+os.Getenv("PATH"),
			"records="+u.records(), "client=demo", "seed="+u.servers.RefreshTokenFile)
		out, err := cmd.CombinedOutput()
		if err != nil {
			u.Fatalf("%s\n%v\n%s", commands, err, out)
		}
		return string(out)
	}
	u.Fatalf("docs/upgrade.md has no %q", begins)
	return ""
}

// unused are the commands that were not run.
func (u *upgrade) unused() (left []string) {
	for _, commands := range u.steps {
		if commands != "" {
			left = append(left, commands)
		}
	}
	return left
}

func (u *upgrade) records() string { return filepath.Join(u.home, "data", "caddy", "oauth2_client") }

func (u *upgrade) record() []byte {
	u.Helper()
	content, err := os.ReadFile(filepath.Join(u.records(), "demo.json"))
	if err != nil {
		u.Fatal(err)
	}
	return content
}

// wants makes a request of an application, and checks how many token requests there
// were by then, none of them with a spent refresh token.
func (u *upgrade) wants(status, requests int) (body string) {
	u.Helper()
	got := rig.Get(u.T, u.address, "/")
	if stats := u.servers.stats(); got.Status != status || stats.TokenRequests != requests || stats.Spent != 0 || stats.Refused != 0 {
		u.Fatalf("got %v after %+v, want %d and %d token requests", got, stats, status, requests)
	}
	return got.Body
}

// refreshes has the running release refresh the grant.
func (u *upgrade) refreshes(requests int) {
	u.Helper()
	if out, errs, code := rig.Command(u.T, u.home, "tokens", "refresh", "demo"); code != 0 {
		u.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	u.wants(200, requests)
}

// isRefused starts the first release on a record of the new one.
func (u *upgrade) isRefused(requests int) {
	u.Helper()
	stop := u.run(u.first)
	defer stop()
	var said struct{ Cause, Detail, Remedy string }
	if err := json.Unmarshal([]byte(u.wants(503, requests)), &said); err != nil {
		u.Fatal(err)
	}
	if said.Cause != "record_unreadable" || !strings.Contains(said.Detail, "written by a newer version") || !strings.Contains(said.Remedy, "start the version that wrote it") {
		u.Errorf("it says %+v", said)
	}
	if _, errs, code := rig.Command(u.T, u.home, "tokens", "refresh", "demo"); code == 0 || !strings.Contains(errs, "newer version") {
		u.Errorf("an order ends with exit code %d: %s", code, errs)
	}
	u.wants(503, requests)
}
