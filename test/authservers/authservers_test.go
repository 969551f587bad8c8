package authservers

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lamplighter/test/internal/rig"
)

// judge is a kind of authorization server, and what its users write for it.
type judge struct {
	start    func(t *testing.T) *server
	settings string

	// wrongSecret is the cause that is told of a wrong client secret.
	wrongSecret string
}

var judges = map[string]judge{
	"fosite": {start: startFosite, wrongSecret: "invalid_client"},
	"django-oauth-toolkit": {
		start: func(t *testing.T) *server {
			return run(t, map[string]any{"private_key": rsaKey(t)}, ".", python(t, "oauth2_provider", "python3-django-oauth-toolkit"), testdata(t, "django_server.py"))
		},
		wrongSecret: "invalid_client",
	},
	"authlib": {
		start: func(t *testing.T) *server {
			return run(t, nil, ".", python(t, "authlib, flask", "python3-authlib and python3-flask"), testdata(t, "authlib_server.py"))
		},
		settings: "basic_encoding raw", wrongSecret: "invalid_client",
	},
	"node-oauth2-server": {
		start: func(t *testing.T) *server {
			return run(t, nil, npmInstall(t, "node"), "node", "server.mjs")
		},
		settings: "basic_encoding raw", wrongSecret: "invalid_client",
	},
	"op": {start: startOP, wrongSecret: "invalid_client"},
	"oidc-provider": {
		start: func(t *testing.T) *server {
			return run(t, map[string]any{"clients": []map[string]any{{
				"client_id": clientID, "client_secret": clientSecret, "application_type": "native",
				"redirect_uris": []string{redirectURI, "http://127.0.0.1/callback", "http://127.0.0.1/"},
				"grant_types":   []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
			}}}, npmInstall(t, "../../testdata/oidc-provider"), "node", "server.mjs")
		},
		wrongSecret: "invalid_client",
	},
}

func rsaKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func TestAuthorizationServers(t *testing.T) {
	for name, j := range judges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := j.start(t)
			t.Run("log-in", func(t *testing.T) { testLogin(t, j, s) })
			t.Run("rotations under load", func(t *testing.T) { testRotations(t, j, s) })
			t.Run("kill amid a request", func(t *testing.T) { testKill(t, j, s) })
			t.Run("wrong secret", func(t *testing.T) { testWrongSecret(t, j, s) })
			t.Run("revocation", func(t *testing.T) { testRevocation(t, j, s) })
			t.Run("dead grant", func(t *testing.T) { testDeadGrant(t, j, s) })
		})
	}
}

// sidecar is a lamplighter beside an application.
type sidecar struct {
	*rig.Sidecar
	home string
}

// start starts a sidecar whose first refresh token is seed, "" for none.
func start(t *testing.T, j judge, s *server, seed string) *sidecar {
	t.Helper()
	home, address := rig.Home(t), rig.FreeAddress(t)
	settings := fmt.Sprintf("token_endpoint %s\nauthorization_endpoint %s\nclient_id %s\nclient_secret {file.secret}\ngrant_type refresh_token\nrotation_overlap none\nscope %s\n%s\n",
		s.way.address, s.AuthorizationEndpoint, clientID, s.scope(), j.settings)
	rig.Write(t, home, "secret", clientSecret+"\n")
	if seed != "" {
		settings += "refresh_token {file.seed}\n"
		rig.Write(t, home, "seed", seed+"\n")
	}
	rig.Write(t, home, "Caddyfile", rig.Config(t, address, s.API, settings))
	return &sidecar{rig.RunSidecar(t, home, address), home}
}

// shown is what `tokens show --json` says.
type shown struct {
	State, Cause, Detail, Remedy, Token string
	Generation                          int
}

func (c *sidecar) show(t *testing.T) (s shown) {
	t.Helper()
	rig.Eventually(t, "tokens show answers", func() bool { // it listens before the configuration has started
		out, _, _ := rig.Command(t, c.home, "tokens", "show", "erp", "--json")
		return json.Unmarshal([]byte(out), &s) == nil
	})
	return s
}

