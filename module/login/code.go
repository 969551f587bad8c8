package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/target"
	"lamplighter/module/internal/tokenendpoint"
)

// beginCode begins an authorization code grant with PKCE.
func (c *Client) beginCode(ctx context.Context, redirectURI string) (*adminapi.LoginAnswer, error) {
	back, err := url.Parse(redirectURI)
	if err != nil || back.Scheme != "http" || !target.IsLoopback(back.Hostname()) {
		return nil, errors.New("redirect_uri is no http URL on a loopback address")
	}
	raw, err := c.Server.Endpoint(ctx, "authorization_endpoint", c.Settings.AuthorizationEndpoint)
	if err != nil {
		if c.Settings.AuthorizationEndpoint == "" && c.Settings.DeviceAuthorizationEndpoint != "" {
			err = fmt.Errorf("%w, or log in with --device", err)
		}
		return nil, err
	}
	settings, err := c.Server.Resolve(c.Tokens)
	if err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("authorization_endpoint is no URL")
	}
	if settings.ClientID == "" {
		return nil, fmt.Errorf("client %s: client_id is missing: a log-in names the client: add 'client_id <id>'", c.Name)
	}
	under := &underWay{client: c.Name, redirectURI: redirectURI, verifier: rand.Text() + rand.Text(), ends: time.Now().Add(loginLifetime)}
	if under.issuer, under.namesIssuer, err = c.Server.Answers(ctx); err != nil {
		return nil, err
	}
	if under.proves, err = c.Server.ProofThumbprint(ctx, settings); err != nil {
		return nil, err
	}
	state := remember(under)
	params := under.request(settings, state)
	p, err := c.push(ctx, params)
	if err != nil {
		endLogin(state)
		return nil, err
	}
	if p.requestURI != "" { // only that goes through the browser (RFC 9126 section 4)
		params = map[string][]string{"request_uri": {p.requestURI}}
	}
	params["client_id"] = []string{settings.ClientID}
	q := endpoint.Query()
	maps.Copy(q, params)
	endpoint.RawQuery = q.Encode()
	return &adminapi.LoginAnswer{
		State: state, AuthorizationURL: endpoint.String(), ExpiresIn: loginLifetime.Seconds(), OpenWithin: p.within, Warning: p.warning,
	}, nil
}

// request are the parameters of an authorization request, but for client_id (RFC 6749
// section 4.1.1, RFC 7636 section 4.3, RFC 9449 section 10).
func (under *underWay) request(settings *tokenendpoint.Request, state string) map[string][]string {
	challenge := sha256.Sum256([]byte(under.verifier))
	params := make(map[string][]string)
	for name, value := range map[string]string{
		"response_type": "code", "redirect_uri": under.redirectURI,
		"scope": strings.Join(settings.Scope, " "), "state": state, "authorization_details": settings.AuthorizationDetails, "dpop_jkt": under.proves,
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "code_challenge_method": "S256",
	} {
		if value != "" {
			params[name] = []string{value}
		}
	}
	for name, values := range map[string][]string{"resource": settings.Resource, "audience": settings.Audience} {
		if len(values) > 0 {
			params[name] = values
		}
	}
	return params
}
