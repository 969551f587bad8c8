package main

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/placeholder"
	"lamplighter/module/service"
)

// occupied listens at a socket until the test ends.
func occupied(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, socketName)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return socket
}

func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lamp-") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestTheAdminSocketIsInAPrivatePlaceOutsideOfStorage(t *testing.T) {
	home := short(t)
	run := filepath.Join(home, "run")
	t.Setenv("XDG_DATA_HOME", filepath.Join(home, "data"))
	for _, base := range []string{"", "relative", filepath.Join(home, "none")} {
		t.Setenv("XDG_RUNTIME_DIR", base)
		if got, want := ownSocket(), filepath.Join(home, "data", "lamplighter", "admin.sock"); got != want {
			t.Errorf("XDG_RUNTIME_DIR=%s: got %s, want %s", base, got, want)
		}
	}
	t.Setenv("XDG_RUNTIME_DIR", run)
	if err := os.Mkdir(run, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, want := ownSocket(), filepath.Join(run, "lamplighter", "admin.sock"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if strings.HasPrefix(ownSocket(), caddy.AppDataDir()) {
		t.Error("it is in Caddy's storage")
	}
}

func TestCommandsFindTheSocketThatAnswers(t *testing.T) {
	home := short(t)
	t.Setenv("XDG_DATA_HOME", filepath.Join(home, "data"))
	t.Setenv("XDG_RUNTIME_DIR", "")
	if got, want := answering(), filepath.Join(home, "data", "lamplighter", "admin.sock"); got != want && !strings.HasPrefix(got, "/run/") {
		t.Errorf("nobody answers: got %s, want %s", got, want)
	}
	old := occupied(t, filepath.Join(home, "data", "caddy"))
	if got := answering(); got != old {
		t.Errorf("the place of the release before: got %s, want %s", got, old)
	}
	now := occupied(t, filepath.Join(home, "data", "lamplighter"))
	if got := answering(); got != now {
		t.Errorf("got %s, want %s", got, now)
	}
}

func TestWhoeverMayNotAskTheServiceIsToldThat(t *testing.T) {
	const own, services = "/home/alice/admin.sock", "/run/lamplighter/admin.sock"
	for name, tc := range map[string]struct {
		own, services error
		closedToo     bool
		chosen, other string
	}{
		"both answer":                {nil, nil, true, own, services},
		"its own":                    {nil, fs.ErrPermission, true, own, ""},
		"the service's":              {fs.ErrNotExist, nil, true, services, ""},
		"the service's is closed":    {fs.ErrNotExist, &net.OpError{Err: fs.ErrPermission}, true, services, ""},
		"closed, and none of theirs": {fs.ErrNotExist, &net.OpError{Err: fs.ErrPermission}, false, own, ""},
		"nobody answers, as ever":    {fs.ErrNotExist, fs.ErrNotExist, true, own, ""},
	} {
		dial := func(socket string) error {
			if socket == own {
				return tc.own
			}
			return tc.services
		}
		if chosen, other := choose([]string{own, services}, dial, tc.closedToo); chosen != tc.chosen || other != tc.other {
			t.Errorf("%s: got %s and %q", name, chosen, other)
		}
	}
}

func TestOneOfTwoInstancesIsNamedUnlessSomebodyChose(t *testing.T) {
	for line, want := range map[string]bool{
		"lamplighter tokens list": true, "lamplighter doctor": true, "lamplighter reload --config a": true, "lamplighter stop": true,
		"lamplighter tokens list --address unix//a": false, "lamplighter stop --address=unix//a": false, "lamplighter version": false, "lamplighter": false,
	} {
		if got := asks(strings.Fields(line)); got != want {
			t.Errorf("%s: %t", line, got)
		}
	}
}

func TestNoInstanceTakesTheAdminSocketOfAnother(t *testing.T) {
	dir := short(t)
	first, second := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "admin-2.sock")
	if got := freeSocket(dir); got != first {
		t.Errorf("got %s, want %s", got, first)
	}
	listener, err := net.Listen("unix", first)
	if err != nil {
		t.Fatal(err)
	}
	if got := freeSocket(dir); got != second {
		t.Errorf("got %s, want %s", got, second)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false) // as if it were killed
	_ = listener.Close()
	if got := freeSocket(dir); got != first {
		t.Errorf("got %s, want %s, which nobody listens on", got, first)
	}
}

func TestOnlyValidateMayDoWithoutSecrets(t *testing.T) {
	for _, command := range []string{"run", "start", "reload", "adapt"} {
		t.Setenv(placeholder.NoSecrets, "1")
		args := []string{"lamplighter", command, "--no-secrets"}
		if got := ownFlags(args); len(got) != 3 || os.Getenv(placeholder.NoSecrets) != "" {
			t.Errorf("%s: %v, %q", command, got, os.Getenv(placeholder.NoSecrets))
		}
	}
	t.Setenv(placeholder.NoSecrets, "")
	if got := ownFlags([]string{"lamplighter", "validate", "--no-secrets", "--config", "Caddyfile"}); len(got) != 4 || os.Getenv(placeholder.NoSecrets) != "1" {
		t.Errorf("validate: %v, %q", got, os.Getenv(placeholder.NoSecrets))
	}
}

func TestValidateSaysThatTheServiceIsSomebodyElse(t *testing.T) {
	known := serviceOf
	t.Cleanup(func() { serviceOf = known })
	var asked string
	serviceOf = func(config string) *service.Service {
		asked = config
		return &service.Service{Unit: "lamplighter.service", User: "lamplighter", Config: config}
	}
	got := validatedElsewhere([]string{"lamplighter", "validate", "--config", "/etc/lamplighter/Caddyfile"})
	if !strings.Contains(got, "lamplighter.service runs as lamplighter") || !strings.Contains(got, "validate --config /etc/lamplighter/Caddyfile") || asked != "/etc/lamplighter/Caddyfile" {
		t.Errorf("of %s it says %q", asked, got)
	}
	if got := validatedElsewhere([]string{"lamplighter", "validate"}); got == "" || asked != "Caddyfile" {
		t.Errorf("of %s it says %q", asked, got)
	}
	if got := validatedElsewhere([]string{"lamplighter", "run"}); got != "" {
		t.Errorf("run says %q", got)
	}
	serviceOf = func(string) *service.Service { return nil }
	if got := validatedElsewhere([]string{"lamplighter", "validate"}); got != "" {
		t.Errorf("its own user is told %q", got)
	}
}
