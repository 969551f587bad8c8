package command

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"lamplighter/module/adminapi"
	"lamplighter/module/cause"
	"lamplighter/module/internal/hostile"
)

// Fault A14.
func TestCommandsTrustNoWordOfTheAdminAPI(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		if status != http.StatusOK {
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "no " + hostile.Text})
			return
		}
		_ = json.NewEncoder(w).Encode(adminapi.ClientStatus{
			Client: "erp" + hostile.Text, Token: hostile.Text, State: hostile.Text, Cause: hostile.Text, Detail: hostile.Text, Remedy: hostile.Text, Record: hostile.Text,
			GrantType: hostile.Text, TokenEndpoint: hostile.Text, DeclaredAt: hostile.Text, History: []adminapi.ClientEvent{{Event: hostile.Text, Cause: hostile.Text, Detail: hostile.Text}},
		})
	}))
	defer server.Close()
	api := &adminClient{origin: server.URL, http: server.Client()}
	var s adminapi.ClientStatus
	if err := api.call(http.MethodGet, "/", nil, &s); err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	if err := errors.Join(printClient(terminal{Writer: &shown}, s), printClients(terminal{Writer: &shown}, []adminapi.ClientStatus{s}), printJSON(&shown, s)); err != nil {
		t.Fatal(err)
	}
	hostile.CheckPrintable(t, "the commands", shown.String())
	if !strings.Contains(shown.String(), `\x1b[2J`) {
		t.Errorf("shows nothing: %s", shown.String())
	}
	status = http.StatusBadGateway
	err := api.call(http.MethodGet, "/", nil, &s)
	if err == nil {
		t.Fatal("no error")
	}
	hostile.CheckPrintable(t, "an error", err.Error())
}

func TestACommandInAnAnswerReachesTheSameInstance(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode([]adminapi.ClientStatus{{
			Remedy:  "run 'lamplighter tokens rename a b', or 'lamplighter tokens login b'",
			History: []adminapi.ClientEvent{{Remedy: "log in with 'lamplighter tokens login b'"}},
		}})
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	for flags, want := range map[string]string{
		"--address " + address:                      "--address " + address,
		"--address=" + address + " --config unread": "--address " + address,
		"--config CONFIG --adapter caddyfile":       "--config CONFIG --adapter caddyfile",
	} {
		config := filepath.Join(t.TempDir(), "the Caddyfile")
		if err := os.WriteFile(config, []byte("{\nadmin "+address+"\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		args := strings.Fields(flags)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "CONFIG", config)
		}
		want = strings.ReplaceAll(want, "CONFIG", "'"+config+"'")
		cmd := &cobra.Command{Use: "tokens"}
		tokensCommand(cmd)
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		api, err := newAdminClient(caddycmd.Flags{FlagSet: cmd.PersistentFlags()})
		if err != nil {
			t.Fatal(err)
		}
		var list []adminapi.ClientStatus
		if err := api.call(http.MethodGet, "/", nil, &list); err != nil {
			t.Fatal(err)
		}
		if got := list[0].Remedy; got != "run 'lamplighter tokens "+want+" rename a b', or 'lamplighter tokens "+want+" login b'" {
			t.Errorf("got %q, want it with %q", got, want)
		}
		if got := list[0].History[0].Remedy; !strings.Contains(got, want) {
			t.Errorf("got %q, want it with %q", got, want)
		}
	}
}

// What the admin API says of trouble is printed to the letter.
func TestCommandsSayWhatTheTableOfCausesSays(t *testing.T) {
	for _, c := range cause.Causes() {
		c = c.With("client", "erp")
		s := adminapi.ClientStatus{Client: "erp", Cause: c.Name, Detail: c.Sentence, Remedy: c.Remedy}
		if s.Cause == "" {
			s.Cause = "code_of_its_own"
		}
		var shown, health strings.Builder
		if err := printClient(terminal{Writer: &shown}, s); err != nil {
			t.Fatal(err)
		}
		printTrouble(terminal{Writer: &health}, s.Client, "no token", s.Detail, s.Remedy)
		for _, words := range []string{s.Detail, s.Remedy} {
			if !strings.Contains(shown.String(), words+"\n") || !strings.Contains(health.String(), words+"\n") {
				t.Errorf("%s: %q is not in\n%s%s", c.Name, words, shown.String(), health.String())
			}
		}
	}
}
