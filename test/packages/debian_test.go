package packages

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDebianPackageComesAndGoesWithoutARecordLost installs, upgrades, removes and purges
// it as an operator does.
func TestDebianPackageComesAndGoesWithoutARecordLost(t *testing.T) {
	m := newMachine(t)
	m.copyIn(file(t, made(t, first), "*.deb"), "/tmp/first.deb")
	m.copyIn(file(t, made(t, second), "*.deb"), "/tmp/second.deb")

	said := m.run("dpkg", "--install", "/tmp/first.deb")
	if !strings.Contains(said, "write /etc/lamplighter/Caddyfile, then systemctl enable --now lamplighter") {
		t.Errorf("nobody is told what to do next:\n%s", said)
	}
	m.wantCalled("daemon-reload")
	if got := m.run("stat", "-c", "%a %U:%G", "/etc/lamplighter/secrets", "/etc/lamplighter/Caddyfile", "/usr/bin/lamplighter"); got != "750 root:lamplighter\n644 root:root\n755 root:root\n" {
		t.Errorf("modes and owners are\n%s", got)
	}
	if got := m.run("getent", "passwd", "lamplighter"); !strings.HasSuffix(got, ":/var/lib/lamplighter:/usr/sbin/nologin\n") {
		t.Errorf("the user is %s", got)
	}
	if got := m.run("dpkg-query", "--show", "--showformat=${Conffiles}", "lamplighter"); !strings.Contains(got, "/etc/lamplighter/Caddyfile") {
		t.Errorf("the configuration is not the operator's: %q", got)
	}
	for _, page := range []string{"README.md", "docs/troubleshooting.md", "examples/systemd/lamplighter.service", "copyright"} {
		if !m.has("/usr/share/doc/lamplighter/" + page) {
			t.Errorf("the package has no %s", page)
		}
	}
	m.use()
	m.checkRuns(before)

	const notEnabled = "the service does not start with the machine"
	enabled := m.path("/etc/systemd/system/multi-user.target.wants/lamplighter.service")
	if err := errors.Join(os.MkdirAll(filepath.Dir(enabled), 0o755), os.Symlink("/usr/lib/systemd/system/lamplighter.service", enabled)); err != nil {
		t.Fatal(err) // as systemctl enable does
	}
	if said := m.run("dpkg", "--install", "/tmp/second.deb"); strings.Contains(said, notEnabled) || strings.Contains(said, "write /etc/lamplighter/Caddyfile") {
		t.Errorf("an upgrade says\n%s", said)
	}
	m.wantCalled("daemon-reload; try-restart lamplighter.service")
	if text, err := os.ReadFile(m.path("/etc/lamplighter/Caddyfile")); err != nil || !strings.Contains(string(text), "grace_period 5s") {
		t.Errorf("the upgrade has overwritten the configuration (%v):\n%s", err, text)
	}
	m.checkUsed()
	m.checkRuns(after)

	m.run("dpkg", "--remove", "lamplighter")
	m.wantCalled("disable --now lamplighter.service; daemon-reload; without the binary")
	if m.has("/usr/bin/lamplighter") || !m.has("/etc/lamplighter/Caddyfile") {
		t.Error("a removal takes the program and leaves the configuration")
	}
	m.checkUsed()

	if err := os.Remove(enabled); err != nil { // as systemctl disable does
		t.Fatal(err)
	}
	if said := m.run("dpkg", "--install", "/tmp/second.deb"); !strings.Contains(said, notEnabled) || strings.Contains(said, "write /etc/lamplighter/Caddyfile") {
		t.Errorf("an installation after a removal says\n%s", said)
	}
	m.wantCalled("daemon-reload; try-restart lamplighter.service")
	m.run("dpkg", "--remove", "lamplighter")
	m.called()

	if said := m.run("dpkg", "--purge", "lamplighter"); !strings.Contains(said, "the records of grants stay in /var/lib/lamplighter") || !strings.Contains(said, "stays in /etc/lamplighter") {
		t.Errorf("nobody is told what stays:\n%s", said)
	}
	if m.has("/etc/lamplighter/Caddyfile") {
		t.Error("a purge leaves the configuration")
	}
	m.checkUsed()
}
