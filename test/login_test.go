package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"lamplighter/test/internal/rig"
)

// What the authorization server needs for log-ins on devices, and to revoke.

func (s *storage) StoreDeviceAuthorization(_ context.Context, client, deviceCode, _ string, expires time.Time, scopes []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.devices == nil {
		s.devices = make(map[string]*op.DeviceAuthorizationState)
	}
	s.devices[deviceCode] = &op.DeviceAuthorizationState{ClientID: client, Scopes: scopes, Expires: expires}
	return nil
}

func (s *storage) GetDeviceAuthorizatonState(_ context.Context, _, deviceCode string) (*op.DeviceAuthorizationState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state := s.devices[deviceCode]; state != nil {
		known := *state
		return &known, nil
	}
	return nil, errors.New("no such device")
}

// decideDevices lets the human decide about every device that waits.
func (s *storage) decideDevices(agree bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, state := range s.devices {
		state.Done, state.Denied, state.Subject, state.AuthTime = agree, !agree, "erika", time.Now()
	}
}

func (s *storage) GetRefreshTokenInfo(_ context.Context, _, token string) (user, id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refresh[token] == nil {
		return "", "", op.ErrInvalidRefreshToken
	}
	return "erika", token, nil
}

func (s *storage) RevokeToken(_ context.Context, token, _, _ string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.refresh[token]; known != nil {
		delete(s.refresh, token)
		delete(s.access, known.access)
	}
	return nil
}

var _ op.DeviceAuthorizationStorage = (*storage)(nil)

// loginRig is a client that nobody has logged in for yet.
type loginRig struct {
	*authServer
	home, address, api string
}

func newLoginRig(t *testing.T, edit func(*registration)) *loginRig {
	t.Helper()
	client := &registration{
		id: "erp", secret: awkward, method: oidc.AuthMethodBasic, native: true,
		grants: []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeDeviceCode},
	}
	if edit != nil {
		edit(client)
	}
	a := newAuthServer(t, time.Hour, client)
	r := &loginRig{authServer: a, home: rig.Home(t), address: rig.FreeAddress(t), api: newAPI(t, a).URL}
	secret := rig.Write(t, r.home, "client_secret", client.secret)
	rig.Write(t, r.home, "Caddyfile", rig.Config(t, r.address, r.api, fmt.Sprintf(`
			token_endpoint %s
			authorization_endpoint %[2]s/authorize
			device_authorization_endpoint %[2]s/device_authorization
			revocation_endpoint %[2]s/revoke
			grant_type refresh_token
			client_id erp
			client_secret {file.%[3]s}
			scope openid offline_access
`, a.tokenEndpoint(), a.url, secret)))
	return r
}

// runs starts the sidecar, which waits for its grant.
func (r *loginRig) runs() *rig.Sidecar {
	r.t.Helper()
	s := rig.RunSidecar(r.t, r.home, r.address)
	if a := rig.Get(r.t, r.address, "/"); a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, "awaiting_grant") && !strings.Contains(a.Body, "no_refresh_token") {
		r.t.Fatalf("before the log-in the answer is %v", a)
	}
	return s
}

func (r *loginRig) wantGranted(scope string) {
	r.t.Helper()
	rig.Eventually(r.t, "requests are authorized after "+scope, func() bool { return rig.Get(r.t, r.address, "/").Status == http.StatusOK })
	if _, replays := r.seen(); replays != 0 {
		r.t.Errorf("%d spent refresh tokens were presented", replays)
	}
}

