package test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// operated is a sidecar for the demo's servers, and an operator at its console.
type operated struct {
	*demoServers
	home    string
	address string
	process *rig.Process
}

func operate(t *testing.T, edit func(caddyfile string) string) *operated {
	t.Helper()
	o := &operated{demoServers: startDemoServers(t, "1h"), home: rig.Home(t), address: rig.FreeAddress(t)}
	rig.Write(t, o.home, "Caddyfile", edit(o.caddyfile(o.address)))
	o.process = rig.Start(t, o.home, "run", "--config", filepath.Join(o.home, "Caddyfile"))
	rig.Eventually(t, "the sidecar answers", func() bool { return rig.Serves(o.address) && rig.Get(t, o.address, "/").Status == 200 })
	return o
}

func unedited(caddyfile string) string { return caddyfile }

// control calls the servers' control API.
func (o *operated) control(path string, into any) {
	o.t.Helper()
	res, err := http.Post(o.AuthorizationServer+"/_sandbox/"+path, "", nil)
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	if into == nil {
		return
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		o.t.Fatal(err)
	}
}

// login issues a new refresh token, in a file.
func (o *operated) login() (file, token string) {
	o.t.Helper()
	var grant struct {
		RefreshToken string `json:"refresh_token"`
	}
	o.control("grant", &grant)
	return rig.Write(o.t, o.home, "new_refresh_token", grant.RefreshToken+"\n"), grant.RefreshToken
}

// tokens runs `lamplighter tokens …` and checks its exit code and output.
func (o *operated) tokens(code int, pattern string, args ...string) string {
	o.t.Helper()
	stdout, stderr, got := rig.Command(o.t, o.home, append([]string{"tokens"}, args...)...)
	output := stdout + stderr
	if got != code || !regexp.MustCompile(pattern).MatchString(output) {
		o.t.Fatalf("tokens %s: exit code %d, want %d; %q does not match:\n%s", strings.Join(args, " "), got, code, pattern, output)
	}
	if strings.Contains(output, "\x1b[") {
		o.t.Errorf("tokens %s prints colours although nobody looks at a terminal", strings.Join(args, " "))
	}
	return stdout
}

func TestALostGrantIsFoundExplainedAndCuredWithoutARestart(t *testing.T) {
	o := operate(t, unedited)
	o.tokens(0, `demo +valid +ok +(1h0m0s|59m\d+s) +\d+m\d+s +- +1 +-`, "list")
	o.tokens(0, `^$`, "health")

	o.control("revoke", nil)
	o.tokens(1, `demo: no new token: the refresh token was refused.*\n.*remedy: .*tokens import`, "refresh", "demo")
	o.tokens(2, `(?s)^demo: grant_lost.*refused.*\nremedy: [^\n]*\n$`, "health")
	o.tokens(0, `(?s)state +grant_lost\n.*cause +refused\n.*remedy +.*tokens import.*history.*token_obtained.*refresh_ordered.*grant_lost +generation 1, status 401`, "show", "demo")
	o.tokens(1, `no new token`, "refresh", "demo")

	file, token := o.login()
	o.tokens(0, `demo: new token obtained: generation 2, expires in`, "import", "demo", "--file", file)
	o.tokens(0, `^$`, "health")
	if a := rig.Get(t, o.address, "/again"); a.Status != 200 {
		t.Errorf("the cured client's request is answered %v", a)
	}
	for where, text := range map[string]string{"show": o.tokens(0, "import_ordered", "show", "demo", "--json"), "the log": o.process.Output.String()} {
		if strings.Contains(text, token) {
			t.Errorf("%s holds the imported refresh token", where)
		}
	}
	if stats := o.stats(); stats.Spent != 0 {
		t.Errorf("%d spent refresh tokens were presented", stats.Spent)
	}
}

func TestCommandsAnswerInJSON(t *testing.T) {
	o := operate(t, unedited)
	var list []struct{ Client, State, Token string }
	if err := json.Unmarshal([]byte(o.tokens(0, "", "list", "--json")), &list); err != nil || len(list) != 1 || list[0].Token != "valid" {
		t.Errorf("list: %v %+v", err, list)
	}
	var refreshed struct {
		Obtained bool
		Status   struct {
			Generation int
			Token      string
		}
	}
	if err := json.Unmarshal([]byte(o.tokens(0, "", "refresh", "demo", "--json")), &refreshed); err != nil || !refreshed.Obtained || refreshed.Status.Generation != 2 {
		t.Errorf("refresh: %v %+v", err, refreshed)
	}
	var shown struct {
		History []struct {
			Event      string
			Generation int
		}
	}
	if err := json.Unmarshal([]byte(o.tokens(0, "", "show", "demo", "--json")), &shown); err != nil || len(shown.History) != 5 || shown.History[4].Generation != 2 {
		t.Errorf("show: %v %+v", err, shown)
	}
}

