package service

import (
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// machine has the unit of the packages, with another user and its configuration below a
// directory of the test.
func machine(t *testing.T, edit func(string) string) (folders []string, config string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "packaging", "lamplighter.service"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config = filepath.Join(dir, "Caddyfile")
	unit := strings.NewReplacer("/etc/lamplighter/Caddyfile", config, "User=lamplighter", "User=nobody").Replace(string(text))
	write(t, config, "")
	folders = []string{filepath.Join(dir, "etc"), filepath.Join(dir, "usr")}
	write(t, filepath.Join(folders[1], "lamplighter.service"), edit(unit))
	return folders, config
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func same(text string) string { return text }

func nobody(t *testing.T) int {
	t.Helper()
	found, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.Atoi(found.Uid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAServiceOfAnotherUserIsFoundByItsConfiguration(t *testing.T) {
	folders, config := machine(t, same)
	s := elsewhere(folders, "lamplighter.service", config, nobody(t)+1)
	if s == nil || s.User != "nobody" || s.Config != config {
		t.Fatalf("found %+v", s)
	}
	if got := elsewhere(folders, "lamplighter.service", config, nobody(t)); got != nil {
		t.Errorf("its own user is told to be another one: %+v", got)
	}
	other := filepath.Join(t.TempDir(), "Caddyfile")
	write(t, other, "")
	for _, config := range []string{other, "", filepath.Join(t.TempDir(), "none")} {
		if got := elsewhere(folders, "lamplighter.service", config, 0); got != nil {
			t.Errorf("%q is not of the service: %+v", config, got)
		}
	}
	if got := elsewhere(folders, "caddy.service", config, 0); got != nil {
		t.Errorf("a program whose service that is not: %+v", got)
	}
	linked := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(config, linked); err != nil {
		t.Fatal(err)
	}
	if elsewhere(folders, "lamplighter.service", linked, 0) == nil {
		t.Error("the configuration is not known by another name")
	}
}

func TestTheCommandHasWhatTheUnitGivesTheService(t *testing.T) {
	folders, config := machine(t, same)
	write(t, filepath.Join(folders[0], "lamplighter.service.d", "override.conf"), "[Service]\nEnvironment=\nEnvironment=XDG_DATA_HOME=/srv/tokens \"A=b c\"\nUMask=0077\n")
	s := elsewhere(folders, "lamplighter.service", config, 0)
	if s == nil {
		t.Fatal("it is not found")
	}
	got := s.Command([]string{"tokens", "--config", "relative", "login", "-c=other", "crm", "it's"})
	for _, want := range []string{
		"sudo systemd-run ", " --pipe --wait -p User=nobody -p Group=lamplighter ", " -p StateDirectory=lamplighter -p StateDirectoryMode=0700 ",
		" -p EnvironmentFile=-/etc/lamplighter/environment ", ` -p 'Environment=XDG_DATA_HOME=/srv/tokens "A=b c"' `,
		` tokens login crm 'it'\''s' --config ` + config,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if strings.Contains(got, "/var/lib") || strings.Contains(got, "relative") || strings.Contains(got, "UMask") {
		t.Errorf("it has what was replaced: %s", got)
	}
}

func TestNobodyIsTheUserThatIsMadeUp(t *testing.T) {
	folders, config := machine(t, func(text string) string {
		return strings.NewReplacer("User=nobody", "DynamicUser=yes", "Group=lamplighter", "").Replace(text)
	})
	s := elsewhere(folders, "lamplighter.service", config, 0)
	if s == nil || s.Command([]string{"doctor"}) != "" {
		t.Fatalf("found %+v", s)
	}
	if remedy := s.Remedy([]string{"doctor"}); !strings.Contains(remedy, "systemctl start lamplighter") || strings.Contains(remedy, "systemd-run") {
		t.Errorf("the remedy is %s", remedy)
	}
}

// A unit without a user runs as root.
func TestARootService(t *testing.T) {
	folders, config := machine(t, func(text string) string { return strings.Replace(text, "User=nobody", "", 1) })
	if s := elsewhere(folders, "lamplighter.service", config, 0); s != nil {
		t.Errorf("root is told to be another: %+v", s)
	}
	if elsewhere(folders, "lamplighter.service", config, 1) == nil {
		t.Error("a user is told to be root")
	}
}
