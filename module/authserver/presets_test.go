package authserver

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/inject"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/presets"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/placeholder"
	"lamplighter/module/settings"
)

// presetSecret has every character that an encoding may get wrong.
const presetSecret = "oG4+q/x=&%25 é"

// presetFiles are what the settings of the fixtures read from /run/secrets.
var presetFiles = map[string]string{
	"client_secret": presetSecret,
	"password":      presetSecret,
	"refresh_token": "R1",

	"client_assertion": "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJhdWQiOiJsb2dpbiIsImV4cCI6MTc5NTQzODgwMCwic3ViIjoic2lkZWNhciJ9.c2lnbmF0dXJl",
}

// presetNow is when the exchanges of the fixtures happen.
var presetNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// presetFixture is an exchange with a token API.
type presetFixture struct {
	About, Supply     string // for docs/providers.md, which is made of them
	Source            string // where it is from: "documented", on the pages, or "recorded: …"
	Pages, Unverified []string

	Settings json.RawMessage   // what a user writes, the provider's name included
	Env      map[string]string // the environment that the preset reads
	Upstream string            // an address of the API that the token is for

	Request  presetRequest
	JWT      presetJWT // what {jwt} in the request stands for
	Answer   presetAnswer
	Granted  presetGrant
	Injected presetRequest // what becomes of GET Upstream

	Failures []struct {
		presetAnswer
		Outcome string // terminal, configuration or transient
		Cause   string
	}

	// What the API answers to a dead token, if that is not 401.
	Rejected []struct {
		presetAnswer
		Source string // documented or recorded
		Page   string
	}
}

type presetRequest struct {
	Method string
	URL    string
	Header map[string]string // "" means that it must not be there
	Body   string
	JSON   any // instead of Body
}

type presetAnswer struct {
	Status int
	Header map[string]string
	Body   json.RawMessage // a JSON string is sent as its text
}

type presetGrant struct {
	AccessToken  string         `json:"access_token"`
	RefreshToken string         `json:"refresh_token"`
	ExpiresIn    caddy.Duration `json:"expires_in"`

	// How long the refresh token lives, if the answer says so.
	RefreshTokenExpiresIn caddy.Duration `json:"refresh_token_expires_in"`
}

func readFixture(t *testing.T, name string) (f presetFixture, user settings.Client) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "internal", "presets", "testdata", name+".json"))
	if err != nil {
		t.Fatal("a preset without its exchange:", err)
	}
	if err := caddy.StrictUnmarshalJSON(text, &f); err != nil {
		t.Fatal(err)
	}
	secrets := secretsDir(t)
	for variable, value := range f.Env {
		t.Setenv(variable, strings.Replace(value, "/run/secrets", secrets, 1))
	}
	text = bytes.ReplaceAll(f.Settings, []byte("/run/secrets"), []byte(secrets))
	if err := caddy.StrictUnmarshalJSON(text, &user); err != nil {
		t.Fatal(err)
	}
	if f.Source != "documented" && !strings.HasPrefix(f.Source, "recorded: ") {
		t.Fatalf("its source is %q: it says neither that it is documented nor how it was recorded", f.Source)
	}
	if user.Provider != name || len(f.Pages) == 0 {
		t.Fatalf("it is of the provider %q, as documented in %v", user.Provider, f.Pages)
	}
	return f, user
}

func secretsDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range presetFiles {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(presetKey())
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, "private_key.pem"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// presetAsking is a client of a preset, and what its answers become.
type presetAsking struct {
	*Client
	compiled *settings.Compiled
}

func presetClient(t *testing.T, user *settings.Client) *presetAsking {
	t.Helper()
	c := &presetAsking{Client: made(t, user)}
	effective, err := user.Effective()
	if err == nil {
		c.compiled, err = effective.Compile()
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEveryPresetSpeaksAsItsVendorDocuments sends the token request of each
// preset to a server that stands in for the vendor's, and compares every byte.
func TestEveryPresetSpeaksAsItsVendorDocuments(t *testing.T) {
	for _, name := range presets.Names() {
		t.Run(name, func(t *testing.T) {
			f, user := readFixture(t, name)
			c := presetClient(t, &user)
			got, a := exchangePreset(t, c, f.Answer)
			f.JWT.takeFrom(t, &f.Request, &got)
			f.Request.compare(t, "the token request", got)

			want := f.Granted
			if a.Outcome != tokenendpoint.Granted || a.AccessToken != want.AccessToken || a.RefreshToken != want.RefreshToken || a.ExpiresIn != time.Duration(want.ExpiresIn) || a.RefreshTokenExpiresIn != time.Duration(want.RefreshTokenExpiresIn) || a.Unusable != "" {
				t.Errorf("the answer is taken as outcome %d, tokens %q and %q for %s and %s, %q %q; want %+v",
					a.Outcome, a.AccessToken, a.RefreshToken, a.ExpiresIn, a.RefreshTokenExpiresIn, a.Unusable, a.Detail, want)
			}
			api, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.Upstream, nil)
			if err != nil {
				t.Fatal(err)
			}
			api.Header.Set("Authorization", "Bearer of the caller")
			out := (&inject.Injector{Injections: c.compiled.Injections}).Into(api, &keeper.Token{AccessToken: a.AccessToken, IDToken: a.IDToken, Response: a.Response})
			f.Injected.Method = http.MethodGet
			f.Injected.compare(t, "the request to the API", presetSent{out.Method, out.URL.String(), out.Header, nil})

			for _, dead := range f.Rejected {
				if !c.compiled.Rejections.Holds(api, dead.response()) || dead.Source != "documented" || dead.Page == "" {
					t.Errorf("it is not taken for a rejection: %d %s, %s %s", dead.Status, dead.Body, dead.Source, dead.Page)
				}
			}
			if (len(f.Rejected) > 0) != (len(c.cfg.Rejected) > 0) {
				t.Error("its rejections have no answer, or its answers no rejection")
			}
			if res := f.Answer.response(); c.compiled.Rejections.Holds(api, res) {
				t.Errorf("a success is taken for a rejection: %d %s", f.Answer.Status, f.Answer.Body)
			}
			if len(f.Failures) == 0 {
				t.Error("it has no failure")
			}
			for _, want := range f.Failures {
				_, a := exchangePreset(t, presetClient(t, &user), want.presetAnswer) // which has accepted nothing yet
				outcome := map[tokenendpoint.Outcome]string{
					tokenendpoint.Refused: "terminal", tokenendpoint.Misconfigured: "configuration", tokenendpoint.Unavailable: "transient",
				}[a.Outcome]
				if outcome == "terminal" && c.id.RefreshToken == "" {
					outcome = "configuration" // to the keeper, which has no grant to lose
				}
				if outcome != want.Outcome || a.Cause != want.Cause || a.Status != want.Status {
					t.Errorf("a failure is taken as %q, cause %q: %s; want %q, cause %q", outcome, a.Cause, a.Detail, want.Outcome, want.Cause)
				}
			}
		})
	}
}

// response is the answer as the transport gets it from an upstream.
func (a *presetAnswer) response() *http.Response {
	return &http.Response{
		StatusCode: a.Status, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		Body: io.NopCloser(bytes.NewReader(a.Body)),
	}
}

type presetSent struct {
	method, url string
	header      http.Header
	body        []byte
}

// exchangePreset lets the client ask. Whatever host it dials is the server here,
// which presents itself as every host.
func exchangePreset(t *testing.T, c *presetAsking, answer presetAnswer) (got presetSent, a tokenendpoint.Answer) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = presetSent{r.Method, "https://" + r.Host + r.RequestURI, r.Header, body}
		for name, value := range answer.Header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(answer.Status)
		var text string
		if json.Unmarshal(answer.Body, &text) == nil {
			answer.Body = []byte(text)
		}
		_, _ = w.Write(answer.Body)
	}))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	dialled := ""
	connection := asking.Connection{
		TLS:   &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}, // the name in its certificate
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled = address
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		},
	}
	c.endpoint = tokenendpoint.New(c.compiled.Dialect, connection, func() time.Time { return presetNow })
	req, err := c.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var seed placeholder.Resolver
	req.RefreshToken = seed.Value("refresh_token", c.id.RefreshToken)
	a = c.Do(t.Context(), *req)
	if a.Outcome == tokenendpoint.Granted {
		a.Unusable = cmp.Or(a.Unusable, c.compiled.Injections.Unusable(&keeper.Token{AccessToken: a.AccessToken, IDToken: a.IDToken, Response: a.Response}))
	}
	if u, err := url.Parse(got.url); err != nil || dialled != u.Host+":443" {
		t.Errorf("it dialled %q for the request to %q: %s", dialled, got.url, a.Detail)
	}
	return got, a
}

