package login

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/authserver"
	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/keyfiles"
	"lamplighter/module/settings"
)

// keeping keeps whatever a log-in yields, and takes its time.
type keeping func()

func (keeping) Keepable(context.Context) error { return nil }

func (k keeping) Keep(context.Context, string, *dpop.Key) (*adminapi.OrderResult, error) {
	k()
	return new(adminapi.OrderResult), nil
}

// made is a client of these settings.
func made(t *testing.T, cfg *settings.Client) *Client {
	t.Helper()
	effective, err := cfg.Effective()
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := effective.Compile()
	if err != nil {
		t.Fatal(err)
	}
	rest, id := effective.Split()
	server, err := authserver.New(caddy.Context{Context: t.Context()}, effective, rest, compiled.Dialect)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{Name: "api", Settings: rest, Server: server.Of("api", id), Keeper: keeping(func() {})}
}

// deviceServer is a device authorization endpoint and its token endpoint, which
// answers a device code as a test says.
func deviceServer(t *testing.T, settings *settings.Client, answer func(w http.ResponseWriter, form url.Values)) (c *Client, forms *[]url.Values) {
	t.Helper()
	forms = new([]url.Values)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		*forms = append(*forms, r.PostForm)
		if r.URL.Path == "/device" && r.PostForm.Get("client_id") == "" {
			http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
			return
		}
		if r.URL.Path == "/device" {
			_ = json.NewEncoder(w).Encode(map[string]any{
				"device_code": "the-device-code", "user_code": "ABCD", "verification_uri": "https://as.example.com/device", "expires_in": 300,
			})
			return
		}
		answer(w, r.PostForm)
	}))
	t.Cleanup(server.Close)
	settings.TokenEndpoint, settings.DeviceAuthorizationEndpoint = server.URL+"/token", server.URL+"/device"
	settings.GrantType, settings.ClientID = "refresh_token", "app"
	return made(t, settings), forms
}

// Fault E11. Dex takes the client from there alone.
func TestTheClientIsNamedInALoginByDeviceHoweverItAuthenticates(t *testing.T) {
	key := "{file." + filepath.Join(keyfiles.Write(t), "mine.key") + "}"
	for name, settings := range map[string]*settings.Client{
		"client_secret_basic": {ClientSecret: "the-secret"},
		"client_secret_post":  {ClientSecret: "the-secret", TokenEndpointAuthMethod: "client_secret_post"},
		"client_secret_jwt":   {ClientSecret: "the-secret-that-is-long-enough-to-sign-with", TokenEndpointAuthMethod: "client_secret_jwt"},
		"private_key_jwt":     {PrivateKey: key, TokenEndpointAuthMethod: "private_key_jwt"},
		"none":                {TokenEndpointAuthMethod: "none"},
	} {
		t.Run(name, func(t *testing.T) {
			c, forms := deviceServer(t, settings, func(w http.ResponseWriter, _ url.Values) {
				http.Error(w, `{"error":"authorization_pending"}`, http.StatusBadRequest)
			})
			began, err := c.Step(t.Context(), adminapi.LoginRequest{Device: true})
			if err != nil {
				t.Fatal(err)
			}
			if again, err := c.Step(t.Context(), adminapi.LoginRequest{State: began.State}); err != nil || again.Interval == 0 {
				t.Fatalf("%+v, %v", again, err)
			}
			for _, form := range *forms {
				if ids := form["client_id"]; len(ids) != 1 || ids[0] != "app" {
					t.Errorf("client_id is %q in %v", ids, form)
				}
			}
		})
	}
}

// Fault E11. What the server says of the request itself ends the log-in at once.
func TestALoginByDeviceThatCannotSucceedEndsAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		says   string // "" if it goes on
	}{
		"pending":           {400, `{"error":"authorization_pending"}`, ""},
		"slower":            {400, `{"error":"slow_down"}`, ""},
		"unavailable":       {503, "", ""},
		"too often":         {429, "", ""},
		"refused":           {400, `{"error":"access_denied"}`, "refused, by the user"},
		"too late":          {400, `{"error":"expired_token"}`, "not entered in time"},
		"a dead code":       {400, `{"error":"invalid_grant"}`, "400 invalid_grant"},
		"a wrong request":   {400, `{"error":"invalid_request","error_description":"no such client"}`, "no such client"},
		"a page":            {400, "<html><body>Bad Request</body></html>", "answered 400"},
		"a page of nobody":  {404, "<html>not here</html>", "answered 404"},
		"a wrong secret":    {401, `{"error":"invalid_client"}`, "check client_id"},
		"somewhere else":    {302, "", "token_endpoint"},
		"no refresh token":  {200, `{"access_token":"at"}`, "offline_access"},
		"an unknown method": {405, "", "answered 405"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := deviceServer(t, &settings.Client{ClientSecret: "the-secret"}, func(w http.ResponseWriter, _ url.Values) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			})
			began, err := c.Step(t.Context(), adminapi.LoginRequest{Device: true})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Step(t.Context(), adminapi.LoginRequest{State: began.State})
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("want %q: %v", test.says, err)
			}
			if err != nil && strings.Contains(err.Error(), "none needed") {
				t.Error(err)
			}
		})
	}
}

// Fault E11. The time may end while the server cannot answer.
func TestALoginByDeviceWhoseTimeIsOverSaysWhatTheServerAnswered(t *testing.T) {
	c, _ := deviceServer(t, &settings.Client{ClientSecret: "the-secret"}, func(w http.ResponseWriter, _ url.Values) { w.WriteHeader(http.StatusBadGateway) })
	began, err := c.Step(t.Context(), adminapi.LoginRequest{Device: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Step(t.Context(), adminapi.LoginRequest{State: began.State}); err != nil {
		t.Fatal(err)
	}
	logins.Lock()
	logins.byState[began.State].ends = time.Now().Add(-time.Second)
	logins.Unlock()
	if _, err = c.Step(t.Context(), adminapi.LoginRequest{State: began.State}); err == nil || !strings.Contains(err.Error(), "answered 502") || !strings.Contains(err.Error(), "time of the log-in is over") {
		t.Error(err)
	}
}

// Fault B15.
func TestALoginWhoseTokenIsBeingImportedHoldsUpNoOther(t *testing.T) {
	c, _ := deviceServer(t, &settings.Client{ClientSecret: "the-secret"}, func(w http.ResponseWriter, _ url.Values) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"an-access-token","refresh_token":"a-refresh-token","token_type":"Bearer","expires_in":60}`))
	})
	asked, release := make(chan struct{}), make(chan struct{})
	c.Keeper = keeping(func() {
		close(asked)
		<-release // a slow server
	})
	began, err := c.Step(t.Context(), adminapi.LoginRequest{Device: true})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = c.Step(t.Context(), adminapi.LoginRequest{State: began.State})
	}()
	<-asked
	others := make(chan struct{})
	go func() {
		defer close(others)
		endLogin(remember(&underWay{client: "another", ends: time.Now().Add(time.Minute)}))
	}()
	select {
	case <-others:
	case <-time.After(10 * time.Second):
		t.Error("another client's log-in waits for the token request of this one")
	}
	close(release)
	<-ended
	<-others
}
