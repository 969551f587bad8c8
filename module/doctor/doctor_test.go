package doctor_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/moduletest"
	"lamplighter/module/placeholder"
)

// offline examines a Caddyfile that no instance runs.
func offline(t *testing.T, config string, ask bool) checks {
	t.Helper()
	return offlineAs(t, config, adminapi.DoctorRequest{Ask: ask})
}

func offlineAs(t *testing.T, config string, req adminapi.DoctorRequest) checks {
	t.Helper()
	t.Setenv(placeholder.NoSecrets, "1")
	args := os.Args
	os.Args = []string{"lamplighter", "doctor"}
	t.Cleanup(func() { os.Args = args })
	var cfg caddy.Config
	if err := json.Unmarshal(moduletest.Adapt(t, config), &cfg); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.AppIfConfigured("oauth2_client")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := app.(adminapi.Examiner).Examine(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if err := app.(caddy.CleanerUpper).Cleanup(); err != nil { // as the end of the process
		t.Fatal(err)
	}
	return checks{t, answer.Checks}
}

// checks are what an examination found.
type checks struct {
	t   *testing.T
	all []adminapi.Check
}

func (c checks) String() string {
	var b strings.Builder
	for _, one := range c.all {
		fmt.Fprintf(&b, "%s %s %s: %s | %s\n", one.Client, one.Step, one.Verdict, one.Detail, one.Remedy)
	}
	return b.String()
}

// want looks for a step with a verdict, whose words hold these.
func (c checks) want(step, verdict string, words ...string) {
	c.t.Helper()
	for _, one := range c.all {
		if one.Step != step || one.Verdict != verdict {
			continue
		}
		missing := false
		for _, word := range words {
			missing = missing || !strings.Contains(one.Detail+" | "+one.Remedy, word)
		}
		if !missing {
			if (verdict == adminapi.VerdictFailed || verdict == adminapi.VerdictWarning) && one.Remedy == "" {
				c.t.Errorf("there is no remedy: %+v", one)
			}
			return
		}
	}
	c.t.Errorf("no %s is %s with %q:\n%s", step, verdict, words, c)
}

// withholds makes sure that nothing secret is told.
func (c checks) withholds(secrets ...string) {
	c.t.Helper()
	for _, secret := range secrets {
		if strings.Contains(c.String(), secret) {
			c.t.Errorf("a secret is told: %q in\n%s", secret, c)
		}
	}
}

// well makes sure that nothing is wrong.
func (c checks) well() {
	c.t.Helper()
	for _, one := range c.all {
		if one.Verdict == adminapi.VerdictFailed || one.Verdict == adminapi.VerdictWarning {
			c.t.Errorf("%+v", one)
		}
	}
}

func TestWhatIsWellIsFoundWellAndNothingIsSpent(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	before := offline(t, s.Config("", ""), true)
	before.well()
	before.want("record", adminapi.VerdictOK, "none yet")
	before.want("ports", adminapi.VerdictOK, "free")
	before.want("token_request", adminapi.VerdictSkipped, "refresh token")
	if as.Generation != 0 {
		t.Fatal("a token was obtained")
	}

	s.Load(s.Config("", ""))
	s.WantOK()
	var answer adminapi.DoctorAnswer
	if status := moduletest.Asked(t, "POST", "doctor", &answer); status != 200 {
		t.Fatalf("got %d", status)
	}
	running := checks{t, answer.Checks}
	running.well()
	running.want("configuration", adminapi.VerdictOK, "has 1 client")
	running.want("ports", adminapi.VerdictOK, "this instance's alone")
	running.want("secrets", adminapi.VerdictOK, "client_secret from the file "+s.Dir+"/secret", "refresh_token from the file")
	running.want("name_resolution", adminapi.VerdictOK, "127.0.0.1 is an address")
	running.want("route", adminapi.VerdictOK, "connected to 127.0.0.1")
	running.want("tls", adminapi.VerdictSkipped, "plain http")
	running.want("clock", adminapi.VerdictOK)
	running.want("store", adminapi.VerdictOK, s.Dir)
	running.want("record", adminapi.VerdictOK, "generation 1", "its grant lives")
	running.want("token", adminapi.VerdictOK, "token valid, state ok")
	running.want("upstream", adminapi.VerdictOK, "answers 401")
	running.withholds(as.Everything...)
	as.Lock()
	defer as.Unlock()
	if as.Generation != 1 {
		t.Errorf("the examination took the grant to generation %d", as.Generation)
	}
	if got := moduletest.Asked(t, "GET", "doctor", &answer); got != 405 {
		t.Errorf("GET: got %d", got)
	}
}

func TestATokenRequestIsMadeOnlyIfItIsOrderedAndSpendsNothing(t *testing.T) {
	server := moduletest.NewGranting(t, nothingBut("the-access-token-0123456789"))
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	config := s.Upstreams(server.API.URL, "", "")
	config = strings.Replace(config, "provider tencent_eiam "+s.AS.Tokens.URL, "token_endpoint "+server.Tokens.URL+"/token", 1)
	config = strings.Replace(config, "refresh_token {file."+s.Dir+"/seed}", "grant_type client_credentials", 1)
	offline(t, config, false).well()
	if got := server.Requests(); len(got) != 0 {
		t.Fatalf("it was asked: %v", got)
	}
	asked := offline(t, config, true)
	asked.want("token_request", adminapi.VerdictOK, "thrown away")
	asked.withholds("the-access-token")
	if got := server.Requests(); len(got) != 1 || got[0].Get("grant_type") != "client_credentials" {
		t.Errorf("it was asked: %v", got)
	}

	s.Load(config)
	moduletest.Eventually(t, "a token", func() bool { return len(server.Requests()) == 2 })
	s.WantOK()
}

func TestALedgerThatCannotBeWrittenIsTold(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	offline(t, s.Config("", ""), false).want("ledger", adminapi.VerdictOK, "spent.jsonl can be written", "")
	if err := os.MkdirAll(s.Dir+"/data/lamplighter/spent.jsonl", 0o700); err != nil {
		t.Fatal(err)
	}
	offline(t, s.Config("", ""), false).want("ledger", adminapi.VerdictWarning, "spent.jsonl: is a directory", "chown -R")
}

func TestSecretsAreLookedAtAndNeverTold(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	moduletest.Write(t, s, "secret", "oG4+q/x=xyzzy-secret\r\n")
	offline(t, s.Config("", ""), false).want("secrets", adminapi.VerdictOK, "client_secret from the file")
	for content, says := range map[string]string{
		"oG4+q/x=xyzzy-secret\r\n\r\n":     "ends with more line breaks than one",
		"oG4+q/x=xyzzy-secret\n\n":         "ends with more line breaks than one",
		"oG4+q/x=xyzzy-secret \n":          "ends with a blank (U+0020)",
		"\ufeffoG4+q/x=xyzzy-secret\n":     "begins with a byte order mark",
		"oG4+q/x=xyzzy-\x00secret\n":       "has a control character",
		" oG4+q/x=xyzzy-secret\n":          "begins with a blank",
		"oG4+q/x=xyzzy-secret\u00a0\n":     "ends with a blank (U+00A0)",
		"oG4+q/x=xyzzy-secret\r\r\n":       "ends with a carriage return",
		"first\noG4+q/x=xyzzy-secret\r\n ": "ends with a blank",
	} {
		moduletest.Write(t, s, "secret", content)
		found := offline(t, s.Config("", ""), false)
		found.want("secrets", adminapi.VerdictWarning, "client_secret: the file "+s.Dir+"/secret "+says, "printf")
		found.withholds("xyzzy")
	}

	if err := os.Remove(s.Dir + "/secret"); err != nil {
		t.Fatal(err)
	}
	found := offline(t, s.Config("", ""), true)
	found.want("secrets", adminapi.VerdictFailed, "client_secret: ", s.Dir+"/secret: no such file", "is to run as")

	t.Setenv("DOCTOR_SECRET", "")
	config := strings.Replace(s.Config("", ""), "{file."+s.Dir+"/secret}", "{env.DOCTOR_SECRET}", 1)
	offline(t, config, false).want("secrets", adminapi.VerdictFailed, "DOCTOR_SECRET is not set or empty", "that is to serve")
	t.Setenv("DOCTOR_SECRET", "xyzzy-q7Zr0pLw\r")
	found = offline(t, config, false)
	found.want("secrets", adminapi.VerdictWarning, "the variable DOCTOR_SECRET ends with a carriage return")
	found.withholds("xyzzy")
}

func TestOddSettingsAreWarnedOf(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	config := strings.Replace(s.Config("", ""), "{file."+s.Dir+"/secret}", "a-literal-xyzzy-secret", 1)
	found := offline(t, config, false)
	found.want("configuration", adminapi.VerdictWarning, "client_secret is a literal value", "write {file./path/to/it}")
	found.withholds("xyzzy")
}

// TestAStrangerCallsNothingWrongThatHeCannotSee: and leaves nothing of his among the other one's.
func TestAStrangerCallsNothingWrongThatHeCannotSee(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	config := strings.NewReplacer("client_secret {file."+s.Dir+"/secret}", "client_secret {env.LAMPLIGHTER_TEST_UNSET}").Replace(s.Config("store file {\npath "+s.Dir+"/records\n}", ""))
	if !strings.Contains(config, "LAMPLIGHTER_TEST_UNSET") {
		t.Fatal("it has no other secret: " + config)
	}
	stranger := offlineAs(t, config, adminapi.DoctorRequest{Stranger: true})
	stranger.well()
	for _, step := range []string{"secrets", "store", "ledger"} {
		stranger.want(step, adminapi.VerdictSkipped, "not checked, because this user cannot tell")
	}
	stranger.want("record", adminapi.VerdictSkipped)
	stranger.want("name_resolution", adminapi.VerdictOK)
	missing := strings.ReplaceAll(s.Config("", ""), "{file."+s.Dir+"/secret}", "{file."+s.Dir+"/missing}")
	offlineAs(t, missing, adminapi.DoctorRequest{Stranger: true}).want("secrets", adminapi.VerdictFailed, "missing")
	if os.Geteuid() != 0 { // who may read everything
		moduletest.Write(t, s, "forbidden", "secret")
		if err := os.Chmod(s.Dir+"/forbidden", 0); err != nil {
			t.Fatal(err)
		}
		forbidden := strings.ReplaceAll(missing, "/missing}", "/forbidden}")
		offlineAs(t, forbidden, adminapi.DoctorRequest{Stranger: true}).want("secrets", adminapi.VerdictSkipped, "forbidden")
	}
	if _, err := os.Stat(s.Dir + "/records"); err == nil {
		t.Error("it has made the directory of the records")
	}
	own := offline(t, config, false)
	own.want("secrets", adminapi.VerdictFailed, "LAMPLIGHTER_TEST_UNSET")
	own.want("store", adminapi.VerdictOK, s.Dir+"/records")
}
