package test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"

	"lamplighter/test/internal/rig"
)

// service reads the unit's settings, by name.
func service(t *testing.T) map[string][]string {
	t.Helper()
	options, err := unit.DeserializeOptions(strings.NewReader(shown(t, "systemd", "lamplighter.service")))
	if err != nil {
		t.Fatal(err)
	}
	settings := make(map[string][]string)
	for _, o := range options {
		settings[o.Name] = append(settings[o.Name], o.Value)
	}
	return settings
}

func TestSystemdUnitSuppliesWhatTheCaddyfileReads(t *testing.T) {
	settings := service(t)
	caddyfile := shown(t, "systemd", "Caddyfile")
	stop, err := time.ParseDuration(settings["TimeoutStopSec"][0] + "s")
	if err != nil {
		t.Fatal(err)
	}
	checkStopTime(t, caddyfile, stop)

	var files, variables []string
	for _, name := range settings["LoadCredentialEncrypted"] {
		files = append(files, "/run/credentials/lamplighter.service/"+name)
	}
	values := make(map[string]string)
	for _, line := range settings["Environment"] {
		for pair := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(pair, "=")
			variables = append(variables, name)
			values[name] = value
		}
	}
	checkSupplied(t, caddyfile, files, variables)
	for _, name := range []string{"XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		if !strings.HasPrefix(values[name], "/var/lib/"+settings["StateDirectory"][0]) {
			t.Errorf("%s is %q, which the unit may not write", name, values[name])
		}
	}
	for name, want := range map[string]string{
		"Type": "notify", "DynamicUser": "yes", "ProtectSystem": "strict", "NoNewPrivileges": "yes",
		"CapabilityBoundingSet": "", "LimitCORE": "0", "StateDirectoryMode": "0700", "Restart": "on-failure",
	} {
		if !slices.Equal(settings[name], []string{want}) {
			t.Errorf("%s is %q, not %q", name, settings[name], want)
		}
	}
}

// TestSystemdTakesTheUnit asks systemd itself, and lets it judge how much the
// unit is exposed.
func TestSystemdTakesTheUnit(t *testing.T) {
	systemd := rig.Need(t, "systemd-analyze", "install systemd")
	dir := t.TempDir()
	installed, err := filepath.Abs(rig.Binary)
	if err != nil {
		t.Fatal(err)
	}
	rig.Write(t, dir, "lamplighter.service", strings.ReplaceAll(shown(t, "systemd", "lamplighter.service"), "/usr/local/bin/lamplighter", installed))
	for _, args := range [][]string{
		{"verify", "--man=no"},
		{"security", "--offline=yes", "--no-pager", "--threshold=20"}, // 2.0 of 10
	} {
		out, err := exec.Command(systemd, append(args, filepath.Join(dir, "lamplighter.service"))...).CombinedOutput()
		if strings.Contains(string(out), "unrecognized option") {
			t.Logf("this systemd is too old for %v", args)
			continue
		}
		if err != nil || args[0] == "verify" && strings.Contains(string(out), "lamplighter.service:") {
			t.Errorf("systemd-analyze %v: %v\n%s", args, err, out)
		}
	}
}