func TestImportTakesNothingThatIsNoRefreshToken(t *testing.T) {
	o := operate(t, unedited)
	before := o.stats().TokenRequests
	for name, content := range map[string]string{"empty": "", "two lines": "abc\ndef\n", "newlines only": "\n\n", "too long": strings.Repeat("x", 65<<10)} {
		t.Run(name, func(t *testing.T) {
			file := rig.Write(t, o.home, "token", content)
			o.tokens(1, `empty|line break|longer than any refresh token`, "import", "demo", "-f", file)
		})
	}
	o.tokens(1, `no such file`, "import", "demo", "--file", "nowhere")
	o.tokens(1, `a refresh token is no argument`, "import", "demo", "a-token-as-argument")
	o.tokens(1, `there are: demo`, "import", "nobody", "--file", rig.Write(t, o.home, "token", "x"))
	used, err := os.ReadFile(o.RefreshTokenFile)
	if err != nil {
		t.Fatal(err)
	}
	o.tokens(1, `used by this client before`, "import", "demo", "--file", rig.Write(t, o.home, "token", string(used)))
	if got := o.stats(); got.TokenRequests != before {
		t.Errorf("%d token requests were made", got.TokenRequests-before)
	}
}

func TestRefreshHonoursRetryAfterUnlessForced(t *testing.T) {
	o := operate(t, unedited)
	o.fault(`{"kind":"retry_after","retry_after":3600}`)
	o.tokens(1, `429`, "refresh", "demo")
	o.tokens(1, `Retry-After(?s).*--force`, "refresh", "demo")
	o.tokens(0, `new token obtained`, "refresh", "demo", "--force")
}

func TestCommandsFindTheAdminAddress(t *testing.T) {
	admin := rig.FreeAddress(t)
	o := operate(t, func(c string) string { return strings.Replace(c, "{\n", "{\n\tadmin "+admin+"\n", 1) })
	o.tokens(3, `no instance answers at unix/.*--address`, "list")
	o.tokens(0, `demo +valid`, "list", "--address", admin)
	o.tokens(0, `demo +valid`, "list", "--config", filepath.Join(o.home, "Caddyfile"))
	o.tokens(0, `new token obtained`, "refresh", "demo", "--address", admin)
	env := append(rig.Environment(o.home), "CADDY_ADMIN="+admin)
	p := rig.StartBinary(t, rig.Binary, o.home, env, "tokens", "show", "demo")
	<-p.Done
	if p.Err != nil || !strings.Contains(p.Output.String(), "refresh_ordered") {
		t.Errorf("with CADDY_ADMIN: %v\n%s", p.Err, p.Output)
	}
}

func TestANewOperatorGetsFromNothingToALoggedInClient(t *testing.T) {
	o := &operated{demoServers: startDemoServers(t, "1h"), home: rig.Home(t), address: rig.FreeAddress(t)}
	config := regexp.MustCompile(`(?m)^\s*refresh_token .*$`).ReplaceAllString(o.caddyfile(o.address),
		"\t\t\tauthorization_endpoint "+o.AuthorizationServer+"/auth/oauth2/authorize")
	rig.Write(t, o.home, "Caddyfile", config)
	o.process = rig.Start(t, o.home, "run", "--config", filepath.Join(o.home, "Caddyfile"))
	rig.Eventually(t, "the sidecar listens", func() bool { return rig.Serves(o.address) })
	o.tokens(2, `demo: awaiting_grant(?s).*remedy: .*tokens import`, "health")

	p := rig.Start(t, o.home, "tokens", "login", "demo", "--no-browser")
	if status, page := browse(t, p.Printed(addressToOpen)); status != http.StatusOK {
		t.Errorf("the browser ends on %d %s", status, page)
	}
	p.WantExit(0, `demo: new token obtained`)
	o.tokens(0, `^$`, "health")
	if a := rig.Get(t, o.address, "/"); a.Status != http.StatusOK {
		t.Errorf("the request is answered %v", a)
	}
	if stats := o.stats(); stats.Spent != 0 || stats.Refused != 0 {
		t.Errorf("%+v", stats)
	}
}
