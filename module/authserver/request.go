package authserver

import (
	"cmp"
	"encoding/json"
	"hash/maphash"
	"net/http"
	"net/url"
	"slices"
	"unique"

	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/placeholder"
)

// CheckResolved returns an error if a value cannot be resolved, or is none that a
// token request can be made of. It asks nobody. Where secrets may be absent, and one
// is, nothing more is said but that, with where the client is configured.
func (c *Client) CheckResolved(declaredAt string) error {
	r := placeholder.Resolver{Where: placeholder.Where{Client: c.name, DeclaredAt: declaredAt}}
	req, err := c.resolve(&r)
	if err != nil || len(r.Missing) > 0 {
		return err
	}
	if err := c.checkProxies(req.URL); err != nil {
		return err
	}
	if req.URL == "" {
		req.URL = c.cfg.Issuer // which is not asked, but is a URL
	}
	return c.endpoint.Check(*req)
}

// Resolve reads the values of the next token request. Only the refresh token may be
// missing.
func (c *Client) Resolve(tokens Tokens) (*tokenendpoint.Request, error) {
	return c.resolve(&placeholder.Resolver{Token: tokens})
}

func (c *Client) resolve(r *placeholder.Resolver) (*tokenendpoint.Request, error) {
	cfg, id := c.cfg, &c.id
	req := &tokenendpoint.Request{
		URL:                r.Value("token_endpoint", id.TokenEndpoint),
		ClientID:           r.Value("client_id", id.ClientID),
		ClientSecret:       r.Value("client_secret", id.ClientSecret),
		ClientSecretNext:   r.Value("client_secret_next", cfg.ClientSecretNext),
		Username:           r.Value("username", cfg.Username),
		Password:           r.Value("password", cfg.Password),
		KeyID:              r.Value("key_id", cfg.KeyID),
		Claims:             r.Each("claim", cfg.Claim),
		Assertion:          r.Value("assertion", cfg.Assertion),
		ActorToken:         r.Value("actor_token", cfg.ActorToken),
		ActorTokenType:     cfg.ActorTokenType,
		RequestedTokenType: cfg.RequestedTokenType,
		Scope:              r.Values("scope", cfg.Scope),
		Audience:           r.Values("audience", cfg.Audience),
		Resource:           r.Values("resource", cfg.Resource),
		Params:             r.Multi("param", cfg.Param),
		Header:             http.Header(r.Multi("header", cfg.Header)),
	}
	if pair, err := c.pair.Load(); err == nil && pair != nil {
		req.Certificate, req.PrivateKey, req.Pair = pair.Chain, pair.Key, pair.Certificate
	} else {
		req.Certificate, req.PrivateKey = r.Value("certificate", cfg.Certificate), r.Value("private_key", cfg.PrivateKey)
	}
	if cfg.ClientAssertion != "" {
		req.ReadyAssertion = readyAssertion(cfg.ClientAssertion)
		redact.Remember(r.Value("client_assertion", cfg.ClientAssertion))
	}
	req.AuthorizationDetails = cfg.Details(r)
	_, err := c.boundGrant()
	r.Err = cmp.Or(r.Err, err)
	if cfg.SubjectToken != "" {
		req.SubjectTokenType = cfg.SubjectTokenType
	}
	if !cfg.PerCaller() {
		req.SubjectToken = r.Value("subject_token", cfg.SubjectToken)
	}
	redact.Remember(req.ClientSecret, req.ClientSecretNext, req.Password, req.PrivateKey, req.Assertion, req.ActorToken, req.SubjectToken)
	if req.ProofKey, err = c.ownKey(r); err != nil {
		return nil, err
	}
	if r.Err != nil {
		return nil, r.Err
	}
	if cfg.Issuer != "" && cfg.TokenEndpoint == "" || req.URL == "" && len(r.Missing) > 0 {
		return req, nil
	}
	if err := cfg.CheckEndpoint("token_endpoint", req.URL); err != nil {
		return nil, err
	}
	return req, nil
}

