package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/adminapi"
	"lamplighter/module/service"
)

// asForeigner has the configuration be that of a service of somebody else's, and returns the
// flags of a command that names it.
func asForeigner(t *testing.T, make func() *cobra.Command, args ...string) caddycmd.Flags {
	t.Helper()
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte("{\n\tadmin unix//nonexistent/admin.sock\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	known := serviceOf
	t.Cleanup(func() { serviceOf = known })
	serviceOf = func(named string) *service.Service {
		if named != config {
			return nil
		}
		return &service.Service{Unit: "lamplighter.service", User: "lamplighter", Config: config}
	}
	cmd := make()
	connectionFlags(cmd)
	if err := cmd.ParseFlags(append([]string{"--config", config}, args...)); err != nil {
		t.Fatal(err)
	}
	return caddycmd.Flags{FlagSet: cmd.Flags()}
}

func TestNoGrantIsWrittenWhereTheServiceDoesNotLook(t *testing.T) {
	for name, make := range map[string]func() *cobra.Command{"login": tokensLoginCommand, "rename": tokensRenameCommand, "move": tokensMoveCommand} {
		_, err := attend(t.Context(), asForeigner(t, make), "crm")
		if err == nil {
			t.Errorf("%s goes on", name)
			continue
		}
		for _, want := range []string{"lamplighter.service runs as lamplighter", "systemctl start lamplighter", "systemd-run ", "--as-this-user"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in %v", name, want, err)
			}
		}
		_, err = attend(t.Context(), asForeigner(t, make, "--as-this-user"), "crm")
		if err == nil || strings.Contains(err.Error(), "systemd-run") {
			t.Errorf("%s does not go on where it is told to: %v", name, err)
		}
	}
}

func TestAnExaminationBySomebodyElseSaysSo(t *testing.T) {
	doctor := func() *cobra.Command { return new(cobra.Command) }
	checks := askedElsewhere(asForeigner(t, doctor))
	if len(checks) != 1 || checks[0].Step != "user" || checks[0].Verdict != adminapi.VerdictWarning || !strings.Contains(checks[0].Remedy, "systemd-run") {
		t.Errorf("it says %+v", checks)
	}
	fl := asForeigner(t, doctor)
	serviceOf = func(string) *service.Service { return nil }
	if checks := askedElsewhere(fl); checks != nil {
		t.Errorf("its own user is told to be another: %+v", checks)
	}
}

// TestWhatSomebodyElseCannotReadIsNotCalledWrong: nor are variables that he has not.
func TestWhatSomebodyElseCannotReadIsNotCalledWrong(t *testing.T) {
	doctor := func() *cobra.Command { return new(cobra.Command) }
	fl := asForeigner(t, doctor)
	forbidden := fmt.Errorf("reading config from file: %v", &fs.PathError{Op: "open", Path: "/etc/lamplighter/Caddyfile", Err: syscall.EACCES})
	if code, err := unloaded(fl, forbidden); code != onlyWarnings || err != nil {
		t.Errorf("what may not be read: exit %d, %v", code, err)
	}
	other := errors.New("Caddyfile:2: unrecognized directive: x")
	if code, _ := unloaded(fl, other); code != unloadable {
		t.Errorf("what is wrong for everybody: exit %d", code)
	}
	if err := os.WriteFile(fl.String("config"), []byte("{\n\tadmin {$LAMPLIGHTER_TEST_UNSET}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _ := unloaded(fl, other); code != onlyWarnings {
		t.Errorf("a variable that is not set here: exit %d", code)
	}
	serviceOf = func(string) *service.Service { return nil }
	if code, _ := unloaded(fl, forbidden); code != unloadable {
		t.Errorf("its own user: exit %d", code)
	}
}
