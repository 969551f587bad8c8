package login

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/target"
	"lamplighter/module/internal/tokenendpoint"
)

// beginDevice begins a device authorization.
func (c *Client) beginDevice(ctx context.Context) (*adminapi.LoginAnswer, error) {
	endpoint, err := c.Server.Endpoint(ctx, "device_authorization_endpoint", c.Settings.DeviceAuthorizationEndpoint)
	if err != nil {
		if c.Settings.DeviceAuthorizationEndpoint == "" && c.Settings.AuthorizationEndpoint != "" {
			err = fmt.Errorf("%w, or log in without --device", err)
		}
		return nil, err
	}
	settings, err := c.Server.Resolve(c.Tokens)
	if err != nil {
		return nil, err
	}
	params := map[string][]string{}
	if scope := strings.Join(settings.Scope, " "); scope != "" {
		params["scope"] = []string{scope}
	}
	if settings.AuthorizationDetails != "" {
		params["authorization_details"] = []string{settings.AuthorizationDetails}
	}
	a, err := c.Server.Special(ctx, c.Tokens, endpoint, func(d *tokenendpoint.Dialect) {
		d.GrantType, d.Method, d.ParamsIn, d.NamesClient = "-", http.MethodPost, "form", true
		d.AccessTokenPath, d.ExpiresPath, d.ExpiresFormat, d.DefaultExpiresIn = "device_code", "expires_in", "seconds", loginLifetime
		d.IgnoreRefreshToken = true
		d.ResponsePaths = []string{"user_code", "verification_uri", "verification_uri_complete", "interval"}
	}, params)
	if err != nil {
		return nil, err
	}
	if a.Outcome != tokenendpoint.Granted || a.Response["user_code"] == "" || a.Response["verification_uri"] == "" {
		return nil, fmt.Errorf("client %s: the device authorization endpoint began no log-in: %s; %s", c.Name,
			strings.ReplaceAll(a.Detail, "token endpoint", "device authorization endpoint"), deviceRemedy(a))
	}
	complete := a.Response["verification_uri_complete"]
	if !target.IsWebAddress(complete) || redact.Text(complete) != complete {
		complete = "" // it is only for convenience
	}
	if err := checkDevice(a.Response["user_code"], a.Response["verification_uri"]); err != nil {
		return nil, fmt.Errorf("client %s: the device authorization endpoint began no log-in that anybody could finish: %w", c.Name, err)
	}
	under := &underWay{client: c.Name, deviceCode: a.AccessToken, interval: deviceInterval, ends: time.Now().Add(a.ExpiresIn)}
	if s, err := strconv.ParseFloat(a.Response["interval"], 64); err == nil && s > 0 {
		under.interval = time.Duration(s * float64(time.Second))
	}
	return &adminapi.LoginAnswer{
		State: remember(under), UserCode: a.Response["user_code"], VerificationURI: a.Response["verification_uri"],
		VerificationURIComplete: complete,
		ExpiresIn:               a.ExpiresIn.Seconds(), Interval: under.interval.Seconds(),
	}, nil
}

// checkDevice returns an error if a person could not open the address or enter the
// code, because they are something else, or hold a secret.
func checkDevice(code, address string) error {
	if redact.Text(code) != code || strings.TrimSpace(code) == "" || len(code) > maxUserCode {
		return fmt.Errorf("its user_code is %s", redact.Quote(code))
	}
	if !target.IsWebAddress(address) || redact.Text(address) != address {
		return fmt.Errorf("its verification_uri is %s, and no http or https address", redact.Quote(address))
	}
	return nil
}

// maxUserCode is longer than anything that is to be typed.
const maxUserCode = 128

// pollDevice asks once whether the user is done.
func (c *Client) pollDevice(ctx context.Context, state string, under *underWay) (*adminapi.LoginAnswer, error) {
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
func (under *underWay) goesOn(a tokenendpoint.Answer) time.Duration {
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

// deviceRemedy is what to do about a device authorization that did not begin.
func deviceRemedy(a tokenendpoint.Answer) string {
	const general = "check the setting device_authorization_endpoint, and that the client may use this grant"
	if a.Remedy == "" || a.Cause == tokenendpoint.CauseRedirect || a.Status > 0 && !a.ClientRefused && !a.Passes {
		return general
	}
	return a.Remedy
}