// browse does what a browser does, and returns the page it ends on.
func browse(t *testing.T, address string) (status int, page string) {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

const addressToOpen = `(?m)^  (http://\S+)$`

func TestLoginWithABrowserGivesTheRunningInstanceItsGrant(t *testing.T) {
	r := newLoginRig(t, nil)
	sidecar := r.runs()
	p := rig.Start(t, r.home, "tokens", "login", "erp", "--no-browser")
	address := p.Printed(addressToOpen)
	q, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if q.Query().Get("code_challenge_method") != "S256" || q.Query().Get("code_challenge") == "" || len(q.Query().Get("state")) < 20 {
		t.Errorf("the address %s lacks PKCE or state", address)
	}
	// Somebody else's page sends the browser to us.
	if status, _ := browse(t, q.Query().Get("redirect_uri")+"?code=evil&state=guessed"); status != http.StatusBadRequest {
		t.Errorf("a wrong state is answered %d", status)
	}
	if status, page := browse(t, address); status != http.StatusOK || !strings.Contains(page, "You can close this window") {
		t.Errorf("the browser ends on %d %s", status, page)
	}
	p.WantExit(0, `erp: new token obtained: generation 1`)
	r.wantGranted("the log-in")
	for _, secret := range append(r.everySecret(), r.refreshTokens()...) {
		if strings.Contains(p.Output.String()+sidecar.Output.String(), secret) {
			t.Errorf("a secret was printed: %s", secret)
		}
	}
}

func TestLoginOnADeviceWaitsForTheHuman(t *testing.T) {
	// This provider takes native clients for public ones here.
	r := newLoginRig(t, func(c *registration) { c.native = false })
	r.runs()
	p := rig.Start(t, r.home, "tokens", "login", "erp", "--device")
	p.Printed(`(?m)^  ([A-Z]{4}-[A-Z]{4})$`)
	p.Printed(`(/device)\b`)
	time.Sleep(1500 * time.Millisecond) // it has asked once, in vain
	r.decideDevices(true)
	p.WantExit(0, `erp: new token obtained: generation 1`)
	r.wantGranted("the log-in")
}

func TestADeniedDeviceIsExplained(t *testing.T) {
	r := newLoginRig(t, nil)
	r.runs()
	p := rig.Start(t, r.home, "tokens", "login", "erp", "--device")
	p.Printed(`(?m)^  ([A-Z]{4}-[A-Z]{4})$`)
	r.decideDevices(false)
	p.WantExit(1, `the log-in failed: .*access_denied`)
}

func TestLoginWithoutAnInstanceWritesTheRecordItself(t *testing.T) {
	r := newLoginRig(t, nil)
	p := rig.Start(t, r.home, "tokens", "login", "erp", "--no-browser")
	browse(t, p.Printed(addressToOpen))
	p.WantExit(0, `erp: new token obtained: generation 1`)
	if _, err := os.Stat(filepath.Join(r.home, "data", "caddy", "oauth2_client", "erp.json")); err != nil {
		t.Error(err)
	}
	before := len(r.recordedRequests())
	rig.RunSidecar(t, r.home, r.address)
	r.wantGranted("the start")
	if got := len(r.recordedRequests()); got != before {
		t.Errorf("the start made %d token requests", got-before)
	}
}

func TestLoginWithoutAnInstanceKeepsTheRecordEncrypted(t *testing.T) {
	r := newLoginRig(t, nil)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := rig.Write(t, r.home, "key", identity.String()+"\n")
	config, err := os.ReadFile(filepath.Join(r.home, "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	rig.Write(t, r.home, "Caddyfile", strings.Replace(string(config), "scope openid offline_access", "scope openid offline_access\nstore file {\nencryption_key "+key+"\n}", 1))
	for _, generation := range []string{"1", "2"} { // the second one reads what the first one wrote
		p := rig.Start(t, r.home, "tokens", "login", "erp", "--no-browser")
		browse(t, p.Printed(addressToOpen))
		p.WantExit(0, `erp: new token obtained: generation `+generation)
		record, err := os.ReadFile(filepath.Join(r.home, "data", "caddy", "oauth2_client", "erp.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range r.refreshTokens() {
			if strings.Contains(string(record), token) {
				t.Errorf("log-in %s wrote the refresh token in the clear", generation)
			}
		}
	}
	rig.RunSidecar(t, r.home, r.address)
	r.wantGranted("the start")
}

// TestLoginSpendsNoCodeForARecordThatCannotBeRead: with and without an instance
// it says so before anybody logs in.
func TestLoginSpendsNoCodeForARecordThatCannotBeRead(t *testing.T) {
	r := newLoginRig(t, nil)
	var keys [2]string
	for i := range keys {
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = rig.Write(t, r.home, fmt.Sprintf("key%d", i), identity.String()+"\n")
	}
	config, err := os.ReadFile(filepath.Join(r.home, "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	encrypt := func(key string) {
		rig.Write(t, r.home, "Caddyfile", strings.Replace(string(config), "scope openid offline_access", "scope openid offline_access\nstore file {\nencryption_key "+key+"\n}", 1))
	}
	encrypt(keys[0])
	p := rig.Start(t, r.home, "tokens", "login", "erp", "--no-browser")
	browse(t, p.Printed(addressToOpen))
	p.WantExit(0, `erp: new token obtained: generation 1`)
	if strings.Contains(p.Output.String(), "not able to work") {
		t.Errorf("the log complains of what the log-in is to mend:\n%s", p.Output)
	}
	requests := len(r.recordedRequests())

	path := filepath.Join(r.home, "data", "caddy", "oauth2_client", "erp.json")
	record, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const refused = `what a log-in yields could not be kept: .*erp\.json.*; (restore .*backup|add the key that it was written with)`
	wantRefused := func(when string) {
		t.Helper()
		for _, args := range [][]string{{"--no-browser"}, {"--device"}} {
			p := rig.Start(t, r.home, append([]string{"tokens", "login", "erp"}, args...)...)
			p.WantExit(1, refused)
			if strings.Contains(p.Output.String(), "http://") {
				t.Errorf("%s: somebody is sent to log in:\n%s", when, p.Output)
			}
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != string(record) {
			t.Errorf("%s: the record was changed (%v)", when, err)
		}
	}
	encrypt(keys[1])
	wantRefused("another key")
	encrypt(keys[0])
	record[len(record)/2] ^= 1
	if err := os.WriteFile(path, record, 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefused("a damaged record")
	rig.RunSidecar(t, r.home, r.address)
	wantRefused("a running instance")
	if more := len(r.recordedRequests()) - requests; more != 0 {
		t.Errorf("%d requests to the token endpoint", more)
	}
}

func TestLoginExplainsWhatIsMissing(t *testing.T) {
	r := newLoginRig(t, func(c *registration) { c.grants = []oidc.GrantType{oidc.GrantTypeCode} })
	config, err := os.ReadFile(filepath.Join(r.home, "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	rig.Write(t, r.home, "Caddyfile", regexp.MustCompile(`\w*authorization_endpoint.*`).ReplaceAllString(string(config), ""))
	for want, args := range map[string][]string{
		"no authorization_endpoint: add that setting":        {"login", "erp"},
		"no device_authorization_endpoint: add that setting": {"login", "erp", "--device"},
		"has no client nobody; there are: erp":               {"login", "nobody"},
		"--redirect-uri: write http://127.0.0.1":             {"login", "erp", "--redirect-uri", "https://evil.example/"},
	} {
		_, stderr, code := rig.Command(t, r.home, append([]string{"tokens"}, args...)...)
		if code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, no %q in:\n%s", args, code, want, stderr)
		}
	}
}

func TestRevokeEndsTheGrantAtTheServer(t *testing.T) {
	r := newLoginRig(t, nil)
	r.runs()
	p := rig.Start(t, r.home, "tokens", "login", "erp", "--no-browser")
	browse(t, p.Printed(addressToOpen))
	p.WantExit(0, "")
	r.wantGranted("the log-in")

	_, stderr, code := rig.Command(t, r.home, "tokens", "revoke", "erp")
	if code != 1 || !strings.Contains(stderr, "--yes") {
		t.Errorf("without a terminal: exit code %d, %s", code, stderr)
	}
	stdout, stderr, code := rig.Command(t, r.home, "tokens", "revoke", "erp", "--yes")
	if code != 0 || !strings.Contains(stdout, "the grant is revoked") {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	r.storage.mu.Lock()
	left := len(r.refresh)
	r.storage.mu.Unlock()
	if left != 0 {
		t.Errorf("%d refresh tokens are alive at the server", left)
	}
	if a := rig.Get(t, r.address, "/"); a.Status != http.StatusServiceUnavailable {
		t.Errorf("after the revocation the answer is %v", a)
	}
	_, _, code = rig.Command(t, r.home, "tokens", "health")
	if code != 2 {
		t.Errorf("health exits %d, want 2", code)
	}
	again := rig.Start(t, r.home, "tokens", "login", "erp", "--no-browser")
	browse(t, again.Printed(addressToOpen))
	again.WantExit(0, "generation 2")
	r.wantGranted("the second log-in")
}
