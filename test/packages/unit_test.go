package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"

	"lamplighter/test/internal/rig"
)

// settings reads a unit's, by name, in the order of their lines.
func settings(t *testing.T, path string) map[string][]string {
	t.Helper()
	f, err := os.Open(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	options, err := unit.DeserializeOptions(f)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string][]string)
	for _, o := range options {
		found[o.Name] = append(found[o.Name], o.Value)
	}
	return found
}

// TestUnitOfThePackagesIsTheExampleWithAUserOfItsOwn holds the two together: what confines
// the one confines the other.
func TestUnitOfThePackagesIsTheExampleWithAUserOfItsOwn(t *testing.T) {
	ours, example := settings(t, "packaging/lamplighter.service"), settings(t, "examples/systemd/lamplighter.service")
	for name, values := range example {
		var want []string
		switch name {
		case "DynamicUser", "LoadCredentialEncrypted":
		case "Environment":
			want = slices.DeleteFunc(values, func(v string) bool { return strings.HasPrefix(v, "EIAM_") })
		default:
			for _, v := range values {
				want = append(want, strings.ReplaceAll(v, "/usr/local/bin/", "/usr/bin/"))
			}
		}
		if !slices.Equal(ours[name], want) {
			t.Errorf("%s is %q, not %q", name, ours[name], want)
		}
	}
	for name, want := range map[string]string{"User": "lamplighter", "Group": "lamplighter", "EnvironmentFile": "-/etc/lamplighter/environment"} {
		if !slices.Equal(ours[name], []string{want}) {
			t.Errorf("%s is %q, not %q", name, ours[name], want)
		}
	}
}

// TestSystemdTakesTheUnitOfThePackages asks systemd itself, and lets it judge how much the
// unit is exposed.
func TestSystemdTakesTheUnitOfThePackages(t *testing.T) {
	systemd := rig.Need(t, "systemd-analyze", "install systemd")
	text, err := os.ReadFile(filepath.Join(root, "packaging", "lamplighter.service"))
	if err != nil {
		t.Fatal(err)
	}
	executable, err := os.Executable() // any will do
	if err != nil {
		t.Fatal(err)
	}
	service := filepath.Join(t.TempDir(), "lamplighter.service")
	installed := strings.ReplaceAll(string(text), "/usr/bin/lamplighter", executable)
	if err := os.WriteFile(service, []byte(installed), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"verify", "--man=no"},
		{"security", "--offline=yes", "--no-pager", "--threshold=20"}, // 2.0 of 10
	} {
		out, err := exec.Command(systemd, append(args, service)...).CombinedOutput()
		if strings.Contains(string(out), "unrecognized option") {
			t.Logf("this systemd is too old for %v", args)
			continue
		}
		if err != nil || args[0] == "verify" && strings.Contains(string(out), "lamplighter.service:") {
			t.Errorf("systemd-analyze %v: %v\n%s", args, err, out)
		}
	}
}
