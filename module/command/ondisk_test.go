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
	known := configuredFile
	t.Cleanup(func() { configuredFile = known })
	configuredFile = func() string { return file }
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

func TestAnExaminationTellsOfAFileThatDoesNotRun(t *testing.T) {
	const before = "http://:8080 {\n\trespond before\n}\n"
	for name, tc := range map[string]struct {
		has, verdict, detail string
		unnamed              bool
	}{
		"the same":             {has: before},
		"the same, otherwise":  {has: "# a comment\n" + before},
		"another":              {has: strings.Replace(before, "before", "after", 1), verdict: adminapi.VerdictWarning, detail: "was changed and not loaded, or that failed"},
		"a broken one":         {has: "http://:8080 {\n\trespnd after\n}\n", verdict: adminapi.VerdictFailed, detail: "would not start again"},
		"with a variable":      {has: "http://:8080 {\n\trespond {$NONE}\n}\n"},
		"of another's address": {has: "broken {", unnamed: true},
	} {
		fl := running(t, before, tc.has, !tc.unnamed)
		api, err := newAdminClient(fl)
		if err != nil {
			t.Fatal(err)
		}
		checks := onDisk(fl, api)
		if tc.verdict == "" {
			if checks != nil {
				t.Errorf("%s: it says %+v", name, checks)
			}
			continue
		}
		if len(checks) != 1 || checks[0].Verdict != tc.verdict || !strings.Contains(checks[0].Detail, tc.detail) || !strings.Contains(checks[0].Remedy, "lamplighter validate --config ") {
			t.Errorf("%s: it says %+v", name, checks)
		}
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
		api, err := newAdminClient(fl)
		if err != nil {
			t.Fatal(err)
		}
		if checks := onDisk(fl, api); (checks != nil) != differs {
			t.Errorf("%s\nit says %+v", has, checks)
		}
	}
}
