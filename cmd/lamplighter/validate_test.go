package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// attempt runs lamplighter in a directory, and returns what it prints, and whether it went well.
func attempt(t *testing.T, dir string, args ...string) (said string, well bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asBinary+"=1", "XDG_DATA_HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir(), "XDG_RUNTIME_DIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	log, _ := os.ReadFile(filepath.Join(dir, "log", "general")) // what run says is there, if it is anywhere
	return string(out) + string(log), err == nil
}

// TestNoTokenIsWrittenOverTheConfigurationOrALog: whichever command reads it, and whatever the
// file is called there.
func TestNoTokenIsWrittenOverTheConfigurationOrALog(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(".", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	write("imported", "header X-From imported\n")
	for _, c := range [][2]string{
		{"Caddyfile", "the configuration"}, {"link/Caddyfile", "the configuration"}, {"imported", "the configuration"},
		{"log/general", "a log"}, {"log/access", "a log"}, {"token", ""},
	} {
		path, what := c[0], c[1]
		write("Caddyfile", `{
	log {
		output file `+dir+`/log/general
	}
	oauth2_client erp {
		grant_type client_credentials
		client_id lamplighter
		client_secret not-one
		token_endpoint https://auth.example.com/token
		token_file `+dir+"/"+path+`
	}
}
http://127.0.0.1:18702 {
	import imported
	log {
		output file `+dir+`/log/access
	}
	respond ok
}
`)
		commands := [][]string{{"validate"}, {"validate", "--config", "Caddyfile"}, {"adapt", "--validate", "--config", "link/Caddyfile"}}
		if what != "" {
			commands = append(commands, []string{"run", "--config", "link/Caddyfile"})
		}
		for _, command := range commands {
			said, well := attempt(t, dir, command...)
			if well != (what == "") || !well && !strings.Contains(said, " is "+what+", which a token would be written over") {
				t.Errorf("%s, lamplighter %s: %v, want %q: %s", path, strings.Join(command, " "), well, what, said)
			}
		}
	}
	// What only adapts, as reload does, knows the file that the client is in.
	write("Other", "{\n\toauth2_client erp {\n\t\ttoken_file "+dir+"/Other\n\t}\n}\n")
	if said, well := attempt(t, filepath.Join(dir, "link"), "adapt", "--adapter", "caddyfile", "--config", "Other"); well || !strings.Contains(said, "Other is the configuration") {
		t.Errorf("adapt: %s", said)
	}
	if said, well := attempt(t, dir, "adapt", "--config", "Caddyfile"); !well {
		t.Fatal(said)
	} else {
		write("config.json", strings.ReplaceAll(said[strings.Index(said, `{"`):], dir+"/token", dir+"/config.json"))
	}
	if said, well := attempt(t, dir, "validate", "--config", "config.json"); well || !strings.Contains(said, "the configuration") {
		t.Errorf("JSON: %s", said)
	}
}

func TestAMisspeltDirectiveOfOursIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte("http://127.0.0.1:1 {\n\tupstream_oaut erp\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"validate", "adapt", "run", "reload"} {
		if said, well := attempt(t, dir, command, "--config", "Caddyfile"); well || !strings.Contains(said, "did you mean upstream_oauth?") {
			t.Errorf("%s: %v, %s", command, well, said)
		}
	}
}
