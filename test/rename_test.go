package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lamplighter/test/internal/rig"
)

// called is the Caddyfile with another name of its client.
func called(name string) func(string) string {
	return func(caddyfile string) string {
		return strings.Replace(caddyfile, "client demo {", "client "+name+" {", 1)
	}
}

// reload puts another configuration in the place of the running one.
func (o *operated) reload(edit func(string) string) {
	o.t.Helper()
	file := rig.Write(o.t, o.home, "Caddyfile", edit(o.caddyfile(o.address)))
	if stdout, stderr, code := rig.Command(o.t, o.home, "reload", "--config", file); code != 0 {
		o.t.Fatalf("reload: exit code %d\n%s%s", code, stdout, stderr)
	}
}

// wantState waits for a client's state and cause, and returns the remedy.
func (o *operated) wantState(client, state, cause string) (remedy string) {
	o.t.Helper()
	var s struct{ State, Cause, Remedy string }
	rig.Eventually(o.t, client+" is "+state, func() bool {
		out, _, _ := rig.Command(o.t, o.home, "tokens", "show", client, "--json")
		return json.Unmarshal([]byte(out), &s) == nil && s.State == state && s.Cause == cause
	})
	return s.Remedy
}

// wantSpent checks that nothing that was spent was ever presented.
func (o *operated) wantSpent(requests int) {
	o.t.Helper()
	if stats := o.stats(); stats.TokenRequests != requests || stats.Spent != 0 || stats.Refused != 0 {
		o.t.Errorf("want %d token requests, and nothing spent: %+v", requests, stats)
	}
}

// Faults B1 and B2.
func TestARenamedClientGoesOnWithoutARestart(t *testing.T) {
	t.Parallel()
	o := operate(t, unedited)
	o.reload(called("erp"))
	remedy := o.wantState("erp", "misconfigured", "seed_of_another_record")
	if !strings.Contains(remedy, "'lamplighter tokens rename demo erp'") {
		t.Fatalf("the remedy is %q", remedy)
	}
	o.tokens(1, `no record of client nobody`, "rename", "nobody", "erp")
	o.tokens(1, `there are: erp`, "rename", "demo", "crm")
	o.tokens(1, `is in that record already`, "rename", "erp", "erp")
	o.tokens(0, `erp: the grant was carried over from .*demo\.json to .*erp\.json`, "rename", "demo", "erp")
	o.wantState("erp", "ok", "")
	if a := rig.Get(t, o.address, "/"); a.Status != 200 {
		t.Errorf("got %v", a)
	}
	o.tokens(0, `carried over`, "rename", "demo", "erp") // again
	o.wantSpent(1)
	o.tokens(0, `generation 2`, "refresh", "erp")

	// The former name finds out, and the grant goes back.
	o.reload(unedited)
	if remedy := o.wantState("demo", "misconfigured", "record_moved"); !strings.Contains(remedy, "'lamplighter tokens rename erp demo'") {
		t.Errorf("the remedy is %q", remedy)
	}
	o.tokens(0, `carried over`, "rename", "erp", "demo")
	o.wantState("demo", "ok", "")
	o.wantSpent(2)
}

