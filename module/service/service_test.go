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

// elsewhere is Elsewhere of a machine, for a user whose data is as named.
func elsewhere(t *testing.T, folders []string, unit, config string, euid int, data string) *Service {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", data)
	s := of(folders, unit, config)
	if s == nil {
		return nil
	}
	return s.unless(euid)
}

// kept is where the unit of the packages has its data.
const kept = "/var/lib/lamplighter"

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
	s := elsewhere(t, folders, "lamplighter.service", config, nobody(t)+1, kept)
	if s == nil || s.User != "nobody" || s.Config != config {
		t.Fatalf("found %+v", s)
	}
	if got := elsewhere(t, folders, "lamplighter.service", config, nobody(t), kept); got != nil {
		t.Errorf("its own user is told to be another one: %+v", got)
	}
	other := filepath.Join(t.TempDir(), "Caddyfile")
	write(t, other, "")
	for _, config := range []string{other, "", filepath.Join(t.TempDir(), "none")} {
		if got := elsewhere(t, folders, "lamplighter.service", config, 0, kept); got != nil {
			t.Errorf("%q is not of the service: %+v", config, got)
		}
	}
	if got := elsewhere(t, folders, "caddy.service", config, 0, kept); got != nil {
		t.Errorf("a program whose service that is not: %+v", got)
	}
	linked := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(config, linked); err != nil {
		t.Fatal(err)
	}
	if elsewhere(t, folders, "lamplighter.service", linked, 0, kept) == nil {
		t.Error("the configuration is not known by another name")
	}
}

func TestTheCommandHasWhatTheUnitGivesTheService(t *testing.T) {
	folders, config := machine(t, same)
	write(t, filepath.Join(folders[0], "lamplighter.service.d", "override.conf"), "[Service]\nEnvironment=\nEnvironment=XDG_DATA_HOME=/srv/tokens \"A=b c\"\nUMask=0077\n")
	s := elsewhere(t, folders, "lamplighter.service", config, 0, kept)
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
	s := elsewhere(t, folders, "lamplighter.service", config, 0, kept)
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
	if s := elsewhere(t, folders, "lamplighter.service", config, 0, kept); s != nil {
		t.Errorf("root is told to be another: %+v", s)
	}
	if elsewhere(t, folders, "lamplighter.service", config, 1, kept) == nil {
		t.Error("a user is told to be root")
	}
}

// The records of grants are below Caddy's data directory: a process that has another one
// presents a refresh token that the service has spent.
func TestTheUsersOwnDataIsNotTheServices(t *testing.T) {
	folders, config := machine(t, same)
	me := nobody(t)
	linked := filepath.Join(t.TempDir(), "linked")
	if err := os.Symlink(kept, linked); err != nil {
		t.Fatal(err)
	}
	for data, other := range map[string]bool{kept: false, kept + "/": false, "/var/lib/../lib/lamplighter": false, kept + "/.local/share": true, "/root": true} {
		s := elsewhere(t, folders, "lamplighter.service", config, me, data)
		if (s != nil) != other || s != nil && !s.OtherData() {
			t.Errorf("XDG_DATA_HOME=%s: found %+v", data, s)
		}
	}
	s := elsewhere(t, folders, "lamplighter.service", config, me, "/root")
	if who := s.Who(); !strings.Contains(who, "lamplighter.service runs as nobody, with its data in /var/lib/lamplighter/caddy") {
		t.Errorf("it is said to be %s", who)
	}
	if s := elsewhere(t, folders, "lamplighter.service", config, me+1, kept); s == nil || s.OtherData() {
		t.Errorf("another user with the same data: %+v", s)
	}
}

func TestADirectoryIsTheSameByAnyName(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "private"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("private", filepath.Join(dir, "public")); err != nil {
		t.Fatal(err)
	}
	if one, other := resolved(filepath.Join(dir, "public", "none", "yet")), resolved(filepath.Join(dir, "private", "none", "yet")); one != other {
		t.Errorf("%s and %s differ", one, other)
	}
}

