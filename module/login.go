package module

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/adminapi"
	"lamplighter/module/cause"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/origin"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/internal/words"
)

// Bounds of log-ins under way.
const (
	loginLifetime  = 10 * time.Minute
	loginsAtOnce   = 64
	deviceInterval = 5 * time.Second // RFC 8628 section 3.2
	deviceCodeType = "urn:ietf:params:oauth:grant-type:device_code"
)

// loginUnderWay is a log-in between its steps. It is made of secrets.
type loginUnderWay struct {
	client      string
	redirectURI string
	verifier    string
	deviceCode  string
	trouble     string // why the last answer was no help, "" if it was one
	interval    time.Duration
	ends        time.Time
}

// logins are those of the process: a reload amid one does not end it.
var logins = struct {
	sync.Mutex
	byState map[string]*loginUnderWay
}{byState: make(map[string]*loginUnderWay)}

func (a adminAPI) login(w http.ResponseWriter, r *http.Request, c *client) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, adminapi.MaxBody))
	var req adminapi.LoginRequest
	if err != nil || json.Unmarshal(b, &req) != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New("the body is no JSON of a log-in")}
	}
	answer, err := c.login(r.Context(), req)
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: printableErr(err)}
	}
	return writeJSON(w, http.StatusOK, answer)
}

// login takes a step.
func (c *client) login(ctx context.Context, req adminapi.LoginRequest) (*adminapi.LoginAnswer, error) {
	if !c.cfg.Rotating() {
		return nil, fmt.Errorf("client %s keeps no refresh token, so there is nothing to log in for: it needs 'grant_type refresh_token', and no 'rotation ignore'", c.name)
	}
	// A code is good for one exchange, and what that yields must find a place.
	if t := c.keeper.Keepable(ctx); t.Condition != grant.Well {
		detail, remedy := words.Of(t, c.about())
		return nil, fmt.Errorf("client %s: what a log-in yields could not be kept: %s; %s", c.name, detail, remedy)
	}
	switch {
	case req.State == "" && req.Device:
		return c.beginDevice(ctx)
	case req.State == "":
		return c.beginCode(ctx, req.RedirectURI)
	}
	under, err := continueLogin(req.State, c.name)
	if err != nil {
		return nil, err
	}
	if under.deviceCode != "" {
		return c.pollDevice(ctx, req.State, under)
	}
	redact.Remember(req.Code, under.verifier)
	endLogin(req.State) // a code is good for one attempt
	if req.Code == "" {
		return nil, c.loginRefused(req)
	}
	return c.exchange(ctx, "authorization_code", map[string][]string{
		"code": {req.Code}, "redirect_uri": {under.redirectURI}, "code_verifier": {under.verifier},
	})
}

// beginCode begins an authorization code grant with PKCE.
func (c *client) beginCode(ctx context.Context, redirectURI string) (*adminapi.LoginAnswer, error) {
	back, err := url.Parse(redirectURI)
	if err != nil || back.Scheme != "http" || !origin.IsLoopback(back.Hostname()) {
		return nil, errors.New("redirect_uri is no http URL on a loopback address")
	}
	raw, err := c.server.Endpoint(ctx, "authorization_endpoint", c.cfg.AuthorizationEndpoint)
	if err != nil {
		if c.cfg.AuthorizationEndpoint == "" && c.cfg.DeviceAuthorizationEndpoint != "" {
			err = fmt.Errorf("%w, or log in with --device", err)
		}
		return nil, err
	}
	settings, err := c.server.Resolve(c.otherToken)
	if err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("authorization_endpoint is no URL")
	}
	under := &loginUnderWay{client: c.name, redirectURI: redirectURI, verifier: rand.Text() + rand.Text(), ends: time.Now().Add(loginLifetime)}
	state := remember(under)
	challenge := sha256.Sum256([]byte(under.verifier))
	q := endpoint.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": settings.ClientID, "redirect_uri": redirectURI,
		"scope": strings.Join(settings.Scope, " "), "state": state,
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for _, resource := range settings.Resource {
		q.Add("resource", resource)
	}
	for _, audience := range settings.Audience {
		q.Add("audience", audience)
	}
	endpoint.RawQuery = q.Encode()
	return &adminapi.LoginAnswer{State: state, AuthorizationURL: endpoint.String(), ExpiresIn: loginLifetime.Seconds()}, nil
}

