package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/sandbox"
)

const (
	clientID     = "demo"
	clientSecret = "a+b/c=d %é"
)

// rig is a sandbox on loopback sockets.
type rig struct {
	t       *testing.T
	sandbox *sandbox.Server
	as, api *httptest.Server
	client  *http.Client

	mu     sync.Mutex
	events []sandbox.Event
}

func newRig(t *testing.T, change ...func(*sandbox.Options)) *rig {
	t.Helper()
	r := &rig{t: t}
	options := sandbox.Options{ClientID: clientID, ClientSecret: clientSecret, Lifetime: time.Hour, OnEvent: r.note}
	for _, f := range change {
		f(&options)
	}
	var err error
	if r.sandbox, err = sandbox.New(options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.sandbox.Close() })
	r.as, r.api = httptest.NewServer(r.sandbox.AuthorizationServer()), httptest.NewServer(r.sandbox.API())
	t.Cleanup(r.as.Close)
	t.Cleanup(r.api.Close)
	r.client = &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return r
}

func inFile(file string) func(*sandbox.Options) {
	return func(o *sandbox.Options) { o.StateFile = file }
}

func (r *rig) note(e sandbox.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (r *rig) kinds() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kinds []string
	for _, e := range r.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// tokens is an answer of the token endpoint.
type tokens struct {
	status int
	header http.Header
	raw    string

	AccessToken  string      `json:"access_token"`
	RefreshToken string      `json:"refresh_token"`
	IDToken      string      `json:"id_token"`
	ExpiresIn    json.Number `json:"expires_in"`
	Error        string      `json:"error"`
	Description  string      `json:"error_description"`
}

func query(refreshToken string) url.Values {
	return url.Values{
		"client_id": {clientID}, "client_secret": {clientSecret},
		"grant_type": {"refresh_token"}, "refresh_token": {refreshToken},
	}
}

// send sends a token request, changed at will.
func (r *rig) send(params url.Values, change ...func(*http.Request)) (tokens, error) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.as.URL+"/auth/oauth2/token?"+params.Encode(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range change {
		f(req)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return tokens{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	out := tokens{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &out)
	return out, err
}

// refresh exchanges a refresh token, which must succeed.
func (r *rig) refresh(refreshToken string) tokens {
	r.t.Helper()
	out, err := r.send(query(refreshToken))
	if err != nil || out.status != http.StatusOK {
		r.t.Fatalf("refresh: %v %d %s", err, out.status, out.raw)
	}
	return out
}

// refused presents a refresh token, which must be refused.
func (r *rig) refused(refreshToken string) {
	r.t.Helper()
	out, err := r.send(query(refreshToken))
	if err != nil || out.status != http.StatusUnauthorized || out.Error != "invalid_request" || out.Description != "invalid_token" {
		r.t.Fatalf("not refused: %v %d %s", err, out.status, out.raw)
	}
}

// call calls the API.
func (r *rig) call(authorization ...string) (status int, body string, header http.Header) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.api.URL+"/orders/7", strings.NewReader("12345"))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header["Authorization"] = authorization
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(raw), res.Header
}

func (r *rig) accepts(accessToken string, want bool) {
	r.t.Helper()
	status, body, _ := r.call("Bearer " + accessToken)
	if (status == http.StatusOK) != want {
		r.t.Fatalf("the API answered %d %s", status, body)
	}
}

// control calls the control API and returns the body.
func (r *rig) control(method, path, body string, want int) string {
	r.t.Helper()
	req, err := http.NewRequest(method, r.as.URL+"/_sandbox/"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	if res.StatusCode != want {
		r.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, raw)
	}
	return string(raw)
}

func TestRestartForgetsNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	before := newRig(t, inFile(file))
	seed := before.sandbox.Seed()
	first := before.refresh(seed)
	before.refused(seed)

	after := newRig(t, inFile(file)) // the one before was not closed: it was killed
	if after.sandbox.Seed() != seed {
		t.Error("another seed")
	}
	after.accepts(first.AccessToken, true)
	after.refused(seed)
	second := after.refresh(first.RefreshToken)
	after.accepts(second.AccessToken, true)
	stats := after.sandbox.Stats()
	if stats.Refreshed != 2 || stats.SpentRefreshTokens != 2 || stats.TokenRequests != 4 {
		t.Errorf("%+v", stats)
	}
}

func TestCloseSavesTheCountersOfTheAPI(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	before := newRig(t, inFile(file))
	before.accepts("no-token", false)
	if err := before.sandbox.Close(); err != nil {
		t.Fatal(err)
	}
	if stats := newRig(t, inFile(file)).sandbox.Stats(); stats.APIUnauthorized != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestCountersOfTheAPISurviveAKillSoonAfter(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	synctest.Test(t, func(t *testing.T) {
		options := sandbox.Options{ClientID: clientID, ClientSecret: clientSecret, Lifetime: time.Hour, StateFile: file}
		killed, err := sandbox.New(options)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			killed.API().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		after, err := sandbox.New(options)
		if err != nil {
			t.Fatal(err)
		}
		if stats := after.Stats(); stats.APIUnauthorized != 3 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestNothingIsIssuedThatCannotBeSaved(t *testing.T) {
	if _, err := sandbox.New(sandbox.Options{ClientID: "a", ClientSecret: "b", Lifetime: time.Second, StateFile: filepath.Join(t.TempDir(), "missing", "state.json")}); err == nil {
		t.Error("a grant was issued")
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for name, options := range map[string]sandbox.Options{
		"no client":        {ClientSecret: "b", Lifetime: time.Second},
		"no secret":        {ClientID: "a", Lifetime: time.Second},
		"no lifetime":      {ClientID: "a", ClientSecret: "b"},
		"half of a second": {ClientID: "a", ClientSecret: "b", Lifetime: 1500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := sandbox.New(options); err == nil {
				t.Error("accepted")
			}
		})
	}
}
