package test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"lamplighter/test/internal/rig"
)

const (
	loginPath   = "/login"
	tokenPath   = "/oauth/token"
	redirectURI = "http://127.0.0.1/callback"
)

// authServer is zitadel/oidc's OpenID provider on a loopback socket, and a
// record of what it was asked.
type authServer struct {
	*storage
	t      *testing.T
	url    string
	client *registration
	api    *registration // of the API, which may introspect

	mu       sync.Mutex
	requests []tokenRequest
	secrets  []string // every token that it answered
	faults   []http.HandlerFunc
}

// tokenRequest is a token request as it arrived.
type tokenRequest struct {
	method, query, contentType string
	basicUser, basicPassword   string // as sent, not decoded
	basic                      bool
	form                       url.Values
}

func newAuthServer(t *testing.T, lifetime time.Duration, client *registration) *authServer {
	t.Helper()
	a := &authServer{
		t:      t,
		client: client,
		api:    &registration{id: "api", secret: rand.Text(), method: oidc.AuthMethodBasic},
	}
	var err error
	if a.storage, err = newStorage(lifetime, client, a.api); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	a.url = "http://" + server.Listener.Addr().String()
	config := &op.Config{CryptoKeyId: "key", AuthMethodPost: true, GrantTypeRefreshToken: true, CodeMethodS256: true, AuthMethodPrivateKeyJWT: true}
	config.DeviceAuthorization = op.DeviceAuthorizationConfig{
		Lifetime: time.Minute, PollInterval: time.Second, UserFormPath: "/device", UserCode: op.UserCodeBase20,
	}
	_, _ = rand.Read(config.CryptoKey[:])
	provider, err := op.NewProvider(config, a.storage, op.StaticIssuer(a.url), op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", provider)
	mux.Handle(tokenPath, a.recorded(provider))
	callback := op.AuthCallbackURL(provider)
	mux.Handle(loginPath, op.NewIssuerInterceptor(provider.IssuerFromRequest).HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, callback(r.Context(), r.URL.Query().Get("id")), http.StatusFound)
		}))
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(server.Close)
	return a
}

func (a *authServer) tokenEndpoint() string { return a.url + tokenPath }

// recorded notes token requests and their answers, unless a fault is due.
func (a *authServer) recorded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := a.nextFault(); fault != nil {
			fault(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			a.t.Errorf("reading a token request: %v", err)
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			a.t.Errorf("a token request's body is not a form: %v", err)
		}
		req := tokenRequest{method: r.Method, query: r.URL.RawQuery, contentType: r.Header.Get("Content-Type"), form: form}
		req.basicUser, req.basicPassword, req.basic = r.BasicAuth()
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		a.note(req, answer.Body.Bytes())
		copyAnswer(w, answer)
	})
}

func copyAnswer(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (a *authServer) note(req tokenRequest, answer []byte) {
	var tokens struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		IDToken      string `json:"id_token"`
	}
	if err := json.Unmarshal(answer, &tokens); err != nil {
		a.t.Errorf("the provider's answer is not JSON: %v", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, req)
	for _, s := range []string{tokens.AccessToken, tokens.RefreshToken, tokens.IDToken} {
		if s != "" {
			a.secrets = append(a.secrets, s)
		}
	}
}

// fail answers the next token requests in other ways than the provider does,
// which never sees them.
func (a *authServer) fail(faults ...http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, faults...)
}

func (a *authServer) nextFault() http.HandlerFunc {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.faults) == 0 {
		return nil
	}
	fault := a.faults[0]
	a.faults = a.faults[1:]
	return fault
}

// recordedRequests returns the token requests that the provider saw.
func (a *authServer) recordedRequests() []tokenRequest {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// everySecret returns every token there was, and the client's secret.
func (a *authServer) everySecret() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(slices.Clone(a.secrets), a.client.secret)
}

// login lets a human log in and grant the client its first refresh token, by the
// authorization code flow.
func (a *authServer) login() string {
	a.t.Helper()
	query := url.Values{
		"client_id":     {a.client.id},
		"redirect_uri":  {redirectURI},
		"response_type": {"code"},
		"scope":         {"openid offline_access"},
		"state":         {"state"},
	}
	browser := &http.Client{CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), redirectURI) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, err := browser.Get(a.url + "/authorize?" + query.Encode())
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	back, err := res.Location()
	if err != nil {
		body, _ := io.ReadAll(res.Body)
		a.t.Fatalf("the login ended with %d %s", res.StatusCode, body)
	}
	var tokens struct {
		RefreshToken string `json:"refresh_token"`
	}
	a.post(a.tokenEndpoint(), a.client, url.Values{
		"grant_type":   {"authorization_code"},
		"code":         {back.Query().Get("code")},
		"redirect_uri": {redirectURI},
	}, &tokens)
	if tokens.RefreshToken == "" {
		a.t.Fatal("the login yielded no refresh token")
	}
	return tokens.RefreshToken
}

// post sends a form as a client, which authenticates with client_secret_basic.
func (a *authServer) post(endpoint string, as *registration, form url.Values, answer any) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(as.id), url.QueryEscape(as.secret))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		a.t.Fatalf("%s answered %d %s", endpoint, res.StatusCode, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		a.t.Fatal(err)
	}
}

// newAPI starts an API that accepts what the authorization server introspects as
// an active token. Its answer is the token's number.
func newAPI(t *testing.T, a *authServer) *httptest.Server {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		var state struct {
			Active bool   `json:"active"`
			ID     string `json:"jti"`
		}
		if ok {
			a.introspect(r, token, &state)
		}
		if !state.Active {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			http.Error(w, "no valid token", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, state.ID)
	}))
	t.Cleanup(api.Close)
	return api
}

func (a *authServer) introspect(r *http.Request, token string, answer any) {
	form := url.Values{"token": {token}}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, a.url+"/oauth/introspect", strings.NewReader(form.Encode()))
	if err != nil {
		a.t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(a.api.id, a.api.secret)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return // the caller has gone, or the test is over
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(answer); err != nil && r.Context().Err() == nil {
		a.t.Errorf("introspection: %v", err)
	}
}

// number is the number of the token that a call carried.
func number(t *testing.T, a rig.Answer) int {
	t.Helper()
	n, err := strconv.Atoi(a.Body)
	if a.Status != http.StatusOK || err != nil {
		t.Fatalf("the call was answered %v", a)
	}
	return n
}

// basicHeader is the value of client_secret_basic on the wire (RFC 6749 2.3.1).
func basicHeader(id, secret string) string {
	return base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id) + ":" + url.QueryEscape(secret)))
}
