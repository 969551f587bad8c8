package settings

import (
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/inject"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/nearest"
)

// Drains reports whether the old access token dies with its successor's birth.
func (c *Client) Drains() (bool, error) {
	switch c.RotationOverlap {
	case "none":
		return true, nil
	case "until_expiry":
		return false, nil
	}
	if d, err := caddy.ParseDuration(c.RotationOverlap); err != nil || d < 0 {
		return false, fmt.Errorf("rotation_overlap %q is unknown%s: use until_expiry, none or a duration such as 30s", c.RotationOverlap, nearest.Hint(c.RotationOverlap, "until_expiry", "none"))
	}
	return false, nil
}

// Rotating reports whether an answer may replace the refresh token, so that it
// must be kept durably.
func (c *Client) Rotating() bool {
	return c.GrantType == "refresh_token" && c.Rotation != "ignore"
}

// NewGrantBy are the ways in which the client can be given another grant: import, login and
// device, of which a log-in needs an endpoint, or an issuer whose metadata may name it. None if
// it keeps no refresh token.
func (c *Client) NewGrantBy() (ways []string) {
	if !c.Rotating() {
		return nil
	}
	ways = append(ways, "import")
	if c.AuthorizationEndpoint != "" || c.Issuer != "" {
		ways = append(ways, "login")
	}
	if c.DeviceAuthorizationEndpoint != "" || c.Issuer != "" {
		ways = append(ways, "device")
	}
	return ways
}

// LogsIn reports whether a human may log the client in.
func (c *Client) LogsIn() bool { return len(c.NewGrantBy()) > 1 }

// Dialect translates the settings for the token endpoint.
func (c *Client) Dialect(responsePaths []string) tokenendpoint.Dialect {
	if len(c.AuthorizationDetails) > 0 {
		responsePaths = append(slices.Clone(responsePaths), tokenendpoint.DetailsMember)
	}
	return tokenendpoint.Dialect{
		Method:           c.Method,
		ParamsIn:         c.ParamsIn,
		AuthMethod:       c.TokenEndpointAuthMethod,
		AssertionType:    c.assertionType(),
		CertificateBound: c.CertificateBound,
		SigningAlg:       c.SigningAlg,
		BasicEncoding:    c.BasicEncoding,
		GrantType:        c.GrantType,
		ParamNames:       c.ParamNames,
		AccessTokenPath:  c.AccessTokenPath,
		RefreshTokenPath: c.RefreshTokenPath,
		IDTokenPath:      c.IDTokenPath,
		ExpiresPath:      c.ExpiresPath,
		IssuedAtPath:     c.IssuedAtPath,
		ErrorPath:        c.ErrorPath,

		RefreshTokenExpiresPath: c.RefreshTokenExpiresPath,

		ExpiresFormat:      c.ExpiresFormat,
		DefaultExpiresIn:   time.Duration(c.DefaultExpiresIn),
		TerminalErrors:     c.TerminalErrors,
		AnyTokenType:       len(c.Inject) > 0,
		IgnoreRefreshToken: !c.Rotating(),
		ResponsePaths:      responsePaths,
	}
}

// injections are where the token goes, and where a caller's own is.
func (c *Client) injections() (*inject.Injections, error) {
	subject, err := c.subject()
	if err != nil {
		return nil, err
	}
	in, err := inject.Compile(c.Inject, subject)
	if err == nil && c.DPoP != nil {
		in.FollowScheme()
	}
	return in, err
}

// subject is where a caller's own token is, nil if there is no token for each caller.
func (c *Client) subject() (*inject.Subject, error) {
	if !c.PerCaller() {
		return nil, nil //nolint:nilnil // as said
	}
	return inject.CompileSubject(c.SubjectToken)
}
