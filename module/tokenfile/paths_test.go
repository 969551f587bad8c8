package tokenfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoTokenIsWrittenAmidSomethingElse: whichever of the two a configuration names first.
func TestNoTokenIsWrittenAmidSomethingElse(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(base, "data", "oauth2_client")
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(store), filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	for path, refused := range map[string]bool{
		store + "/erp.json":        true,
		store + "/.claims/00.json": true,
		store + "/new/token":       true,
		store:                      true,
		filepath.Join(base, "link/oauth2_client/x"):    true,
		filepath.Join(base, "link/oauth2_client.json"): false,
		filepath.Join(base, "data/oauth2_client2/x"):   false,
		filepath.Join(base, "data/token"):              false,
	} {
		file := []*Compiled{{Path: path}}
		var first, second Paths
		one := first.Keep(store, "records of grants")
		if one == nil {
			one = first.Take("erp", file)
		}
		other := second.Take("erp", file)
		if other == nil {
			other = second.Keep(store+"/.", "records of grants")
		}
		for _, err := range []error{one, other} {
			if (err != nil) != refused || refused && (!strings.Contains(err.Error(), "records of grants") || !strings.Contains(err.Error(), "choose a directory")) {
				t.Errorf("%s: %v, want it refused: %v", path, err, refused)
			}
		}
	}
}

func TestTwoPathsOfOneFileAreOne(t *testing.T) {
	base := t.TempDir()
	if err := os.Symlink(".", filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	var p Paths
	if err := p.Take("erp", []*Compiled{{Path: filepath.Join(base, "token")}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Take("crm", []*Compiled{{Path: filepath.Join(base, "link", "token")}}); err == nil || !strings.Contains(err.Error(), "client erp has it already") {
		t.Errorf("%v", err)
	}
}

// TestNoTokenIsWrittenOverAFileOfThisProcess: by whatever name.
func TestNoTokenIsWrittenOverAFileOfThisProcess(t *testing.T) {
	base := t.TempDir()
	config, log := filepath.Join(base, "Caddyfile"), filepath.Join(base, "log", "new.log")
	must(t, os.WriteFile(config, nil, 0o600))
	must(t, os.Symlink(config, filepath.Join(base, "symbolic")))
	must(t, os.Link(config, filepath.Join(base, "hard")))
	must(t, os.Symlink(".", filepath.Join(base, "here")))
	for path, what := range map[string]string{
		"Caddyfile": "the configuration", "symbolic": "the configuration", "hard": "the configuration", "here/Caddyfile": "the configuration",
		"here/log/new.log": "a log", "log/new.log": "a log", "log/new": "", "token": "", "Caddyfile.d/token": "",
	} {
		var p Paths
		p.KeepFiles(func() map[string]string { return map[string]string{config: "the configuration", log: "a log"} })
		must(t, p.Take("other", nil))
		err := p.Take("erp", []*Compiled{{Path: filepath.Join(base, path)}})
		if (err != nil) != (what != "") || err != nil && !strings.Contains(err.Error(), " is "+what+", which a token would be written over: choose a directory") {
			t.Errorf("%s: %v, want %q", path, err, what)
		}
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
