package settings

import (
	"errors"
	"fmt"
	"strings"

	"lamplighter/module/internal/tokenendpoint/signing"
)

// checkCredentials returns an error if the settings of client authentication and
// of the grant do not belong together.
func (c *Client) checkCredentials() error {
	if err := c.checkAuthentication(); err != nil {
		return err
	}
	return c.checkGrant()
}

func (c *Client) checkAuthentication() error {
	method := c.TokenEndpointAuthMethod
	if c.ClientID == "" && method != "none" && c.ClientAssertion == "" {
		return errors.New("client_id is missing: add 'client_id <id>', as the authorization server registered it")
	}
	switch method {
	case "client_secret_basic", "client_secret_post", "client_secret_jwt":
		if c.ClientSecret == "" && c.PrivateKey != "" {
			return fmt.Errorf("client_secret is missing: token_endpoint_auth_method %s needs it; to authenticate with private_key, add 'token_endpoint_auth_method private_key_jwt'", method)
		}
		if c.ClientSecret == "" {
			return fmt.Errorf("client_secret is missing: token_endpoint_auth_method %s needs it; a public client has 'token_endpoint_auth_method none'", method)
		}
	case "private_key_jwt":
		if c.PrivateKey == "" && c.ClientAssertion == "" {
			return errors.New("private_key is missing: token_endpoint_auth_method private_key_jwt signs with it: add 'private_key {file./path/to/key.pem}', or 'client_assertion {file./path/to/it}' if somebody else signs")
		}
	}
	if err := c.checkCertificate(); err != nil {
		return err
	}
	switch method {
	case "none", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth":
		if c.ClientSecret != "" {
			return fmt.Errorf("client_secret is of no use with token_endpoint_auth_method %s: remove one of them", method)
		}
	}
	if c.ClientSecretNext != "" && c.ClientSecret == "" {
		return errors.New("client_secret_next is of no use without client_secret")
	}
	return c.checkClientAssertion()
}

func (c *Client) checkGrant() error {
	grant := c.GrantType
	switch {
	case c.RefreshToken != "" && grant != "refresh_token":
		return fmt.Errorf("refresh_token is of no use with grant_type %s: remove one of them", grant)
	case grant == "refresh_token" && c.Rotation == "ignore" && c.RefreshToken == "":
		return errors.New("refresh_token is missing: with rotation ignore it is presented each time")
	case grant == "password" && (c.Username == "" || c.Password == ""):
		return errors.New("grant_type password needs username and password")
	case c.Password != "" && grant != "password" && knownGrants[grant]:
		return fmt.Errorf("password is of no use with grant_type %s: remove one of them", grant)
	case grant == "jwt_bearer" && c.Assertion == "" && c.PrivateKey == "":
		return errors.New("assertion is missing: grant_type jwt_bearer needs 'assertion {file…}', or 'private_key {file…}' to sign one with")
	case c.Assertion != "" && knownGrants[grant] && grant != "jwt_bearer":
		return fmt.Errorf("assertion is of no use with grant_type %s: remove one of them", grant)
	case grant == "token_exchange" && c.SubjectToken == "":
		return errors.New("subject_token is missing: grant_type token_exchange exchanges it: add 'subject_token {file…}', or 'subject_token {http.request.header.Authorization}' for the caller's own")
	case c.SubjectToken != "" && knownGrants[grant] && grant != "token_exchange":
		return fmt.Errorf("subject_token is of no use with grant_type %s: remove one of them", grant)
	case c.ActorToken != "" && c.ActorTokenType == "":
		return errors.New("actor_token_type is missing: RFC 8693 requires it beside actor_token")
	}
	if knownGrants[grant] && grant != "token_exchange" {
		for _, s := range []struct{ setting, value string }{
			{"subject_token_type", c.SubjectTokenType},
			{"actor_token", c.ActorToken},
			{"actor_token_type", c.ActorTokenType},
			{"requested_token_type", c.RequestedTokenType},
		} {
			if s.value != "" {
				return fmt.Errorf("%s is of no use with grant_type %s: remove it, or use grant_type token_exchange", s.setting, grant)
			}
		}
	}
	if _, err := c.subject(); err != nil {
		return err
	}
	if c.ActorTokenType != "" && c.ActorToken == "" {
		return errors.New("actor_token_type is of no use without actor_token: remove one, or add the other")
	}
	return c.checkSigning()
}

// checkSigning is about what is signed with the private key.
func (c *Client) checkSigning() error {
	signs := c.TokenEndpointAuthMethod == "private_key_jwt" && c.ClientAssertion == "" || c.GrantType == "jwt_bearer" && c.Assertion == "" || c.wantsAssertion()
	switch {
	case c.wantsAssertion() && c.PrivateKey == "":
		return errors.New("private_key is missing: {assertion} is signed with it")
	case c.PrivateKey != "" && !signs && !c.MutualTLS():
		return fmt.Errorf("private_key is of no use here: token_endpoint_auth_method %s and grant_type %s sign nothing: remove it, or add 'token_endpoint_auth_method private_key_jwt'", c.TokenEndpointAuthMethod, c.GrantType)
	case c.Certificate != "" && c.PrivateKey == "":
		return fmt.Errorf("certificate is of no use with token_endpoint_auth_method %s: remove it, or add the method tls_client_auth and a private_key", c.TokenEndpointAuthMethod)
	case !signs && c.TokenEndpointAuthMethod != "client_secret_jwt" && (c.SigningAlg != "" || c.KeyID != "" || len(c.Claim) > 0):
		return errors.New("signing_alg, key_id and claim are of no use here, because nothing is signed: remove them")
	case !signs && c.TokenEndpointAuthMethod != "client_secret_jwt" && c.AssertionAudience != "":
		return errors.New("assertion_audience is of no use here, because nothing is signed: remove it")
	}
	if err := c.checkAudience(); err != nil {
		return err
	}
	return signing.CheckClaims(literals(c.Claim))
}

// knownGrants are those whose inputs we know; any other grant may want anything.
var knownGrants = map[string]bool{
	"refresh_token": true, "client_credentials": true, "password": true, "jwt_bearer": true, "token_exchange": true,
}

// wantsAssertion reports whether a signed JWT goes into a header or parameter.
func (c *Client) wantsAssertion() bool {
	for _, values := range []map[string][]string{c.Param, c.Header} {
		for _, list := range values {
			if strings.Contains(strings.Join(list, " "), "{assertion}") {
				return true
			}
		}
	}
	return false
}

// PerCaller reports whether each caller has a token of its own.
func (c *Client) PerCaller() bool {
	return c.GrantType == "token_exchange" && strings.Contains(c.SubjectToken, "{http.")
}

// literals are the values without placeholders, which can be checked before
// anything is resolved.
func literals(values map[string]string) map[string]string {
	out := make(map[string]string)
	for name, value := range values {
		if !strings.Contains(value, "{env.") && !strings.Contains(value, "{file.") {
			out[name] = value
		}
	}
	return out
}
