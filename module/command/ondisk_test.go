package command

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	_ "lamplighter/caddyfile"
	"lamplighter/module/adminapi"
)

// running answers what an instance does that runs the configuration of a Caddyfile, and
// returns the flags of a command with another one on the disk.
func running(t *testing.T, runs, has string, named bool) caddycmd.Flags {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(runs), nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/config/" {
			_, _ = w.Write(config)
			return
		}
		_ = json.NewEncoder(w).Encode([]adminapi.ClientStatus{})
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(has), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CADDY_ADMIN", "")
	cmd := new(cobra.Command)
	connectionFlags(cmd)
	args := []string{"--address", strings.TrimPrefix(server.URL, "http://")}
	if named {
		args = append(args, "--config", file)
	}
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return caddycmd.Flags{FlagSet: cmd.Flags()}
}

func TestAPlaceIsNoSetting(t *testing.T) {
	var one, other any
	for text, into := range map[string]*any{`{"a":[{"declared_at":"Caddyfile:1","b":1}]}`: &one, `{"a":[{"declared_at":"/etc/Caddyfile:2","b":1}]}`: &other} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(placeless(one), placeless(other)) {
		t.Errorf("%v differs from %v", one, other)
	}
}

// examined is what is said of the configuration by an instance that was started with a file,
// and finds it well itself.
func examined(t *testing.T, fl caddycmd.Flags, started string) adminapi.Check {
	t.Helper()
	api, err := newAdminClient(fl)
	if err != nil {
		t.Fatal(err)
	}
	answer := &adminapi.DoctorAnswer{File: started, Checks: []adminapi.Check{
		{Step: "configuration", Verdict: adminapi.VerdictOK, Detail: "it has 1 clients"},
		{Step: "configuration", Client: "erp", Verdict: adminapi.VerdictOK},
	}}
	compared(fl, api, answer)
	if n := len(answer.Checks); n != 2 && (n != 3 || answer.Checks[0].Verdict != adminapi.VerdictSkipped) {
		t.Errorf("there is more than one verdict, or none: %+v", answer.Checks)
	}
	return answer.Checks[0]
}

func TestAnExaminationTellsOfAFileThatDoesNotRun(t *testing.T) {
	const before = "http://:8080 {\n\trespond before\n}\n"
	for name, tc := range map[string]struct {
		has, verdict, detail string
		unnamed              bool
	}{
		"the same":             {has: before, verdict: adminapi.VerdictOK, detail: "the instance runs what "},
		"the same, otherwise":  {has: "# a comment\n" + before, verdict: adminapi.VerdictOK, detail: "it has 1 clients"},
		"another":              {has: strings.Replace(before, "before", "after", 1), verdict: adminapi.VerdictWarning, detail: "was changed and not loaded, or that failed"},
		"a broken one":         {has: "http://:8080 {\n\trespnd after\n}\n", verdict: adminapi.VerdictFailed, detail: "would not start again"},
		"with a variable":      {has: "http://:8080 {\n\trespond {$NONE}\n}\n", verdict: adminapi.VerdictSkipped, detail: "cannot be compared here: it has {$NONE}"},
		"broken, and with one": {has: "http://:8080 {\n\trespond {$NONE:a}\n}\nnonsense {", verdict: adminapi.VerdictSkipped, detail: "{$NONE}"},
		"of another's address": {has: "broken {", unnamed: true, verdict: adminapi.VerdictOK, detail: "it has 1 clients"},
	} {
		said := examined(t, running(t, before, tc.has, !tc.unnamed), "")
		if said.Verdict != tc.verdict || !strings.Contains(said.Detail, tc.detail) {
			t.Errorf("%s: it says %+v", name, said)
		}
		wrong := tc.verdict == adminapi.VerdictWarning || tc.verdict == adminapi.VerdictFailed
		if wrong != strings.Contains(said.Remedy, "lamplighter validate --config ") {
			t.Errorf("%s: the remedy is %s", name, said.Remedy)
		}
	}
}

// The variables of a service are in its unit, and not in the shell of who asks.
func TestAFileIsComparedWithTheVariablesOfItsService(t *testing.T) {
	t.Setenv("WORD", "another")
	const runs = "http://:8080 {\n\trespond before\n}\n"
	for has, verdict := range map[string]string{
		strings.Replace(runs, "before", "{$WORD}", 1):                  adminapi.VerdictOK,
		strings.Replace(runs, "before", "{$WORD} 404", 1):              adminapi.VerdictWarning,
		strings.Replace(runs, "before", "{$WORD}", 1) + "nonsense {\n": adminapi.VerdictFailed,
	} {
		fl := running(t, runs, has, true)
		units := t.TempDir()
		unit := "[Service]\nExecStart=lamplighter run --config " + fl.String("config") + "\nEnvironment=WORD=before\n"
		if err := os.WriteFile(filepath.Join(units, "lamplighter.service"), []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("SYSTEMD_UNIT_PATH", units)
		if said := examined(t, fl, fl.String("config")); said.Verdict != verdict {
			t.Errorf("%s\nit says %+v", has, said)
		}
		if os.Getenv("WORD") != "another" {
			t.Error("the variables of this process are changed")
		}
	}
}

// What another instance was started with is none of this one's.
func TestAnotherInstancesFileIsNotRecommended(t *testing.T) {
	fl := running(t, "http://:8080 {\n\trespond before\n}\n", "http://:8080 {\n\trespond after\n}\n", true)
	own := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(own, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	said := examined(t, fl, own)
	if said.Verdict != adminapi.VerdictWarning || !strings.Contains(said.Detail, "was started with "+own) || strings.Contains(said.Remedy, "reload") {
		t.Errorf("it says %+v", said)
	}
}

// The file that an instance was started with may be named by another path.
func TestWhereAClientIsDeclaredIsNoDifference(t *testing.T) {
	const runs = "{\n\toauth2_client erp {\n\t\ttoken_endpoint https://login.example.com/token\n\t\tclient_id erp\n\t\tclient_secret s3cret\n\t}\n}\n\nhttp://:8080 {\n\tserve_token erp\n}\n"
	for has, differs := range map[string]bool{
		runs:                   false,
		"# a comment\n" + runs: false,
		strings.Replace(runs, "client_id erp", "client_id crm", 1): true,
	} {
		fl := running(t, runs, has, true)
		if said := examined(t, fl, ""); (said.Verdict != adminapi.VerdictOK) != differs {
			t.Errorf("%s\nit says %+v", has, said)
		}
	}
}
