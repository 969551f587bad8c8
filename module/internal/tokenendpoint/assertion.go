package tokenendpoint

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// assertionLifetime is how long an assertion may be used, unless the claim exp
// says otherwise. Each attempt signs one of its own.
const assertionLifetime = 5 * time.Minute

// assertionType is the client_assertion_type of RFC 7523 section 2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

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
	if signs {
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
	key, options, err := c.signingKey(r, withSecret)
	if err != nil {
		return "", err
	}
	claims, err := assertionClaims(r, subject, overrides, c.now())
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("claim: %w", err)
	}
	signer, err := jose.NewSigner(key, options.WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("the assertion cannot be signed with %s", key.Algorithm)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("the assertion cannot be signed with %s", key.Algorithm)
	}
	return signed.CompactSerialize()
}

func (c *Client) signingKey(r *Request, withSecret bool) (key jose.SigningKey, options *jose.SignerOptions, err error) {
	options = new(jose.SignerOptions)
	alg := c.dialect.SigningAlg
	id := r.KeyID
	if withSecret {
		if alg == "" {
			alg = hmacAlgs[0]
		}
		if least := hmacKeys[alg]; len(r.ClientSecret) < least {
			return key, nil, fmt.Errorf("client_secret is too short for signing_alg %s, which wants at least %d bytes (RFC 7518 section 3.2)", alg, least)
		}
		key = jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: []byte(r.ClientSecret)}
	} else {
		private, err := parseKey(r.PrivateKey)
		if err != nil {
			return key, nil, fmt.Errorf("private_key: %w", err)
		}
		if id == "" {
			id = private.id
		}
		if alg == "" && private.alg != "" {
			if key.Algorithm, err = algorithm(private.key, private.alg); err != nil {
				return key, nil, fmt.Errorf("private_key: the alg of the JWK: %w", err)
			}
		} else if key.Algorithm, err = algorithm(private.key, alg); err != nil {
			return key, nil, err
		}
		key.Key = private.key
	}
	if id != "" {
		options.WithHeader("kid", id)
	}
	if signer, ok := key.Key.(crypto.Signer); ok && r.Certificate != "" {
		x5t, err := thumbprint(r.Certificate, signer)
		if err != nil {
			return key, nil, err
		}
		options.WithHeader("x5t#S256", x5t)
	}
	return key, options, nil
}

// assertionClaims lays overrides over the claims that RFC 7523 requires: "-"
// omits one, "json:…" is the JSON after it, and a time may be a duration from
// now.
func assertionClaims(r *Request, subject string, overrides map[string]string, now time.Time) (map[string]any, error) {
	claims := map[string]any{
		"iss": r.ClientID, "sub": subject, "aud": audience(r),
		"iat": now.Unix(), "exp": now.Add(assertionLifetime).Unix(), "jti": rand.Text(),
	}
	for name, value := range overrides {
		typed, isJSON := strings.CutPrefix(value, "json:")
		switch {
		case value == "-":
			delete(claims, name)
		case isJSON && !json.Valid([]byte(typed)):
			return nil, fmt.Errorf("claim %s is no JSON after 'json:'", name)
		case isJSON:
			claims[name] = json.RawMessage(typed)
		case name == "exp", name == "iat", name == "nbf":
			d, err := time.ParseDuration(value)
			if err != nil {
				return nil, fmt.Errorf("claim %s is no duration from now, such as 10m or -30s", name)
			}
			claims[name] = now.Add(d).Unix()
		default:
			claims[name] = value
		}
	}
	return claims, nil
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

// CheckClaims returns an error for claims that no assertion can hold.
func CheckClaims(claims map[string]string) error {
	_, err := assertionClaims(&Request{}, "", claims, time.Time{})
	return err
}
