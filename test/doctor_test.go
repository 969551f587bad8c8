package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// doctor runs `lamplighter doctor --json …`, and returns what it found by step.
func (o *operated) doctor(code int, args ...string) map[string]string {
	o.t.Helper()
	stdout, stderr, got := rig.Command(o.t, o.home, append([]string{"doctor", "--json"}, args...)...)
	if got != code {
		o.t.Errorf("it ended with %d, want %d: %s%s", got, code, stdout, stderr)
	}
	var answer struct {
		Checks []struct{ Client, Step, Verdict, Detail, Remedy string }
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		o.t.Fatalf("%v in %s%s", err, stdout, stderr)
	}
	found := make(map[string]string)
	for _, c := range answer.Checks {
		found[c.Step] += c.Verdict + ": " + c.Detail + " | " + c.Remedy + "\n"
	}
	secret, err := os.ReadFile(o.ClientSecretFile)
	if err != nil {
		o.t.Fatal(err)
	}
	if strings.Contains(stdout+stderr, strings.TrimSpace(string(secret))) {
		o.t.Errorf("the secret is shown: %s%s", stdout, stderr)
	}
	return found
}

func TestDoctorExaminesWithAndWithoutAnInstance(t *testing.T) {
	t.Parallel()
	o := operate(t, unedited)
	before := o.stats()
	wants := func(found map[string]string, wanted map[string]string) {
		t.Helper()
		for step, words := range wanted {
			if !strings.Contains(found[step], words) {
				t.Errorf("%s: no %q in %v", step, words, found)
			}
		}
	}
	wants(o.doctor(0), map[string]string{"ports": "ok: ", "token": "ok: token valid", "record": "ok: ", "upstream": "ok: ", "secrets": "ok: "})
	wants(o.doctor(0, "demo", "--config", "Caddyfile"), map[string]string{"token": "ok: token valid"})
	if _, stderr, code := rig.Command(t, o.home, "doctor", "crm"); code != 1 || !strings.Contains(stderr, "there are: demo") {
		t.Errorf("an unknown client: %d %s", code, stderr)
	}

	// With another address nothing answers, so that the port is in use by a stranger.
	other := rig.Write(t, o.home, "other", strings.Replace(o.caddyfile(o.address), "{\n", "{\n\tadmin unix/"+filepath.Join(o.home, "none.sock")+"\n", 1))
	found := o.doctor(1, "--config", other, "--adapter", "caddyfile")
	wants(found, map[string]string{"ports": "failed: " + o.address + " is in use by", "record": "ok: "})

	if err := o.process.End(rig.Terminate); err != nil {
		t.Fatal(err)
	}
	found = o.doctor(0, "--config", "Caddyfile")
	wants(found, map[string]string{"ports": "ok: " + o.address + " is free", "record": "its grant lives", "store": "ok: ", "token_request": ""})
	if found["token"] != "" {
		t.Errorf("a token of no instance: %v", found)
	}
	if after := o.stats(); after.TokenRequests != before.TokenRequests || after.Spent != 0 {
		t.Errorf("it spent something: %+v, before %+v", after, before)
	}

	rig.Write(t, o.home, "wrong", "http://:8080 {\n\tupstream_oauth https://a.example.com {\n\t}\n}\n")
	found = o.doctor(2, "--config", filepath.Join(o.home, "wrong"), "--adapter", "caddyfile")
	wants(found, map[string]string{"configuration": "failed: "})
	empty := rig.Home(t)
	if _, stderr, code := rig.Command(t, empty, "doctor"); code != 3 || !strings.Contains(stderr, "name it with --config") {
		t.Errorf("neither an instance nor a configuration: %d %s", code, stderr)
	}
	if _, stderr, code := rig.Command(t, o.home, "doctor", "--address", "unix/"+filepath.Join(o.home, "none.sock")); code != 3 {
		t.Errorf("no instance at the address: %d %s", code, stderr)
	}
}

func TestDoctorSaysForPeopleWhatToDo(t *testing.T) {
	t.Parallel()
	o := operate(t, unedited)
	if err := o.process.End(rig.Terminate); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(o.home, "data", "caddy", "oauth2_client", "demo.json"), 20); err != nil {
		t.Fatal(err)
	}
	stdout, _, code := rig.Command(t, o.home, "doctor", "--config", "Caddyfile")
	for _, words := range []string{"no instance answers", "\ndemo\n", "failed   record", "remedy: restore ", " 1 failed, "} {
		if code != 1 || !strings.Contains(stdout, words) {
			t.Errorf("%d: no %q in:\n%s", code, words, stdout)
		}
	}
}