func (c *sidecar) wantState(t *testing.T, state string, causes ...string) shown {
	t.Helper()
	var s shown
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("want state %s, got %+v", state, s)
		}
	})
	rig.Eventually(t, "state "+state, func() bool { s = c.show(t); return s.State == state })
	if !slices.Contains(causes, s.Cause) {
		t.Errorf("cause %q, want one of %q: %+v", s.Cause, causes, s)
	}
	if s.Cause != "" && (s.Detail == "" || s.Remedy == "") {
		t.Errorf("it does not explain itself: %+v", s)
	}
	for _, secret := range []string{clientSecret, url.QueryEscape(clientSecret)} {
		if strings.Contains(s.Detail+s.Remedy+c.Output.String(), secret) {
			t.Errorf("the secret is printed: %+v", s)
		}
	}
	return s
}

func testLogin(t *testing.T, j judge, s *server) {
	c := start(t, j, s, "")
	c.wantState(t, "awaiting_grant", "no_refresh_token")
	if got := rig.Get(t, c.Address, "/orders"); got.Status != http.StatusServiceUnavailable {
		t.Errorf("before the log-in: %s", got)
	}
	command := rig.Start(t, c.home, "tokens", "login", "erp", "--no-browser")
	res, err := browser().Get(command.Printed(`(?m)^  (http://\S+)$`)) // the human agrees to everything
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	command.WantExit(0, "erp: new token obtained: generation 1")
	if got := rig.Get(t, c.Address, "/orders"); got.Status != http.StatusOK {
		t.Errorf("after the log-in: %s", got)
	}
}

func testRotations(t *testing.T, j judge, s *server) {
	c := start(t, j, s, s.login(t))
	c.wantState(t, "ok", "")
	before := s.way.count()
	var calls, failed atomic.Int64
	var first atomic.Pointer[string]
	over := make(chan struct{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				calls.Add(1)
				if got := rig.Get(t, c.Address, "/orders"); got.Status != http.StatusOK {
					text := got.String()
					first.CompareAndSwap(nil, &text)
					failed.Add(1)
				}
			}
		})
	}
	rig.Eventually(t, "five rotations", func() bool { return s.way.count() >= before+5 })
	close(over)
	callers.Wait()
	t.Logf("%d calls over %d rotations", calls.Load(), s.way.count()-before)
	if failed.Load() > 0 {
		t.Errorf("%d of %d calls failed, the first with %s", failed.Load(), calls.Load(), *first.Load())
	}
	c.wantState(t, "ok", "")
}

// testKill kills the sidecar when the server has exchanged the refresh token, and
// the answer is on its way: nothing can save that grant where the server is strict,
// and it is said what happened to it.
func testKill(t *testing.T, j judge, s *server) {
	c := start(t, j, s, s.login(t))
	c.wantState(t, "ok", "")
	s.way.holdNext()
	rig.Eventually(t, "the next answer is held back", s.way.isHolding)
	c.Kill()
	s.way.release()
	c = &sidecar{rig.RunSidecar(t, c.home, c.Address), c.home}
	lost := c.wantState(t, "grant_lost", "response_lost")
	if !strings.Contains(lost.Detail, "crash") {
		t.Errorf("%+v", lost)
	}
	// A kill at any other moment costs nothing. If it meets a request all the same,
	// which this test cannot see, that is said.
	seed := rig.Write(t, c.home, "new", s.login(t))
	if out, errs, code := rig.Command(t, c.home, "tokens", "import", "erp", "--file", filepath.Base(seed)); code != 0 {
		t.Fatalf("import: %d %s %s", code, out, errs)
	}
	for range 3 {
		rotated := s.way.count()
		rig.Eventually(t, "another rotation", func() bool { return s.way.count() > rotated })
		c.Kill()
		c = &sidecar{rig.RunSidecar(t, c.home, c.Address), c.home}
		var now shown
		rig.Eventually(t, "it knows", func() bool { now = c.show(t); return now.State == "ok" || now.State == "grant_lost" })
		if now.State == "grant_lost" {
			if now.Cause != "response_lost" {
				t.Errorf("lost without an explanation: %+v", now)
			}
			t.Log("a kill met a request")
			return
		}
	}
	if got := rig.Get(t, c.Address, "/orders"); got.Status != http.StatusOK {
		t.Errorf("after three kills: %s", got)
	}
}