// compare checks a request. Headers that every request has need not be named.
func (want *presetRequest) compare(t *testing.T, what string, got presetSent) {
	t.Helper()
	if got.method != want.Method || got.url != want.URL {
		t.Errorf("%s is\n%s %s\nwant\n%s %s", what, got.method, got.url, want.Method, want.URL)
	}
	header := make(map[string]string)
	for name := range got.header {
		switch name {
		case "Accept", "Connection", "Content-Length", "User-Agent":
		default:
			header[name] = got.header.Get(name)
		}
	}
	wantHeader := make(map[string]string)
	for name, value := range want.Header {
		wantHeader[http.CanonicalHeaderKey(name)] = value
	}
	if !reflect.DeepEqual(header, wantHeader) {
		t.Errorf("%s has the headers\n%q\nwant\n%q", what, header, wantHeader)
	}
	if want.JSON == nil {
		if string(got.body) != want.Body {
			t.Errorf("%s has the body\n%s\nwant\n%s", what, got.body, want.Body)
		}
		return
	}
	var body any
	if err := json.Unmarshal(got.body, &body); err != nil || !reflect.DeepEqual(body, want.JSON) {
		t.Errorf("%s has the body\n%s\nwant\n%v", what, got.body, want.JSON)
	}
}

// TestAPresetNamesWhatIsMissing takes away, one after another, whatever the
// fixture's user writes for a value that the preset requires.
func TestAPresetNamesWhatIsMissing(t *testing.T) {
	seen := 0
	for _, name := range presets.Names() {
		_, user := readFixture(t, name)
		preset, err := presets.Load(name, user.ProviderBase)
		if err != nil {
			t.Fatal(err)
		}
		for setting, value := range preset {
			if what, ok := presets.Required(value); ok {
				seen++
				refuses(t, user, setting, "", what)
			}
			var members map[string]json.RawMessage
			if json.Unmarshal(value, &members) != nil {
				continue
			}
			for member, value := range members {
				if what, ok := presets.Required(value); ok {
					seen++
					refuses(t, user, setting, member, what)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no preset requires anything")
	}
}

func refuses(t *testing.T, c settings.Client, setting, member, what string) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var own map[string]any
	if err := json.Unmarshal(text, &own); err != nil {
		t.Fatal(err)
	}
	want := setting + " is missing"
	if member == "" {
		delete(own, setting)
	} else {
		delete(own[setting].(map[string]any), member)
		want = setting + " " + member + " is missing"
	}
	if text, err = json.Marshal(own); err != nil {
		t.Fatal(err)
	}
	var without settings.Client
	if err := json.Unmarshal(text, &without); err != nil {
		t.Fatal(err)
	}
	err = without.Check()
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), what) {
		t.Errorf("%s without %s %s: %v", c.Provider, setting, member, err)
	}
}
