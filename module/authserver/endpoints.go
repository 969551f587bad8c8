package authserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/internal/tokenendpoint/discovery"
	"lamplighter/module/placeholder"
)

// Special asks another endpoint of the authorization server, or with endpoint ""
// the token endpoint with another grant, in the client's dialect and with its
// authentication. What is particular to the client's own grant is left out.
func (c *Client) Special(ctx context.Context, tokens Tokens, endpoint string, edit func(*tokenendpoint.Dialect), params map[string][]string) (tokenendpoint.Answer, error) {
	return c.special(ctx, tokens, endpoint, endpoint == "", edit, params)
}

// Push is Special of the endpoint that authorization requests are pushed to, which takes proofs
// as the token endpoint does (RFC 9449 section 10.1).
func (c *Client) Push(ctx context.Context, tokens Tokens, endpoint string, edit func(*tokenendpoint.Dialect), params map[string][]string) (tokenendpoint.Answer, error) {
	return c.special(ctx, tokens, endpoint, true, edit, params)
}

func (c *Client) special(
	ctx context.Context, tokens Tokens, endpoint string, proves bool, edit func(*tokenendpoint.Dialect), params map[string][]string,
) (tokenendpoint.Answer, error) {
	req, err := c.Resolve(tokens)
	if err != nil {
		return tokenendpoint.Answer{}, err
	}
	dialect := c.cfg.Dialect(nil)
	dialect.IgnoreRefreshToken = false
	edit(&dialect)
	compiled, err := tokenendpoint.Compile(dialect)
	if err != nil {
		return tokenendpoint.Answer{}, err
	}
	asker := tokenendpoint.New(compiled, c.connection, time.Now)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.cfg.Timeout))
	defer cancel()
	ask := *req
	if err := c.locate(ctx, &ask); err != nil {
		return tokenendpoint.Answer{}, err
	}
	if endpoint != "" {
		ask.AssertionAudience = cmp.Or(ask.AssertionAudience, ask.URL)
		ask.URL, ask.Setting = endpoint, "the setting of that endpoint"
	}
	if proves {
		if err := c.prove(&ask); err != nil {
			return tokenendpoint.Answer{}, err
		}
	}
	if ask.Prover != nil && endpoint != "" {
		ask.Prover.NoToken = true
	}
	ask.Params = params
	ask.Username, ask.Password, ask.Assertion = "", "", ""
	ask.SubjectToken, ask.SubjectTokenType, ask.ActorToken, ask.ActorTokenType, ask.RequestedTokenType = "", "", "", "", ""
	ask.Scope, ask.Audience, ask.Resource, ask.AuthorizationDetails = nil, nil, nil, ""
	a, again := c.authenticated(ctx, asker, ask)
	if again {
		a, _ = c.authenticated(ctx, asker, ask)
	}
	return a, nil
}

// Endpoint reads the URL of an endpoint that not every client has.
func (c *Client) Endpoint(ctx context.Context, setting, raw string) (string, error) {
	if raw == "" && c.cfg.Issuer != "" {
		m, err := c.issuerMetadata(ctx)
		if err != nil {
			return "", err
		}
		raw = map[string]string{
			"authorization_endpoint": m.AuthorizationEndpoint, "device_authorization_endpoint": m.DeviceAuthorizationEndpoint,
			"revocation_endpoint": m.RevocationEndpoint,
		}[setting]
		if raw == "" {
			return "", fmt.Errorf("the metadata of issuer %s names no %s", c.cfg.Issuer, setting)
		}
		return raw, nil // checked when it was read
	}
	if raw == "" {
		return "", fmt.Errorf("client %s has no %s: add that setting", c.name, setting)
	}
	var r placeholder.Resolver
	endpoint := r.Value(setting, raw)
	if r.Err != nil {
		return "", r.Err
	}
	if err := c.cfg.CheckEndpoint(setting, endpoint); err != nil || setting == "authorization_endpoint" {
		return endpoint, err
	}
	return endpoint, c.checkProxy(setting, endpoint)
}

// PushEndpoint returns where authorization requests are pushed (RFC 9126), "" if nowhere, and
// whether the server takes no others.
func (c *Client) PushEndpoint(ctx context.Context) (endpoint string, demanded bool, err error) {
	const setting = "pushed_authorization_request_endpoint"
	var m discovery.Metadata
	if c.cfg.Issuer != "" {
		if m, err = c.issuerMetadata(ctx); err != nil {
			return "", false, err
		}
	}
	demanded = bool(m.RequirePushedAuthorizationRequests)
	switch {
	case c.cfg.PushedAuthorizationRequestEndpoint != "":
		endpoint, err = c.Endpoint(ctx, setting, c.cfg.PushedAuthorizationRequestEndpoint)
		return endpoint, demanded, err
	case demanded && m.PushedAuthorizationRequestEndpoint == "":
		return "", true, fmt.Errorf("the metadata of issuer %s demands pushed authorization requests (RFC 9126) and names no place for them: add '%s <url>'", c.cfg.Issuer, setting)
	}
	return m.PushedAuthorizationRequestEndpoint, demanded, nil
}

// Answers returns the issuer that the answers to authorization requests are of, "" if nobody
// has configured it, and whether each of them names it (RFC 9207).
func (c *Client) Answers(ctx context.Context) (issuer string, named bool, err error) {
	if c.cfg.Issuer == "" {
		return "", false, nil
	}
	m, err := c.issuerMetadata(ctx)
	return c.cfg.Issuer, bool(m.AuthorizationResponseIssParameterSupported), err
}

// Revocation ends a grant at the server (RFC 7009), nil if that is not possible.
// Its parameters are always a form.
func (c *Client) Revocation(tokens Tokens) func(ctx context.Context, refreshToken string) error {
	if c.cfg.RevocationEndpoint == "" && c.cfg.Issuer == "" {
		return nil
	}
	return func(ctx context.Context, refreshToken string) error {
		endpoint, err := c.Endpoint(ctx, "revocation_endpoint", c.cfg.RevocationEndpoint)
		if err != nil {
			return err
		}
		redact.Remember(refreshToken)
		a, err := c.Special(ctx, tokens, endpoint, func(d *tokenendpoint.Dialect) {
			d.GrantType, d.Method, d.ParamsIn = "-", http.MethodPost, "form"
		}, map[string][]string{"token": {refreshToken}, "token_type_hint": {"refresh_token"}})
		switch {
		case err != nil:
			return err
		case a.Status == http.StatusOK || a.Status == http.StatusNoContent:
			return nil // RFC 7009 section 2.2: whatever the body says
		case a.Status > 0:
			return fmt.Errorf("the revocation endpoint answered %d", a.Status)
		}
		return errors.New("the revocation endpoint did not answer: " + a.Detail)
	}
}
