package settings

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/internal/target"
	"lamplighter/module/nearest"
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
	e, err := c.Effective()
	if err != nil {
		return err
	}
	_, err = e.Compile()
	return err
}

// checkEndpoints checks which endpoints there are, and their URLs.
func (c *Client) checkEndpoints() error {
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
		"pushed_authorization_request_endpoint": c.PushedAuthorizationRequestEndpoint,
	} {
		if endpoint == "" || strings.Contains(endpoint, "{") {
			continue
		}
		if err := c.CheckEndpoint(setting, endpoint); err != nil {
			return err
		}
	}
	return nil
}

// checkRotation checks what becomes of a grant's old tokens, and when new ones come.
func (c *Client) checkRotation() error {
	switch c.Rotation {
	case "optional", "required", "ignore":
	default:
		return fmt.Errorf("rotation %q is unknown%s: use optional, required or ignore", c.Rotation, nearest.Hint(c.Rotation, "optional", "required", "ignore"))
	}
	if _, err := c.Drains(); err != nil {
		return err
	}
	if c.RefreshWindowRatio < 0 || c.RefreshWindowRatio >= 1 {
		return fmt.Errorf("refresh_window_ratio %v is out of range: it is the share of the lifetime that remains when the token is refreshed, above 0 and below 1, such as 1/3", c.RefreshWindowRatio)
	}
	return nil
}

// checkBounds checks the durations and sizes.
func (c *Client) checkBounds() error {
	for name, d := range map[string]caddy.Duration{
		"timeout": c.Timeout, "wait": c.Wait, "quiesce": c.Quiesce, "reuse_grace": c.ReuseGrace,
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
	switch {
	case c.MaxEntries < 0:
		return errors.New("max_entries must not be negative")
	case c.MaxEntries > 0 && !c.PerCaller():
		return errors.New("max_entries is of no use without a subject_token that is the caller's, such as {http.request.header.Authorization}")
	case *c.ReplayBuffer < 0:
		return errors.New("replay_buffer must not be negative: 0 never sends a body again")
	}
	return nil
}

// checkGrantEnd checks what is said of the end of a refresh token.
func (c *Client) checkGrantEnd() error {
	for setting, is := range map[string]bool{
		"refresh_token_expires_in": c.RefreshTokenExpiresIn != 0, "refresh_token_expires_path": c.RefreshTokenExpiresPath != "",
	} {
		if is && !c.Rotating() {
			return fmt.Errorf("%s is of no use: only grant_type refresh_token keeps a refresh token whose end matters, and not with 'rotation ignore'", setting)
		}
	}
	return nil
}

// CheckEndpoint checks the URL of an endpoint.
func (c *Client) CheckEndpoint(setting, endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Fragment != "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		// Not quoted: its query may hold a secret.
		return fmt.Errorf("%s is not an absolute http(s) URL without user and fragment", setting)
	}
	if u.Scheme == "http" && setting == "token_endpoint" && c.MutualTLS() {
		return fmt.Errorf("token_endpoint is plain http, where no certificate is presented: token_endpoint_auth_method %s needs https", c.TokenEndpointAuthMethod)
	}
	if u.Scheme == "http" && !c.AllowHTTP && !target.IsLoopback(u.Hostname()) {
		return fmt.Errorf("%s on %s is plain http, which would send secrets in the clear: use https, or add 'allow_http' if that network is trusted", setting, u.Host)
	}
	return nil
}

// checkProxySetting checks the setting `proxy` as far as it holds no placeholder.
func (c *Client) checkProxySetting() error {
	switch c.Proxy {
	case "", "none", "from_environment":
		return nil
	}
	if strings.Contains(c.Proxy, "{") {
		return nil
	}
	if _, err := target.ParseProxy(c.Proxy); err != nil {
		return fmt.Errorf("proxy: %w, none or from_environment", err)
	}
	return nil
}
