package module

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/inject"
	"lamplighter/module/internal/origin"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/rejection"
)

// Defaults of the client settings, in one place.
const (
	defaultRefreshWindowRatio = 1.0 / 3
	defaultMinRefreshInterval = time.Second
	defaultTimeout            = 30 * time.Second
	defaultWait               = 10 * time.Second
	defaultQuiesce            = 2 * time.Second
	defaultReplayBuffer       = 64 << 10
	defaultMaxEntries         = 10000
)

var clientName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,62}$`)

// CheckName returns an error if a client cannot have that name.
func CheckName(name string) error {
	if clientName.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q is not a client name: use up to 63 lower-case letters, digits, '_', '.' and '-', starting with a letter or digit", name)
}

// Check returns an error for settings that cannot work, whatever the environment
// holds: it resolves no placeholder and touches neither network nor files.
func (c *Client) Check() error {
	e, err := c.effective()
	if err != nil {
		return err
	}
	return e.check()
}

// effective returns the settings with the provider's preset below them and
// defaults where both are silent.
func (c *Client) effective() (*Client, error) {
	e := *c
	if c.Provider != "" {
		merged, err := c.overPreset()
		if err != nil {
			return nil, err
		}
		e = *merged
	} else if c.ProviderBase != "" {
		return nil, errors.New("provider_base: it needs a provider")
	}
	if e.GrantType == "" {
		e.GrantType = "client_credentials"
		if e.RefreshToken != "" {
			e.GrantType = "refresh_token"
		}
	}
	setDefault(&e.TokenEndpointAuthMethod, e.usualAuthMethod())
	if e.GrantType == "token_exchange" {
		setDefault(&e.SubjectTokenType, "urn:ietf:params:oauth:token-type:access_token")
	}
	setDefault(&e.Rotation, "optional")
	setDefault(&e.RotationOverlap, "until_expiry")
	setDefault(&e.RefreshWindowRatio, defaultRefreshWindowRatio)
	setDefault(&e.MinRefreshInterval, caddy.Duration(defaultMinRefreshInterval))
	setDefault(&e.Timeout, caddy.Duration(defaultTimeout))
	setDefault(&e.Wait, caddy.Duration(defaultWait))
	setDefault(&e.Quiesce, caddy.Duration(defaultQuiesce))
	if e.perCaller() {
		setDefault(&e.MaxEntries, defaultMaxEntries)
	}
	if e.ReplayBuffer == nil {
		size := int64(defaultReplayBuffer)
		e.ReplayBuffer = &size
	}
	return &e, nil
}

// usualAuthMethod is that of RFC 6749, unless the grant's own assertion, or the
// lack of a secret beside it, already says who the client is.
func (c *Client) usualAuthMethod() string {
	if c.ClientSecret == "" && c.GrantType == "jwt_bearer" {
		return "none"
	}
	return "client_secret_basic"
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// check checks effective settings.
func (c *Client) check() error {
	switch {
	case c.TokenEndpoint == "" && c.Issuer == "":
		return errors.New("token_endpoint is missing: add 'token_endpoint <url>', 'issuer <url>', or a 'provider' that knows it")
	case c.Issuer != "" && c.Provider != "" && c.TokenEndpoint != "":
		return fmt.Errorf("issuer names the endpoints, and provider %s does too, or token_endpoint is there: remove issuer, or the others", c.Provider)
	case c.Issuer != "" && c.TokenEndpoint != "":
		return errors.New("issuer names the endpoints, so token_endpoint is of no use beside it: remove one of them")
	case strings.Contains(c.Issuer, "{"):
		return errors.New("issuer cannot hold a placeholder, because the record of the grant is bound to it: write it out, or as {$VARIABLE} in the Caddyfile")
	case strings.ContainsAny(c.Issuer, "?#"):
		return errors.New("issuer has a query or fragment, which no issuer has (RFC 8414 section 2): write it as the server's metadata does")
	}
	for setting, endpoint := range map[string]string{
		"issuer": c.Issuer, "token_endpoint": c.TokenEndpoint, "authorization_endpoint": c.AuthorizationEndpoint,
		"device_authorization_endpoint": c.DeviceAuthorizationEndpoint, "revocation_endpoint": c.RevocationEndpoint,
	} {
		if endpoint == "" || strings.Contains(endpoint, "{") {
			continue
		}
		if err := c.checkEndpoint(setting, endpoint); err != nil {
			return err
		}
	}
	if err := c.checkProxySetting(); err != nil {
		return err
	}
	if err := c.checkCredentials(); err != nil {
		return err
	}
	switch c.Rotation {
	case "optional", "required", "ignore":
	default:
		return fmt.Errorf("rotation %q is unknown: use optional, required or ignore", c.Rotation)
	}
	if _, err := c.drains(); err != nil {
		return err
	}
	if c.RefreshWindowRatio < 0 || c.RefreshWindowRatio >= 1 {
		return fmt.Errorf("refresh_window_ratio %v is out of range: it is the share of the lifetime that remains when the token is refreshed, above 0 and below 1, such as 1/3", c.RefreshWindowRatio)
	}
	for name, d := range map[string]caddy.Duration{
		"timeout": c.Timeout, "wait": c.Wait, "quiesce": c.Quiesce,
		"min_refresh_interval": c.MinRefreshInterval, "default_expires_in": c.DefaultExpiresIn,
		"refresh_token_expires_in": c.RefreshTokenExpiresIn,
	} {
		if d < 0 {
			return fmt.Errorf("%s must not be negative", name)
		}
	}
	if err := c.checkGrantEnd(); err != nil {
		return err
	}
	if c.MaxEntries < 0 {
		return errors.New("max_entries must not be negative")
	}
	if c.MaxEntries > 0 && !c.perCaller() {
		return errors.New("max_entries is of no use without a subject_token that is the caller's, such as {http.request.header.Authorization}")
	}
	if *c.ReplayBuffer < 0 {
		return errors.New("replay_buffer must not be negative: 0 never sends a body again")
	}
	if c.Store != nil && c.Store.Kind != "" && c.Store.Kind != "file" {
		return fmt.Errorf("store %q is unknown: the only kind is file", c.Store.Kind)
	}
	if _, err := c.injections(); err != nil {
		return err
	}
	if _, err := rejection.Compile(c.Rejected, c.RejectedOff); err != nil {
		return err
	}
	if _, err := compileAllow(c.Allow, false); err != nil {
		return err
	}
	_, err := tokenendpoint.New(c.dialect(nil), tokenendpoint.Connection{}, time.Now)
	return err
}

// checkGrantEnd checks what is said of the end of a refresh token.
func (c *Client) checkGrantEnd() error {
	for setting, is := range map[string]bool{
		"refresh_token_expires_in": c.RefreshTokenExpiresIn != 0, "refresh_token_expires_path": c.RefreshTokenExpiresPath != "",
	} {
		if is && !c.rotating() {
			return fmt.Errorf("%s is of no use: only grant_type refresh_token keeps a refresh token whose end matters, and not with 'rotation ignore'", setting)
		}
	}
	return nil
}

// checkEndpoint checks the URL of an endpoint.
func (c *Client) checkEndpoint(setting, endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		// Not quoted: its query may hold a secret.
		return fmt.Errorf("%s is not an absolute http(s) URL without user and fragment", setting)
	}
	if u.Scheme == "http" && setting == "token_endpoint" && c.TokenEndpointAuthMethod == "tls_client_auth" {
		return errors.New("token_endpoint is plain http, where no certificate is presented: token_endpoint_auth_method tls_client_auth needs https")
	}
	if u.Scheme == "http" && !c.AllowHTTP && !origin.IsLoopback(u.Hostname()) {
		return fmt.Errorf("%s on %s is plain http, which would send secrets in the clear: use https, or add 'allow_http' if that network is trusted", setting, u.Host)
	}
	return nil
}

// drains reports whether the old access token dies with its successor's birth.
func (c *Client) drains() (bool, error) {
	switch c.RotationOverlap {
	case "none":
		return true, nil
	case "until_expiry":
		return false, nil
	}
	if d, err := caddy.ParseDuration(c.RotationOverlap); err != nil || d < 0 {
		return false, fmt.Errorf("rotation_overlap %q is unknown: use until_expiry, none or a duration such as 30s", c.RotationOverlap)
	}
	return false, nil
}

// rotating reports whether an answer may replace the refresh token, so that it
// must be kept durably.
func (c *Client) rotating() bool {
	return c.GrantType == "refresh_token" && c.Rotation != "ignore"
}

// dialect translates the settings for the token endpoint.
func (c *Client) dialect(responsePaths []string) tokenendpoint.Dialect {
	return tokenendpoint.Dialect{
		Method:           c.Method,
		ParamsIn:         c.ParamsIn,
		AuthMethod:       c.TokenEndpointAuthMethod,
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
		IgnoreRefreshToken: !c.rotating(),
		ResponsePaths:      responsePaths,
	}
}

// injections are where the token goes, and where a caller's own is.
func (c *Client) injections() (*inject.Injections, error) {
	subject, err := c.subject()
	if err != nil {
		return nil, err
	}
	return inject.Compile(c.Inject, subject)
}

// subject is where a caller's own token is, nil if there is no token for each caller.
func (c *Client) subject() (*inject.Subject, error) {
	if !c.perCaller() {
		return nil, nil //nolint:nilnil // as said
	}
	return inject.CompileSubject(c.SubjectToken)
}