func TestAGrantIsMovedBetweenStores(t *testing.T) {
	t.Parallel()
	o := operate(t, unedited)
	former := filepath.Join(o.home, "data", "caddy", "oauth2_client")
	if _, err := os.Stat(filepath.Join(former, "demo.json")); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(o.home, "other")
	o.tokens(1, `is running, and would lose its grant`, "move", "demo", "--to", other)
	o.tokens(1, `at least one of the flags|none of the others`, "move", "demo")
	o.tokens(1, `no directory`, "move", "demo", "--from", other)
	if err := o.process.End(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	o.tokens(3, `name the configuration with --config`, "move", "demo", "--to", other)
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(o.home, "Caddyfile")
	o.tokens(0, `carried over`, "move", "demo", "--to", other, "--config", config)
	o.process = rig.Start(t, o.home, "run", "--config", config)
	if remedy := o.wantState("demo", "misconfigured", "record_moved"); !strings.Contains(remedy, "'lamplighter tokens move demo --from "+other+"'") {
		t.Errorf("the remedy is %q", remedy)
	}
	o.reload(func(caddyfile string) string {
		return strings.Replace(caddyfile, "client demo {", fmt.Sprintf("client demo {\n\t\t\tstore file {\n\t\t\t\tpath %s\n\t\t\t}", other), 1)
	})
	o.wantState("demo", "ok", "")
	o.reload(unedited)
	o.wantState("demo", "misconfigured", "record_moved")
	o.tokens(0, `carried over`, "move", "demo", "--from", fmt.Sprintf(`{"kind":"file","path":%q}`, other))
	o.wantState("demo", "ok", "")
	o.wantSpent(1)
}

func TestSIGKILLAtEveryStepOfARenameIsSafe(t *testing.T) {
	t.Parallel()
	mortal := filepath.Join(t.TempDir(), "lamplighter")
	if err := rig.Build(mortal, "nobadger,nomysql,nopgx,failpoint"); err != nil {
		t.Fatal(err)
	}
	for _, failpoint := range []string{"carry-begun", "carry-written", "carry-claimed", "store-renamed:3", "carry-ended"} {
		t.Run(strings.ReplaceAll(failpoint, ":", "_"), func(t *testing.T) {
			o := operate(t, unedited)
			if err := o.process.End(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			config := rig.Write(t, o.home, "Caddyfile", called("erp")(o.caddyfile(o.address)))
			p := rig.StartBinary(t, mortal, o.home, append(rig.Environment(o.home), "LAMPLIGHTER_FAILPOINT="+failpoint),
				"tokens", "rename", "demo", "erp", "--config", config, "--adapter", "caddyfile")
			rig.Eventually(t, "the process is killed", p.Ended)
			if status := p.Cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
				t.Fatalf("it ended otherwise: %v", p.Err)
			}
			o.process = rig.Start(t, o.home, "run", "--config", config)
			rig.Eventually(t, "the state is settled", func() bool {
				out, _, _ := rig.Command(t, o.home, "tokens", "list")
				return strings.Contains(out, " ok ") || strings.Contains(out, " misconfigured ")
			})
			o.tokens(0, `carried over`, "rename", "demo", "erp")
			o.wantState("erp", "ok", "")
			o.wantSpent(1)
		})
	}
}

// What a claim blocks is presented by an order alone, which says what it may cost.
func TestATakenRefreshTokenIsPresentedAgainOnlyByAnOrder(t *testing.T) {
	t.Parallel()
	o := operate(t, unedited)
	o.reload(called("erp"))
	o.wantState("erp", "misconfigured", "seed_of_another_record")
	o.tokens(1, `(?s)no new token: this refresh token is, or was, that of client demo.*tokens rename demo erp`, "import", "erp", "--file", o.RefreshTokenFile)
	o.tokens(1, `nobody can be asked.*--yes`, "import", "erp", "--file", o.RefreshTokenFile, "--again")
	o.wantSpent(1)
	o.tokens(1, `no new token: the refresh token that an import or a log-in brought was refused`, "import", "erp", "--file", o.RefreshTokenFile, "--again", "--yes")
	if stats := o.stats(); stats.Spent != 1 {
		t.Errorf("%+v", stats)
	}
	// A refused one, too.
	o.tokens(1, `was refused`, "import", "erp", "--file", o.RefreshTokenFile)
	if stats := o.stats(); stats.Spent != 1 {
		t.Errorf("%+v", stats)
	}
	o.tokens(1, `was refused`, "import", "erp", "--file", o.RefreshTokenFile, "--again", "--yes")
	if stats := o.stats(); stats.Spent != 2 {
		t.Errorf("%+v", stats)
	}
	// What this very record lists as consumed is presented by nothing.
	o.reload(unedited)
	o.wantState("demo", "ok", "")
	o.tokens(1, `was used by this client before`, "import", "demo", "--file", o.RefreshTokenFile, "--again", "--yes")
	if stats := o.stats(); stats.Spent != 2 {
		t.Errorf("%+v", stats)
	}
}

func TestTwoProcessesWithOneFreshSeedSendItOnce(t *testing.T) {
	t.Parallel()
	servers, home := startDemoServers(t, "1h"), rig.Home(t)
	list := make(map[string]string)
	for _, name := range []string{"one", "two"} {
		address := rig.FreeAddress(t)
		admin := "unix/" + filepath.Join(t.TempDir(), "admin.sock")
		caddyfile := strings.Replace(called(name)(servers.caddyfile(address)), "grace_period", "admin "+admin+"\n\tgrace_period", 1)
		rig.Start(t, home, "run", "--config", rig.Write(t, home, name, caddyfile), "--adapter", "caddyfile")
		list[name] = admin
	}
	states := make(map[string]int)
	for name, admin := range list {
		var s struct{ State, Cause string }
		rig.Eventually(t, name+" is settled", func() bool {
			out, _, _ := rig.Command(t, home, "tokens", "show", name, "--json", "--address", admin)
			return json.Unmarshal([]byte(out), &s) == nil && (s.State == "ok" || s.State == "misconfigured")
		})
		states[s.State+" "+s.Cause]++
	}
	if states["ok "] != 1 || states["misconfigured seed_of_another_record"] != 1 {
		t.Errorf("the states are %v", states)
	}
	if stats := servers.stats(); stats.TokenRequests != 1 || stats.Spent != 0 {
		t.Errorf("%+v", stats)
	}
}
