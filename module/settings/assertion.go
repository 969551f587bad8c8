package settings

import (
	"errors"
	"fmt"
	"strings"
)

// assertionTypes are the short names of client_assertion_type (RFC 7521 section 4.2).
var assertionTypes = map[string]string{
	"":           "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", // RFC 7523 section 2.2
	"jwt-bearer": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
	"jwt-spiffe": "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe", // draft-ietf-oauth-spiffe-client-auth
}

// assertionType is the client_assertion_type as it is sent, "" if there is none of that
// name.
func (c *Client) assertionType() string {
	if uri, ok := assertionTypes[c.ClientAssertionType]; ok {
		return uri
	}
	if scheme, rest, ok := strings.Cut(c.ClientAssertionType, ":"); ok && scheme != "" && rest != "" {
		return c.ClientAssertionType
	}
	return ""
}

// checkClientAssertion is about an assertion that somebody else makes.
func (c *Client) checkClientAssertion() error {
	switch {
	case c.ClientAssertion == "" && c.ClientAssertionType != "":
		return errors.New("client_assertion_type is of no use without client_assertion: assertions that are signed here are of the type jwt-bearer")
	case c.ClientAssertion == "":
		return nil
	case c.TokenEndpointAuthMethod != "private_key_jwt":
		return fmt.Errorf("client_assertion authenticates the client, and token_endpoint_auth_method %s does so in another way: remove one of them", c.TokenEndpointAuthMethod)
	case c.PrivateKey != "":
		return errors.New("private_key is of no use beside client_assertion, which is sent as it stands: remove one of them")
	case len(c.Claim) > 0:
		return errors.New("claim is of no use beside client_assertion, which is sent as it stands: have whoever makes it put that claim into it")
	case c.assertionType() == "":
		return fmt.Errorf("client_assertion_type %q is unknown: use jwt-bearer, jwt-spiffe or an absolute URI", c.ClientAssertionType)
	}
	return nil
}

// checkAudience is about the audience of assertions that are signed here.
func (c *Client) checkAudience() error {
	switch c.AssertionAudience {
	case "", "token_endpoint":
		return nil
	case "issuer":
		if c.Issuer == "" {
			return errors.New("assertion_audience issuer needs the setting issuer; without it, write 'claim aud <issuer>'")
		}
		return nil
	}
	return fmt.Errorf("assertion_audience %q is unknown: use issuer or token_endpoint", c.AssertionAudience)
}

// AudienceIsIssuer reports whether assertions that are signed here call the server by its
// issuer identifier, and not by its token endpoint.
func (c *Client) AudienceIsIssuer() bool {
	return c.Issuer != "" && c.AssertionAudience != "token_endpoint"
}
