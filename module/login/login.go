// Package login answers how a human gives a client its first grant: by an authorization
// code with PKCE (RFC 7636), or on another device (RFC 8628).
//
// It knows what a client asks of its authorization server, and somebody who keeps a
// refresh token. It must not know keepers, records or HTTP servers of ours.
package login

import (
	"context"
	"errors"
	"fmt"

	"lamplighter/module/adminapi"
	"lamplighter/module/authserver"
	"lamplighter/module/cause"
	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/settings"
)

// Keeper keeps what a log-in yields.
type Keeper interface {
	// Keepable returns an error, fit for people, if a refresh token could not be kept now.
	Keepable(ctx context.Context) error

	// Keep imports a refresh token that was obtained with proofs of a key, nil if it was not,
	// and returns what the server says to it.
	Keep(ctx context.Context, refreshToken string, key *dpop.Key) (*adminapi.OrderResult, error)
}

// Client is whom a human logs in for.
type Client struct {
	Name     string
	Settings *settings.Client // with preset and defaults
	Server   *authserver.Client
	Tokens   authserver.Tokens // of other clients, for settings that hold one
	Keeper   Keeper
}

// Step takes a step of a log-in: the first one begins it, and the answer says how it
// goes on.
func (c *Client) Step(ctx context.Context, req adminapi.LoginRequest) (*adminapi.LoginAnswer, error) {
	if !c.Settings.Rotating() {
		return nil, fmt.Errorf("client %s keeps no refresh token, so there is nothing to log in for: it needs 'grant_type refresh_token', and no 'rotation ignore'", c.Name)
	}
	// A code is good for one exchange, and what that yields must find a place.
	if err := c.Keeper.Keepable(ctx); err != nil {
		return nil, fmt.Errorf("client %s: what a log-in yields could not be kept: %w", c.Name, err)
	}
	switch {
	case req.State == "" && req.Device:
		return c.beginDevice(ctx)
	case req.State == "":
		return c.beginCode(ctx, req.RedirectURI)
	}
	under, err := continueLogin(req.State, c.Name)
	if err != nil {
		return nil, err
	}
	if under.deviceCode != "" {
		return c.pollDevice(ctx, req.State, under)
	}
	redact.Remember(req.Code, under.verifier)
	endLogin(req.State) // a code is good for one attempt
	if err := under.checkIssuer(req.Issuer); err != nil {
		return nil, err
	}
	if req.Code == "" {
		return nil, c.refused(req)
	}
	return c.exchange(ctx, "authorization_code", map[string][]string{
		"code": {req.Code}, "redirect_uri": {under.redirectURI}, "code_verifier": {under.verifier},
	})
}

// exchange trades a code for a refresh token, and imports that.
func (c *Client) exchange(ctx context.Context, grantType string, params map[string][]string) (*adminapi.LoginAnswer, error) {
	a, err := c.ask(ctx, grantType, params)
	if err != nil {
		return nil, err
	}
	return c.loggedIn(ctx, a)
}

func (c *Client) ask(ctx context.Context, grantType string, params map[string][]string) (tokenendpoint.Answer, error) {
	req, err := c.Server.Resolve(c.Tokens)
	if err != nil {
		return tokenendpoint.Answer{}, err
	}
	for name, values := range req.Params { // such as a tenant
		if _, set := params[name]; !set {
			params[name] = values
		}
	}
	return c.Server.Special(ctx, c.Tokens, "", func(d *tokenendpoint.Dialect) {
		d.GrantType, d.NamesClient = grantType, grantType == deviceCodeType
	}, params)
}

func (c *Client) loggedIn(ctx context.Context, a tokenendpoint.Answer) (*adminapi.LoginAnswer, error) {
	if a.RefreshToken == "" {
		if a.Outcome == tokenendpoint.Granted {
			return nil, fmt.Errorf("client %s: the server issued an access token but no refresh token: ask for one, often with 'scope offline_access', or by the client's registration", c.Name)
		}
		return nil, fmt.Errorf("client %s: the log-in failed: %s", c.Name, c.failure(a))
	}
	result, err := c.Keeper.Keep(ctx, a.RefreshToken, a.Proved)
	if err != nil {
		return nil, err
	}
	return &adminapi.LoginAnswer{Result: result}, nil
}

// failure says why the server gave nothing, and what to do.
func (c *Client) failure(a tokenendpoint.Answer) string {
	switch a.Cause {
	case "access_denied", "expired_token": // RFC 8628 section 3.5
		why := cause.Of(a.Cause, "log-in").With("client", c.Name)
		return why.Sentence + " (" + a.Detail + "); " + why.Remedy
	case "use_dpop_nonce", "invalid_dpop_proof": // RFC 9449 section 12.2
		return a.Detail + "; " + a.Remedy
	}
	switch remedy := demanded(a.Cause + " " + a.Detail); {
	case remedy != "" && a.Outcome == tokenendpoint.Misconfigured && !a.ClientRefused:
		return a.Detail + "; " + remedy
	case a.Remedy == "":
		return a.Detail
	case a.Passes: // a log-in is not repeated by itself
		return a.Detail + "; " + cause.Of(tokenendpoint.CauseRequestRejected).With().Remedy
	}
	return a.Detail + "; " + a.Remedy
}

// refused is the error of a log-in that the browser brought an error from.
func (c *Client) refused(req adminapi.LoginRequest) error {
	// Whoever refuses may repeat secrets that no request was made with so far.
	if _, err := c.Server.Resolve(c.Tokens); err != nil {
		return fmt.Errorf("the authorization server refused the log-in, and what it says is not printed, since the client's secrets are not known: %w", err)
	}
	said := fmt.Sprintf("the authorization server refused the log-in: %s %s", redact.Quote(req.Error), redact.Quote(req.ErrorDescription))
	if remedy := demanded(req.Error + " " + req.ErrorDescription); remedy != "" {
		return errors.New(said + "; " + remedy)
	}
	return errors.New(said)
}