func TestTheDataOfAServiceIsWhereItsUnitSays(t *testing.T) {
	variables := filepath.Join(t.TempDir(), "environment")
	write(t, variables, "# a comment\nA=b\nXDG_DATA_HOME=\"/srv/of file\"\n")
	for unit, want := range map[string]string{
		"User=nobody\nEnvironment=XDG_DATA_HOME=/srv/a":                                "/srv/a/caddy",
		"User=nobody\nEnvironment='XDG_DATA_HOME=/srv/a b' B=c":                        "/srv/a b/caddy",
		"User=nobody\nEnvironment=XDG_DATA_HOME=%S/lamplighter":                        "/var/lib/lamplighter/caddy",
		"User=nobody\nEnvironment=XDG_DATA_HOME=%Z/lamplighter":                        "", // nobody knows
		"User=nobody\nEnvironment=XDG_DATA_HOME=/srv/a\nEnvironmentFile=-" + variables: "/srv/of file/caddy",
		"User=nobody\nEnvironment=HOME=/srv/home":                                      "/srv/home/.local/share/caddy",
		"User=root":                      "/root/.local/share/caddy",
		"":                               "/caddy",
		"WorkingDirectory=/srv":          "/srv/caddy",
		"DynamicUser=yes":                "",
		"Environment=XDG_DATA_HOME=data": "",
	} {
		if got := parse("lamplighter.service", "[Service]\n"+unit+"\n").Data; got != want {
			t.Errorf("%s: got %q, want %q", unit, got, want)
		}
	}
}

func TestTheVariablesOfAServiceAreThoseOfItsUnit(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "environment"), "SECRET=s3cret\n; no=variable\nQUOTED='a b'\n")
	s := parse("lamplighter.service", "[Service]\nUser=nobody\nStateDirectory=one\nStateDirectory=two\nLoadCredential=a:/b\nEnvironment=\"A=b c\" SECRET=no\nEnvironmentFile=-"+filepath.Join(dir, "none")+"\nEnvironmentFile="+filepath.Join(dir, "environment")+"\n")
	got, known := s.Environment()
	for name, want := range map[string]string{"SECRET": "s3cret", "QUOTED": "a b", "A": "b c", "STATE_DIRECTORY": "/var/lib/one:/var/lib/two", "CREDENTIALS_DIRECTORY": "/run/credentials/lamplighter.service", "USER": "nobody"} {
		if got[name] != want {
			t.Errorf("%s is %q, not %q", name, got[name], want)
		}
	}
	if !known {
		t.Error("a file that need not be there is missed")
	}
	s = parse("lamplighter.service", "[Service]\nEnvironmentFile="+dir+"\n")
	if _, known := s.Environment(); known {
		t.Error("what cannot be read is known")
	}
}

func TestTheServicesOwnCommandIsRunAtATerminal(t *testing.T) {
	folders, config := machine(t, same)
	got := elsewhere(t, folders, "lamplighter.service", config, 0, "/root").Command([]string{"run", "--config", "other", "--watch"})
	if !strings.Contains(got, " --pty --wait ") || !strings.HasSuffix(got, " /usr/bin/lamplighter run --config "+config) {
		t.Errorf("it is %s", got)
	}
}

func TestUnitsAreWhereSystemdIsTold(t *testing.T) {
	for path, want := range map[string]string{"": "/etc/systemd/system", "/a:/b": "/a /b", "/a:": "/a /etc/systemd/system"} {
		if got := strings.Join(unitFolders(path), " "); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestTheServiceBesideIsOneWithDataOfItsOwn(t *testing.T) {
	folders, _ := machine(t, same)
	t.Setenv("SYSTEMD_UNIT_PATH", strings.Join(folders, ":"))
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	if s := Beside(); s == nil || s.Data != filepath.Join(kept, "caddy") {
		t.Errorf("got %+v", s)
	}
	t.Setenv("XDG_DATA_HOME", kept)
	if s := Beside(); s != nil {
		t.Errorf("with its data: %+v", s)
	}
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Setenv("SYSTEMD_UNIT_PATH", t.TempDir())
	if s := Beside(); s != nil {
		t.Errorf("without a unit: %+v", s)
	}
}
