package tokenendpoint

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"lamplighter/module/internal/tokenendpoint/signing"
)

// jwtAssertion is the client_assertion_type of RFC 7523 section 2.2.
const jwtAssertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// placeholder is where Params and Header take the assertion that was signed.
const placeholder = "{assertion}"

// withAssertions returns the request with the JWTs that it needs, signed afresh.
func (c *Client) withAssertions(r Request) (Request, error) {
	signs := c.dialect.AuthMethod == "private_key_jwt" || c.dialect.AuthMethod == "client_secret_jwt"
	forGrant := c.signsGrant(&r)
	claims := r.Claims
	if forGrant {
		claims = nil // they are the grant's
	}
	var err error
	switch {
	case r.ReadyAssertion != nil:
		if r.clientAssertion, err = r.ReadyAssertion.Take(c.now()); err != nil {
			return r, err
		}
	case signs:
		if r.clientAssertion, err = c.sign(&r, c.dialect.AuthMethod == "client_secret_jwt", r.ClientID, claims); err != nil {
			return r, err
		}
	}
	if !forGrant {
		return r, nil
	}
	subject := r.ClientID
	if r.Username != "" {
		subject = r.Username
	}
	jwt, err := c.sign(&r, false, subject, r.Claims)
	if err != nil {
		return r, err
	}
	r.signed = jwt
	if c.dialect.GrantType == jwtBearer && r.Assertion == "" {
		r.Assertion, r.Username = jwt, "" // the claim sub says it
	}
	r.Params = withAssertion(r.Params, jwt)
	r.Header = http.Header(withAssertion(r.Header, jwt))
	return r, nil
}

// signsGrant reports whether a JWT is wanted that is not for client
// authentication.
func (c *Client) signsGrant(r *Request) bool {
	if c.dialect.GrantType == jwtBearer && r.Assertion == "" {
		return true
	}
	return mentions(r.Params) || mentions(r.Header)
}

func mentions(values map[string][]string) bool {
	for _, list := range values {
		if slices.ContainsFunc(list, func(v string) bool { return strings.Contains(v, placeholder) }) {
			return true
		}
	}
	return false
}

func withAssertion(values map[string][]string, jwt string) map[string][]string {
	out := maps.Clone(values)
	for name, list := range values {
		list = slices.Clone(list)
		for i := range list {
			list[i] = strings.ReplaceAll(list[i], placeholder, jwt)
		}
		out[name] = list
	}
	return out
}

// sign makes a JWT (RFC 7523 section 3): issuer and audience are the client and
// the token endpoint, unless overrides say otherwise.
func (c *Client) sign(r *Request, withSecret bool, subject string, overrides map[string]string) (string, error) {
	return signing.Sign(
		signing.Assertion{Issuer: r.ClientID, Subject: subject, Audience: audience(r), Claims: overrides},
		signing.Key{
			Symmetric: withSecret, Secret: r.ClientSecret,
			PrivateKey: r.PrivateKey, ID: r.KeyID, Certificate: r.Certificate, Alg: c.dialect.SigningAlg,
		},
		c.now(),
	)
}

// audience is the token endpoint as assertions name it, without its query.
func audience(r *Request) string {
	endpoint := cmp.Or(r.AssertionAudience, r.URL)
	u, err := url.Parse(endpoint)
	if err != nil {
		return endpoint
	}
	u.RawQuery, u.Fragment = "", ""
	return u.String()
}