// Binding ties a record to what its tokens were obtained with: to the issuer, if
// the token endpoint is what it names. Tokens of other clients do not count: they
// change.
func (c *Client) Binding(req *tokenendpoint.Request) record.Binding {
	place := req.URL
	if place == "" {
		place = c.cfg.Issuer
	}
	var fixed placeholder.Resolver
	params := fixed.Multi("param", c.cfg.Param)
	b := record.Binding{Grant: record.FingerprintOfAll(place, req.ClientID)}
	if thumbprint, err := c.boundGrant(); err == nil && thumbprint != "" {
		b.Grant, b.Further = record.FingerprintOfAll(place, req.ClientID, thumbprint), "certificate"
	}
	asked := []any{slices.Sorted(slices.Values(req.Scope)), req.Audience, req.Resource, params, req.Username}
	// Of tokens that may be replaced at any time only their place counts.
	for _, further := range []any{req.AuthorizationDetails, req.Claims, c.cfg.Assertion, c.cfg.SubjectToken, c.cfg.ActorToken, req.RequestedTokenType} {
		if text, _ := json.Marshal(further); string(text) != "null" && string(text) != `""` {
			asked = append(asked, further)
		}
	}
	if grant := c.cfg.GrantType; grant != "refresh_token" {
		asked = append(asked, grant) // its token is another principal's
	}
	b.Request = record.FingerprintOfAll(asked...)
	b.TokenEndpoint = withoutQuery(place)
	return b
}

// Shown are the token endpoint and the authorization details that are asked for, as
// operators see them. It reads no secret: whoever looks at very many clients every few
// seconds, as a probe does, shall not cost them their files.
func (c *Client) Shown() (tokenEndpoint, authorizationDetails string) {
	var r placeholder.Resolver
	tokenEndpoint = cmp.Or(r.Value("token_endpoint", c.id.TokenEndpoint), c.cfg.Issuer)
	authorizationDetails = c.cfg.Details(&r)
	if r.Err != nil {
		return "", ""
	}
	return withoutQuery(tokenEndpoint), authorizationDetails
}

// withoutQuery is a URL as people see it: without what may be secret.
func withoutQuery(of string) string {
	u, err := url.Parse(of)
	if err != nil {
		return ""
	}
	// Most clients have it in common with very many others.
	return unique.Make((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()).Value()
}

// Inputs are what decisions need of the next token request: seed is the refresh token that
// was supplied, and seedFault why what was supplied is none.
func (c *Client) Inputs(req *tokenendpoint.Request, seed, seedFault string) step.Inputs {
	return step.Inputs{
		Seed: seed, SeedFault: seedFault, Binding: c.Binding(req), Credentials: c.credentials(req), Outdated: c.outdated(req), Proof: c.proof(req),
	}
}

// Bound stands for all that Binding is made of, as it is written.
func (c *Client) Bound() record.Fingerprint {
	cfg := c.cfg
	return record.FingerprintOfAll(cfg.GrantType, c.id.TokenEndpoint, cfg.Issuer, c.id.ClientID, cfg.Scope, cfg.Audience, cfg.Resource, cfg.Param,
		cfg.Username, cfg.Claim, cfg.Assertion, cfg.SubjectToken, cfg.ActorToken, cfg.RequestedTokenType, cfg.AuthorizationDetails)
}

var credentialsSeed = maphash.MakeSeed()

// credentials stand, within this process, for all that a token request is made of
// but the refresh token.
func (c *Client) credentials(req *tokenendpoint.Request) uint64 {
	d := c.cfg.Dialect(nil)
	b, _ := json.Marshal([]any{
		req.URL, c.cfg.Issuer, req.ClientID, req.ClientSecret, req.ClientSecretNext, req.PrivateKey, req.KeyID, req.Certificate, req.Claims,
		req.Username, req.Scope, req.Audience, req.Resource, c.cfg.Param, req.Header, c.cfg.ClientAssertion, c.cfg.AssertionAudience, req.AuthorizationDetails,
		d.Method, d.ParamsIn, d.AuthMethod, d.AssertionType, d.SigningAlg, d.BasicEncoding, d.GrantType, d.ParamNames,
		c.cfg.DPoP, c.proof(req).Key,
	})
	return maphash.Bytes(credentialsSeed, b)
}