// beginDevice begins a device authorization.
func (c *client) beginDevice(ctx context.Context) (*adminapi.LoginAnswer, error) {
	endpoint, err := c.server.Endpoint(ctx, "device_authorization_endpoint", c.cfg.DeviceAuthorizationEndpoint)
	if err != nil {
		return nil, err
	}
	settings, err := c.server.Resolve(c.otherToken)
	if err != nil {
		return nil, err
	}
	params := map[string][]string{}
	if scope := strings.Join(settings.Scope, " "); scope != "" {
		params["scope"] = []string{scope}
	}
	a, err := c.server.Special(ctx, c.otherToken, endpoint, func(d *tokenendpoint.Dialect) {
		d.GrantType, d.Method, d.ParamsIn, d.NamesClient = "-", http.MethodPost, "form", true
		d.AccessTokenPath, d.ExpiresPath, d.ExpiresFormat, d.DefaultExpiresIn = "device_code", "expires_in", "seconds", loginLifetime
		d.IgnoreRefreshToken = true
		d.ResponsePaths = []string{"user_code", "verification_uri", "verification_uri_complete", "interval"}
	}, params)
	if err != nil {
		return nil, err
	}
	if a.Outcome != tokenendpoint.Granted || a.Response["user_code"] == "" || a.Response["verification_uri"] == "" {
		return nil, fmt.Errorf("client %s: the device authorization endpoint began no log-in: %s; %s", c.name,
			strings.ReplaceAll(a.Detail, "token endpoint", "device authorization endpoint"), deviceRemedy(a))
	}
	complete := a.Response["verification_uri_complete"]
	if !origin.IsWebAddress(complete) || redact.Text(complete) != complete {
		complete = "" // it is only for convenience
	}
	if err := checkDevice(a.Response["user_code"], a.Response["verification_uri"]); err != nil {
		return nil, fmt.Errorf("client %s: the device authorization endpoint began no log-in that anybody could finish: %w", c.name, err)
	}
	under := &loginUnderWay{client: c.name, deviceCode: a.AccessToken, interval: deviceInterval, ends: time.Now().Add(a.ExpiresIn)}
	if s, err := strconv.ParseFloat(a.Response["interval"], 64); err == nil && s > 0 {
		under.interval = time.Duration(s * float64(time.Second))
	}
	return &adminapi.LoginAnswer{
		State: remember(under), UserCode: a.Response["user_code"], VerificationURI: a.Response["verification_uri"],
		VerificationURIComplete: complete,
		ExpiresIn:               a.ExpiresIn.Seconds(), Interval: under.interval.Seconds(),
	}, nil
}

// loginRefused is the error of a log-in that the browser brought an error from.
func (c *client) loginRefused(req adminapi.LoginRequest) error {
	// Whoever refuses may repeat secrets that no request was made with so far.
	if _, err := c.server.Resolve(c.otherToken); err != nil {
		return fmt.Errorf("the authorization server refused the log-in, and what it says is not printed, since the client's secrets are not known: %w", err)
	}
	return fmt.Errorf("the authorization server refused the log-in: %s %s", redact.Quote(req.Error), redact.Quote(req.ErrorDescription))
}

// checkDevice returns an error if a person could not open the address or enter the
// code, because they are something else, or hold a secret.
func checkDevice(code, address string) error {
	if redact.Text(code) != code || strings.TrimSpace(code) == "" || len(code) > maxUserCode {
		return fmt.Errorf("its user_code is %s", redact.Quote(code))
	}
	if !origin.IsWebAddress(address) || redact.Text(address) != address {
		return fmt.Errorf("its verification_uri is %s, and no http or https address", redact.Quote(address))
	}
	return nil
}

// maxUserCode is longer than anything that is to be typed.
const maxUserCode = 128

// pollDevice asks once whether the user is done.
func (c *client) pollDevice(ctx context.Context, state string, under *loginUnderWay) (*adminapi.LoginAnswer, error) {
	a, err := c.ask(ctx, deviceCodeType, map[string][]string{"device_code": {under.deviceCode}})
	if err != nil {
		return nil, err
	}
	if again := under.goesOn(a); again > 0 {
		return &adminapi.LoginAnswer{State: state, Interval: again.Seconds()}, nil
	}
	endLogin(state)
	return c.loggedIn(ctx, a) // with no lock: the server may take its time
}

// goesOn returns after which time the server is to be asked again; 0 if the answer
// ends the log-in.
func (under *loginUnderWay) goesOn(a tokenendpoint.Answer) time.Duration {
	logins.Lock()
	defer logins.Unlock()
	switch {
	case a.Cause == "slow_down": // RFC 8628 section 3.5
		under.interval += deviceInterval
		fallthrough
	case a.Cause == "authorization_pending":
		under.trouble = ""
	case a.RefreshToken == "" && mayAskAgain(a):
		under.trouble = a.Detail
	default:
		return 0
	}
	return under.interval
}

