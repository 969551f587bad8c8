package settings

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
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

// Effective returns the settings with the provider's preset below them and
// defaults where both are silent.
func (c *Client) Effective() (*Client, error) {
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
	if e.PerCaller() {
		setDefault(&e.MaxEntries, defaultMaxEntries)
	}
	if e.ReplayBuffer == nil {
		size := int64(defaultReplayBuffer)
		e.ReplayBuffer = &size
	}
	return &e, nil
}

// usualAuthMethod is that of RFC 6749, unless an assertion, or the lack of a secret
// beside that of the grant, already says who the client is.
func (c *Client) usualAuthMethod() string {
	if c.ClientAssertion != "" {
		return "private_key_jwt"
	}
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
