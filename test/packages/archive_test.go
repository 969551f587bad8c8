package packages

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestWhoeverBuildsAgainGetsTheSameBytes builds once more, elsewhere, in another time zone
// and with other rights for new files.
func TestWhoeverBuildsAgainGetsTheSameBytes(t *testing.T) {
	one := made(t, first)
	two := made(t, func() (string, error) {
		temporary := filepath.Join(dir, "elsewhere")
		if err := os.Mkdir(temporary, 0o700); err != nil {
			return "", err
		}
		return dist("again", before, "TMPDIR="+temporary, "TZ=Asia/Shanghai", "LC_ALL=C", "HOSTNAME=another")
	})
	files, err := os.ReadDir(one)
	if err != nil || len(files) != 8 {
		t.Fatalf("%d files are made: %v", len(files), err)
	}
	for _, f := range files {
		a, err := os.ReadFile(filepath.Join(one, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(two, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s is another one each time", f.Name())
		}
	}
}

func TestArchiveHoldsTheBinaryAndWhatOneReadsFirst(t *testing.T) {
	in := made(t, first)
	output(t, in, "sha256sum", "--check", "--strict", "SHA256SUMS")
	sums, err := os.ReadFile(filepath.Join(in, "SHA256SUMS"))
	if err != nil || strings.Count(string(sums), "\n") != 7 {
		t.Errorf("the sums are of other files (%v):\n%s", err, sums)
	}

	archive, to := file(t, in, "*.tar.gz"), t.TempDir()
	output(t, to, "tar", "-xzf", archive)
	top := strings.TrimSuffix(filepath.Base(archive), ".tar.gz")
	for _, name := range []string{
		"LICENSE", "README.md", "completions/lamplighter.bash", "completions/lamplighter.zsh",
		"completions/lamplighter.fish", "completions/lamplighter.ps1", "man/lamplighter.8", "man/lamplighter-tokens.8",
	} {
		text, err := os.ReadFile(filepath.Join(to, top, name))
		if err != nil || !strings.Contains(strings.ToLower(string(text)), "licen") && !strings.Contains(string(text), "lamplighter") {
			t.Errorf("%s is something else: %v", name, err)
		}
	}
	binary := filepath.Join(to, top, "lamplighter")
	if got := output(t, to, binary, "version"); !strings.HasPrefix(got, before) {
		t.Errorf("the binary is %q", got)
	}
	output(t, to, binary, "adapt", "--config", filepath.Join(top, "Caddyfile"))
	output(t, to, "bash", "-n", filepath.Join(top, "completions", "lamplighter.bash"))
	if linked, err := exec.Command("ldd", binary).CombinedOutput(); err == nil {
		t.Errorf("the binary needs libraries:\n%s", linked)
	}
}

// TestPartsListIsThatOfTheBinary compares it with what Go itself reads from the binary.
func TestPartsListIsThatOfTheBinary(t *testing.T) {
	in := made(t, first)
	text, err := os.ReadFile(file(t, in, "*.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat string `json:"bomFormat"`
		Metadata  struct {
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	if c := bom.Metadata.Component; bom.BOMFormat != "CycloneDX" || c.Name != "lamplighter" || c.Version != before {
		t.Errorf("it is a %s of %s %s", bom.BOMFormat, c.Name, c.Version)
	}
	var listed, built []string
	for _, c := range bom.Components {
		listed = append(listed, c.Name+" "+c.Version)
	}
	to := t.TempDir()
	output(t, to, "tar", "-xzf", file(t, in, "*.tar.gz"), "--strip-components=1")
	for line := range strings.Lines(output(t, to, "go", "version", "-m", "lamplighter")) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "dep" {
			built = append(built, f[1]+" "+f[2])
		}
	}
	slices.Sort(listed)
	slices.Sort(built)
	listed = slices.DeleteFunc(listed, func(m string) bool { return strings.HasPrefix(m, "std ") })
	if len(built) < 50 || !slices.Equal(listed, built) {
		t.Errorf("the binary is made of %d modules, and the list has %d:\n%v\n%v", len(built), len(listed), built, listed)
	}
}

// TestNoReleaseIsMadeOfWhatIsNoVersion asks for one that a package manager could not
// compare.
func TestNoReleaseIsMadeOfWhatIsNoVersion(t *testing.T) {
	rig.Need(t, "make", "install make")
	for _, version := range []string{"1.0.0", "dev", "v1.0", "v1.0.0-rc_1"} {
		if _, err := dist("none", version); err == nil || !strings.Contains(err.Error(), "is no version such as v1.0.0-rc.1") {
			t.Errorf("version %q: %v", version, err)
		}
	}
}
