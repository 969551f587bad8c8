package login

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/keyfiles"
	"lamplighter/module/settings"
)

const redirect = "http://127.0.0.1:1/callback"

// codeServer is an authorization server with metadata for log-ins with a browser.
type codeServer struct {
	*httptest.Server
	metadata map[string]any
	push     func(w http.ResponseWriter)
	pushed   []url.Values
	tokens   []url.Values
	proofs   []string // with path and proof of each request that has one
}

func newCodeServer(t *testing.T, metadata map[string]any) *codeServer {
	t.Helper()
	s := &codeServer{metadata: metadata, push: func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"request_uri":"urn:ietf:params:oauth:request_uri:6esc","expires_in":60}`)
	}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if proof := r.Header.Get("DPoP"); proof != "" {
			s.proofs = append(s.proofs, r.URL.Path+" "+proof)
		}
		switch r.URL.Path {
		case "/.well-known/oauth-authorization-server":
			named := map[string]any{"issuer": s.URL, "token_endpoint": s.URL + "/token", "authorization_endpoint": s.URL + "/authorize"}
			for name, value := range s.metadata {
				if text, is := value.(string); is {
					value = s.URL + text
				}
				named[name] = value
			}
			_ = json.NewEncoder(w).Encode(named)
		case "/par":
			s.pushed = append(s.pushed, r.PostForm)
			s.push(w)
		case "/token":
			s.tokens = append(s.tokens, r.PostForm)
			fmt.Fprint(w, `{"access_token":"at-1234567890","refresh_token":"rt-1234567890","token_type":"Bearer","expires_in":60}`)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

const details = `[{"type":"payment","limit":{"amount":"{100}"}}]`

func (s *codeServer) client(t *testing.T, edit func(*settings.Client)) *Client {
	t.Helper()
	cfg := &settings.Client{
		Issuer: s.URL, ClientID: "app", TokenEndpointAuthMethod: "private_key_jwt", GrantType: "refresh_token",
		PrivateKey: "{file." + filepath.Join(keyfiles.Write(t), "mine.key") + "}",
		Scope:      []string{"a", "b"}, Resource: []string{"https://r1", "https://r2"}, AuthorizationDetails: []byte(details),
	}
	if edit != nil {
		edit(cfg)
	}
	return made(t, cfg)
}

// begins begins a log-in, and returns what the browser gets.
func begins(t *testing.T, c *Client) (*adminapi.LoginAnswer, url.Values) {
	t.Helper()
	answer, err := c.Step(t.Context(), adminapi.LoginRequest{RedirectURI: redirect})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(answer.AuthorizationURL)
	if err != nil || !strings.HasSuffix(u.Path, "/authorize") {
		t.Fatalf("the browser begins at %s: %v", answer.AuthorizationURL, err)
	}
	return answer, u.Query()
}

var requested = map[string][]string{
	"client_id": {"app"}, "response_type": {"code"}, "redirect_uri": {redirect}, "scope": {"a b"}, "resource": {"https://r1", "https://r2"},
	"authorization_details": {details}, "code_challenge_method": {"S256"},
}

func wantRequest(t *testing.T, state string, got url.Values) {
	t.Helper()
	for name, want := range requested {
		if !slices.Equal(got[name], want) {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if got.Get("state") != state || len(got.Get("code_challenge")) != 43 {
		t.Errorf("state and code_challenge are %q and %q", got.Get("state"), got.Get("code_challenge"))
	}
}

func TestARequestThatIsPushedLeavesTheBrowserAReferenceAlone(t *testing.T) {
	s := newCodeServer(t, map[string]any{"pushed_authorization_request_endpoint": "/par"})
	answer, browser := begins(t, s.client(t, nil))
	if want := (url.Values{"client_id": {"app"}, "request_uri": {"urn:ietf:params:oauth:request_uri:6esc"}}); browser.Encode() != want.Encode() {
		t.Errorf("the browser gets %v", browser)
	}
	if answer.OpenWithin != 60 || answer.Warning != "" || len(s.pushed) != 1 {
		t.Fatalf("%+v after %d requests", answer, len(s.pushed))
	}
	wantRequest(t, answer.State, s.pushed[0])
	if s.pushed[0].Get("client_assertion") == "" {
		t.Error("the client does not say who it is")
	}
}

func TestARequestIsPushedWhereTheSettingSaysSo(t *testing.T) {
	s := newCodeServer(t, nil)
	_, browser := begins(t, s.client(t, func(c *settings.Client) {
		c.Issuer, c.TokenEndpoint, c.AuthorizationEndpoint = "", s.URL+"/token", s.URL+"/authorize"
		c.PushedAuthorizationRequestEndpoint = s.URL + "/par"
	}))
	if browser.Get("request_uri") == "" || browser.Get("state") != "" {
		t.Errorf("the browser gets %v", browser)
	}
}

func TestWithoutPushingTheRequestGoesThroughTheBrowser(t *testing.T) {
	s := newCodeServer(t, nil)
	answer, browser := begins(t, s.client(t, nil))
	wantRequest(t, answer.State, browser)
	if answer.OpenWithin != 0 || answer.Warning != "" {
		t.Errorf("%+v", answer)
	}
}

func TestAServerThatDoesNotLetAClientPushIsAskedInTheUsualWayUnlessItTakesNoOther(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		falls  bool
	}{
		"forbidden":    {http.StatusForbidden, `{"error":"access_denied"}`, true},
		"not there":    {http.StatusNotFound, "", true},
		"not for this": {http.StatusBadRequest, `{"error":"unauthorized_client"}`, true},
		"a bad scope":  {http.StatusBadRequest, `{"error":"invalid_scope"}`, false},
		"a bad client": {http.StatusUnauthorized, `{"error":"invalid_client"}`, false},
		"down":         {http.StatusServiceUnavailable, "", false},
		"odd":          {http.StatusOK, `{}`, false},
	} {
		for _, demanded := range []bool{false, true} {
			s := newCodeServer(t, map[string]any{"pushed_authorization_request_endpoint": "/par", "require_pushed_authorization_requests": demanded})
			s.push = func(w http.ResponseWriter) {
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			}
			answer, err := s.client(t, nil).Step(t.Context(), adminapi.LoginRequest{RedirectURI: redirect})
			if tt.falls && !demanded {
				if err != nil || !strings.Contains(answer.Warning, "RFC 9126") || !strings.Contains(answer.AuthorizationURL, "code_challenge=") {
					t.Errorf("%s: %+v, %v", name, answer, err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), "RFC 9126") || strings.Contains(err.Error(), "token endpoint") && tt.status != http.StatusUnauthorized {
				t.Errorf("%s, demanded %v: %+v, %v", name, demanded, answer, err)
			}
		}
	}
}

func TestMetadataThatDemandsPushingAndNamesNoPlaceSaysWhatToAdd(t *testing.T) {
	s := newCodeServer(t, map[string]any{"require_pushed_authorization_requests": true})
	_, err := s.client(t, nil).Step(t.Context(), adminapi.LoginRequest{RedirectURI: redirect})
	if err == nil || !strings.Contains(err.Error(), "add 'pushed_authorization_request_endpoint <url>'") {
		t.Errorf("%v", err)
	}
}

func TestTheBrowserMustComeFromTheServerThatTheLogInWentTo(t *testing.T) {
	const itself, another = "itself", "https://attacker.example.com"
	for name, tt := range map[string]struct {
		named bool // by the metadata
		iss   string
		says  string // "" if the code is exchanged
	}{
		"its issuer":                     {true, itself, ""},
		"its issuer, unasked":            {false, itself, ""},
		"no issuer, where there is none": {false, "", ""},
		"no issuer, where there is one":  {true, "", "brought no iss"},
		"another issuer":                 {true, another, "came from the issuer"},
		"another issuer, unasked":        {false, another, "came from the issuer"},
		"its issuer with a slash":        {true, itself + "/", "came from the issuer"},
	} {
		for _, failure := range []string{"", "access_denied"} {
			s := newCodeServer(t, map[string]any{"authorization_response_iss_parameter_supported": tt.named})
			c := s.client(t, nil)
			answer, _ := begins(t, c)
			step := adminapi.LoginRequest{State: answer.State, Issuer: strings.Replace(tt.iss, itself, s.URL, 1), Error: failure}
			if failure == "" {
				step.Code = "the-code-1234"
			}
			_, err := c.Step(t.Context(), step)
			switch {
			case tt.says != "":
				if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "RFC 9207") || len(s.tokens) != 0 {
					t.Errorf("%s, %q: %v after %d token requests", name, failure, err, len(s.tokens))
				}
			case failure != "":
				if err == nil || !strings.Contains(err.Error(), failure) {
					t.Errorf("%s: %v", name, err)
				}
			case err != nil || len(s.tokens) != 1:
				t.Errorf("%s: %v after %d token requests", name, err, len(s.tokens))
			}
		}
	}
}

func TestAServerWhoseIssuerNobodyHasConfiguredIsBelieved(t *testing.T) {
	s := newCodeServer(t, nil)
	c := s.client(t, func(c *settings.Client) {
		c.Issuer, c.TokenEndpoint, c.AuthorizationEndpoint = "", s.URL+"/token", s.URL+"/authorize"
	})
	answer, _ := begins(t, c)
	if _, err := c.Step(t.Context(), adminapi.LoginRequest{State: answer.State, Code: "the-code-1234", Issuer: "https://whoever"}); err != nil {
		t.Error(err)
	}
}

func TestTheErrorOfALogInSaysWhatTheServerDemands(t *testing.T) {
	for description, want := range map[string]string{
		"Pushed Authorization Request must be used":           "pushed_authorization_request_endpoint",
		"Request Object must be used by this client":          "RFC 9101",
		"unknown authorization_details type":                  "RFC 9396",
		"resource indicator is missing, or unknown":           "RFC 8707",
		"DPoP proof of possession is required":                "RFC 9449",
		"client certificate bound access tokens are required": "RFC 8705",
		"redirect_uri did not match":                          "--redirect-uri",
	} {
		s := newCodeServer(t, nil)
		c := s.client(t, nil)
		answer, _ := begins(t, c)
		_, err := c.Step(t.Context(), adminapi.LoginRequest{State: answer.State, Error: "invalid_request", ErrorDescription: description})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", description, err)
		}
	}
}

func TestALogInNamesTheClient(t *testing.T) {
	s := newCodeServer(t, nil)
	c := s.client(t, func(c *settings.Client) {
		c.ClientID, c.TokenEndpointAuthMethod, c.PrivateKey, c.ClientAssertion = "", "", "", c.PrivateKey
	})
	if _, err := c.Step(t.Context(), adminapi.LoginRequest{RedirectURI: redirect}); err == nil || !strings.Contains(err.Error(), "client_id is missing") {
		t.Errorf("%v", err)
	}
}