// mayAskAgain reports whether an answer to a device code leaves hope: whatever the
// server says of the request itself ends the log-in, in whatever words.
func mayAskAgain(a tokenendpoint.Answer) bool {
	ofTheRequest := a.Status >= 400 && a.Status < 500 && a.Status != http.StatusRequestTimeout && a.Status != http.StatusTooManyRequests
	return a.Passes && !ofTheRequest
}

// exchange trades a code for a refresh token, and imports that.
func (c *client) exchange(ctx context.Context, grantType string, params map[string][]string) (*adminapi.LoginAnswer, error) {
	a, err := c.ask(ctx, grantType, params)
	if err != nil {
		return nil, err
	}
	return c.loggedIn(ctx, a)
}

func (c *client) ask(ctx context.Context, grantType string, params map[string][]string) (tokenendpoint.Answer, error) {
	req, err := c.server.Resolve(c.otherToken)
	if err != nil {
		return tokenendpoint.Answer{}, err
	}
	for name, values := range req.Params { // such as a tenant
		if _, set := params[name]; !set {
			params[name] = values
		}
	}
	return c.server.Special(ctx, c.otherToken, "", func(d *tokenendpoint.Dialect) {
		d.GrantType, d.NamesClient = grantType, grantType == deviceCodeType
	}, params)
}

func (c *client) loggedIn(ctx context.Context, a tokenendpoint.Answer) (*adminapi.LoginAnswer, error) {
	if a.RefreshToken == "" {
		if a.Outcome == tokenendpoint.Granted {
			return nil, fmt.Errorf("client %s: the server issued an access token but no refresh token: ask for one, often with 'scope offline_access', or by the client's registration", c.name)
		}
		return nil, fmt.Errorf("client %s: the log-in failed: %s", c.name, c.loginFailure(a))
	}
	res, err := c.keeper.Import(ctx, a.RefreshToken, true)
	if err != nil {
		return nil, err
	}
	result := orderResult(c, res)
	return &adminapi.LoginAnswer{Result: &result}, nil
}

// loginFailure says why the server gave nothing, and what to do.
func (c *client) loginFailure(a tokenendpoint.Answer) string {
	switch a.Cause {
	case "access_denied", "expired_token": // RFC 8628 section 3.5
		why := cause.Of(a.Cause, "log-in").With("client", c.name)
		return why.Sentence + " (" + a.Detail + "); " + why.Remedy
	}
	switch {
	case a.Remedy == "":
		return a.Detail
	case a.Passes: // a log-in is not repeated by itself
		return a.Detail + "; " + cause.Of(tokenendpoint.CauseRequestRejected).With().Remedy
	}
	return a.Detail + "; " + a.Remedy
}

// deviceRemedy is what to do about a device authorization that did not begin.
func deviceRemedy(a tokenendpoint.Answer) string {
	const general = "check the setting device_authorization_endpoint, and that the client may use this grant"
	if a.Remedy == "" || a.Cause == tokenendpoint.CauseRedirect || a.Status > 0 && !a.ClientRefused && !a.Passes {
		return general
	}
	return a.Remedy
}

// remember keeps a log-in and returns the state that names it.
func remember(under *loginUnderWay) (state string) {
	logins.Lock()
	defer logins.Unlock()
	oldest := ""
	for s, l := range logins.byState {
		if time.Now().After(l.ends) {
			delete(logins.byState, s)
			continue
		}
		if oldest == "" || l.ends.Before(logins.byState[oldest].ends) {
			oldest = s
		}
	}
	if len(logins.byState) >= loginsAtOnce {
		delete(logins.byState, oldest)
	}
	state = rand.Text()
	logins.byState[state] = under
	return state
}

func continueLogin(state, client string) (*loginUnderWay, error) {
	logins.Lock()
	defer logins.Unlock()
	under := logins.byState[state]
	if under != nil && under.client == client && under.trouble != "" && time.Now().After(under.ends) {
		return nil, fmt.Errorf("client %s: the time of the log-in is over, and this came of the last question: %s", client, under.trouble)
	}
	if under == nil || under.client != client || time.Now().After(under.ends) {
		return nil, fmt.Errorf("client %s: there is no such log-in under way, or its time is over: begin again with 'lamplighter tokens login %s'", client, client)
	}
	return under, nil
}

func endLogin(state string) {
	logins.Lock()
	defer logins.Unlock()
	delete(logins.byState, state)
}
