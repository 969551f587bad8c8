package packages

import (
	"os"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// rpm runs Red Hat's package manager on a machine, for a query or with more flags.
func (m *machine) rpm(args ...string) string {
	m.t.Helper()
	return output(m.t, m.root, "rpm", append([]string{"--root", m.root}, args...)...)
}

// change has it change something: Debian's build asks to be told that this is meant, and
// knows of no file that rpm has not brought.
func (m *machine) change(args ...string) {
	m.t.Helper()
	m.rpm(append([]string{"--force-debian", "--nodeps", "--nosignature"}, args...)...)
}

// TestRPMPackageComesAndGoesWithoutARecordLost installs, upgrades and erases it.
func TestRPMPackageComesAndGoesWithoutARecordLost(t *testing.T) {
	rig.Need(t, "rpm", "install Debian's package rpm")
	m := newMachine(t)
	one, two := file(t, made(t, first), "*.rpm"), file(t, made(t, second), "*.rpm")

	m.change("--install", one)
	m.wantCalled("daemon-reload")
	if got := m.run("stat", "-c", "%a %U:%G", "/etc/lamplighter/secrets", "/usr/bin/lamplighter"); got != "750 root:lamplighter\n755 root:root\n" {
		t.Errorf("modes and owners are\n%s", got)
	}
	if got := m.rpm("--query", "--configfiles", "lamplighter"); got != "/etc/lamplighter/Caddyfile\n" {
		t.Errorf("the configuration is %q", got)
	}
	if got := m.rpm("--query", "--queryformat=%{VERSION} %{BUILDHOST} %{LICENSE}", "lamplighter"); got != "1.0.0~rc.1 lamplighter Apache-2.0" {
		t.Errorf("installed is %q", got)
	}
	m.use()
	m.checkRuns(before)

	m.change("--upgrade", two)
	m.wantCalled("daemon-reload; try-restart lamplighter.service")
	if text, err := os.ReadFile(m.path("/etc/lamplighter/Caddyfile")); err != nil || !strings.Contains(string(text), "grace_period 5s") {
		t.Errorf("the upgrade has overwritten the configuration (%v):\n%s", err, text)
	}
	m.checkUsed()
	m.checkRuns(after)

	m.rpm("--force-debian", "--erase", "lamplighter")
	m.wantCalled("disable --now lamplighter.service; daemon-reload; without the binary")
	if m.has("/usr/bin/lamplighter") {
		t.Error("the program stays")
	}
	m.checkUsed()
}
