package packages

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"lamplighter/test/internal/rig"
)

// clean is Debian's smallest system, as an archive: made once.
var clean = sync.OnceValues(func() (string, error) {
	to := filepath.Join(dir, "debian.tar")
	out, err := exec.Command("mmdebstrap", "--variant=essential", "--include=passwd", "--mode=root",
		"--architectures="+runtime.GOARCH, "bookworm", to).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mmdebstrap: %w\n%s", err, out)
	}
	return to, nil
})

// machine is one that a package is installed on. Instead of systemd, which is not there,
// a script takes notes of how it is called.
type machine struct {
	t    *testing.T
	root string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	rig.Need(t, "mmdebstrap", "install Debian's package mmdebstrap")
	if os.Geteuid() != 0 {
		rig.Skip(t, "a package is installed by root")
	}
	archive, err := clean()
	if err != nil {
		rig.Skip(t, "no clean Debian can be had here: %v", err)
	}
	m := &machine{t, t.TempDir()}
	output(t, m.root, "tar", "-xf", archive, "--exclude=./dev/*")
	if err := os.WriteFile(m.path("/dev/null"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(m.path("/run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	note := "#!/bin/sh\necho \"$*\" >>/systemctl\n[ -x /usr/bin/lamplighter ] || echo without the binary >>/systemctl\n"
	if err := os.WriteFile(m.path("/usr/bin/systemctl"), []byte(note), 0o755); err != nil {
		t.Fatal(err)
	}
	return m
}

// path is where a file of the machine is here.
func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

// has reports whether there is a file.
func (m *machine) has(name string) bool {
	_, err := os.Lstat(m.path(name))
	return err == nil
}

// run runs a command on the machine, and returns what it prints.
func (m *machine) run(args ...string) string {
	m.t.Helper()
	return output(m.t, m.root, "chroot", append([]string{m.root}, args...)...)
}

// called returns how systemctl was called since the last time.
func (m *machine) called() string {
	m.t.Helper()
	text, err := os.ReadFile(m.path("/systemctl"))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	_ = os.Remove(m.path("/systemctl"))
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "; ")
}

// wantCalled checks how systemctl was called.
func (m *machine) wantCalled(want string) {
	m.t.Helper()
	if got := m.called(); got != want {
		m.t.Errorf("systemctl was called %q, not %q", got, want)
	}
}

// copyIn copies a file to the machine.
func (m *machine) copyIn(from, to string) {
	m.t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(m.path(to), content, 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// caddyfile is an operator's. Nobody answers at its addresses.
const caddyfile = `{
	grace_period 5s
}

http://:8080 {
	bind 127.0.0.1
	upstream_oauth http://127.0.0.1:9 {
		client erp {
			token_endpoint http://127.0.0.1:9/token
			client_id erp
			client_secret {file./etc/lamplighter/secrets/mine}
		}
	}
}
`

// use does what an operator does between installation and removal: there are a
// configuration, a secret and a record then.
func (m *machine) use() {
	m.t.Helper()
	if m.has("/var/lib/lamplighter") {
		m.t.Error("the package brings the directory of records, and would delete it")
	}
	m.run("install", "-d", "-o", "lamplighter", "-g", "lamplighter", "-m", "0700", "/var/lib/lamplighter") // StateDirectory=
	_, port, err := net.SplitHostPort(rig.FreeAddress(m.t))
	if err != nil {
		m.t.Fatal(err)
	}
	for name, text := range map[string]string{
		"/etc/lamplighter/Caddyfile":         strings.Replace(caddyfile, "8080", port, 1),
		"/etc/lamplighter/secrets/mine":      "secret",
		"/var/lib/lamplighter/caddy/grant":   "record",
		"/etc/lamplighter/environment":       "A=b\n",
		"/var/lib/lamplighter/spent/ledger1": "{}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(m.path(name)), 0o700); err != nil {
			m.t.Fatal(err)
		}
		if err := os.WriteFile(m.path(name), []byte(text), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	m.run("chown", "-R", "lamplighter:lamplighter", "/var/lib/lamplighter")
	m.run("chgrp", "lamplighter", "/etc/lamplighter/secrets/mine")
	m.run("chmod", "0640", "/etc/lamplighter/secrets/mine")
	m.run("chmod", "0644", "/etc/lamplighter/Caddyfile")
}

// checkUsed checks that all is there that an operator made.
func (m *machine) checkUsed() {
	m.t.Helper()
	for _, name := range []string{"/etc/lamplighter/secrets/mine", "/etc/lamplighter/environment", "/var/lib/lamplighter/caddy/grant", "/var/lib/lamplighter/spent/ledger1"} {
		if !m.has(name) {
			m.t.Errorf("%s is gone", name)
		}
	}
	m.run("getent", "passwd", "lamplighter") // whose records they are
}

// checkRuns runs the service as its unit does, as its user, and reloads it as root.
func (m *machine) checkRuns(version string) {
	m.t.Helper()
	if got := m.run("lamplighter", "version"); !strings.HasPrefix(got, version+" ") && strings.TrimSpace(got) != version {
		m.t.Errorf("installed is %q, not %s", got, version)
	}
	m.run("lamplighter", "validate", "--config", "/etc/lamplighter/Caddyfile")
	settings := map[string]string{}
	unit, err := os.ReadFile(m.path("/usr/lib/systemd/system/lamplighter.service"))
	if err != nil {
		m.t.Fatal(err)
	}
	var env []string
	for line := range strings.Lines(string(unit)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		settings[name] = value
		if name == "Environment" {
			env = append(env, strings.Fields(value)...)
		}
	}
	as := "--userspec=" + settings["User"] + ":" + settings["Group"]
	p := rig.StartBinary(m.t, "chroot", m.root, env, append([]string{as, m.root}, strings.Fields(settings["ExecStart"])...)...)
	rig.Eventually(m.t, "the service runs", func() bool {
		if p.Ended() {
			m.t.Fatalf("it has ended: %v\n%s", p.Err, p.Output)
		}
		return strings.Contains(p.Output.String(), "serving initial configuration")
	})
	for _, args := range [][]string{strings.Fields(settings["ExecReload"]), {"lamplighter", "tokens", "list"}} {
		cmd := exec.Command("chroot", append([]string{m.root}, args...)...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil {
			m.t.Errorf("%s: %v\n%s", cmd, err, out)
		}
		if args[1] == "tokens" && (!strings.Contains(string(out), "erp") || strings.Contains(string(out), "misconfigured")) {
			m.t.Errorf("the service has no client, or cannot read its secret:\n%s", out)
		}
	}
	if err := p.End(rig.Terminate); err != nil {
		m.t.Errorf("the service ended with %v", err)
	}
}
