package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/target"
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
	under := &underWay{client: c.Name, redirectURI: redirectURI, verifier: rand.Text() + rand.Text(), ends: time.Now().Add(loginLifetime)}
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