func testWrongSecret(t *testing.T, j judge, s *server) {
	c := start(t, j, s, s.login(t))
	c.wantState(t, "ok", "")
	replaceSecret(t, c.home, "not the secret+/")
	c.wantState(t, "misconfigured", j.wrongSecret)
	replaceSecret(t, c.home, clientSecret)
	if out, errs, code := rig.Command(t, c.home, "tokens", "refresh", "erp"); code != 0 {
		t.Errorf("after the secret was put right: %d %s %s", code, out, errs)
	}
	c.wantState(t, "ok", "")
}

// replaceSecret writes the secret whole, so that no attempt reads an empty file.
func replaceSecret(t *testing.T, home, secret string) {
	t.Helper()
	if err := os.Rename(rig.Write(t, home, "secret.new", secret), filepath.Join(home, "secret")); err != nil {
		t.Fatal(err)
	}
}

func testRevocation(t *testing.T, j judge, s *server) {
	c := start(t, j, s, s.login(t))
	c.wantState(t, "ok", "")
	s.revoke(t)
	c.wantState(t, "grant_lost", "refused")
	asked := s.way.count()
	if got := rig.Get(t, c.Address, "/orders"); got.Status == http.StatusOK {
		t.Errorf("after the revocation: %s", got)
	}
	// It is not presented again, not after a restart either.
	c.Kill()
	c = &sidecar{rig.RunSidecar(t, c.home, c.Address), c.home}
	c.wantState(t, "grant_lost", "refused")
	if s.way.count() != asked {
		t.Error("a dead refresh token was presented again")
	}
}

// testDeadGrant looks at what everybody is told of a grant that died: the operator who
// asks, the log, the probe, and the application.
func testDeadGrant(t *testing.T, j judge, s *server) {
	c := start(t, j, s, s.login(t))
	c.wantState(t, "ok", "")
	s.revoke(t)
	lost := c.wantState(t, "grant_lost", "refused")
	if !strings.Contains(lost.Remedy, "tokens login") || !strings.Contains(lost.Remedy, "tokens import") {
		t.Errorf("its remedy is %q", lost.Remedy)
	}
	if !regexp.MustCompile(`"level":"error".*"event":"grant_lost".*"cause":"refused"|"level":"error".*"msg":"[^"]*lost.*"cause":"refused"`).MatchString(c.Output.String()) {
		t.Errorf("the log has no error about it")
	}
	for _, command := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"list"}, 0, `(?m)^erp +\S+ +grant_lost`},
		{[]string{"show", "erp"}, 0, `(?s)grant_lost.*refused.*tokens import`},
		{[]string{"health"}, 2, `erp.*grant_lost`},
		{[]string{"refresh", "erp"}, 1, `(?s)refused.*tokens import`},
	} {
		out, errs, code := rig.Command(t, c.home, append([]string{"tokens"}, command.args...)...)
		if code != command.code || !regexp.MustCompile(command.says).MatchString(out+errs) {
			t.Errorf("tokens %q: exit code %d, want %d and %s: %s%s", command.args, code, command.code, command.says, out, errs)
		}
	}
	// The access token may live on at a server that leaves it alone.
	rig.Eventually(t, "the application is told", func() bool {
		got := rig.Get(t, c.Address, "/orders")
		return got.Status == http.StatusServiceUnavailable && strings.Contains(got.Body, "tokens import")
	})
}

// Fault E13. django-oauth-toolkit redirects its metadata to the same address with a
// slash.
func TestMetadataThatIsRedirectedToItsOwnServerIsFound(t *testing.T) {
	t.Parallel()
	s := judges["django-oauth-toolkit"].start(t)
	home, address := rig.Home(t), rig.FreeAddress(t)
	rig.Write(t, home, "secret", clientSecret)
	rig.Write(t, home, "seed", s.login(t))
	rig.Write(t, home, "Caddyfile", rig.Config(t, address, s.API, fmt.Sprintf(
		"issuer %s\nclient_id %s\nclient_secret {file.secret}\nrefresh_token {file.seed}\nrotation_overlap none\n", s.Issuer, clientID)))
	c := &sidecar{rig.RunSidecar(t, home, address), home}
	c.wantState(t, "ok", "")
	if got := rig.Get(t, address, "/orders"); got.Status != http.StatusOK {
		t.Errorf("%s", got)
	}
}
