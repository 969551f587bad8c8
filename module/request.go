package module

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"slices"
	"unique"

	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint"
	"lamplighter/module/placeholder"
)

// checkResolved returns an error if a value cannot be resolved, or is none that a
// token request can be made of. It asks nobody.
func (c *client) checkResolved() error {
	req, err := c.resolveWith(nil)
	if err != nil {
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

// resolve reads the values of the next token request. Only the refresh token
// may be missing.
func (c *client) resolve() (*tokenendpoint.Request, error) {
	return c.resolveWith(c.otherToken)
}

func (c *client) resolveWith(token func(string) (string, error)) (*tokenendpoint.Request, error) {
	r := placeholder.Resolver{Token: token}
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
	if pair, err := c.pair.load(); err == nil && pair != nil {
		req.Certificate, req.PrivateKey, req.Pair = pair.chain, pair.key, pair.certificate
	} else {
		req.Certificate, req.PrivateKey = r.Value("certificate", cfg.Certificate), r.Value("private_key", cfg.PrivateKey)
	}
	if cfg.SubjectToken != "" {
		req.SubjectTokenType = cfg.SubjectTokenType
	}
	if !cfg.PerCaller() {
		req.SubjectToken = r.Value("subject_token", cfg.SubjectToken)
	}
	redact.Remember(req.ClientSecret, req.ClientSecretNext, req.Password, req.PrivateKey, req.Assertion, req.ActorToken, req.SubjectToken)
	if r.Err != nil {
		return nil, r.Err
	}
	if cfg.Issuer != "" && cfg.TokenEndpoint == "" {
		return req, nil
	}
	if err := cfg.CheckEndpoint("token_endpoint", req.URL); err != nil {
		return nil, err
	}
	return req, nil
}

// otherToken returns the access token of another client.
func (c *client) otherToken(name string) (string, error) {
	if t := c.others[name].keeper.Current(); t != nil {
		return t.AccessToken, nil
	}
	return "", &keeper.NotYet{Detail: fmt.Sprintf("client %s, whose access token it sends, has none yet", name)}
}

// inputs are what the keeper needs for the next token request.
func (c *client) inputs() (keeper.Inputs, error) {
	req, err := c.resolve()
	if err != nil {
		return keeper.Inputs{}, printableErr(err)
	}
	// A seed that is gone is none: the record goes on without it.
	seed, err := c.suppliedSeed()
	if err != nil && !c.cfg.Rotating() {
		return keeper.Inputs{}, printableErr(err)
	}
	redact.Remember(seed)
	fault := ""
	if _, odd := errors.AsType[notAToken](err); odd {
		fault = err.Error()
	}
	return keeper.Inputs{
		Inputs: grant.Inputs{Seed: seed, SeedFault: fault, Binding: c.binding(req), Credentials: c.credentials(req)},
		Revoke: c.revocation(),
		Ask: func(ctx context.Context, refreshToken string, beforeSend func() error) tokenendpoint.Answer {
			ask := *req
			ask.RefreshToken, ask.BeforeSend = refreshToken, beforeSend
			ctx, done := c.traces.span(ctx, c)
			answer := c.do(ctx, ask)
			done(answer)
			return answer
		},
	}, nil
}

// binding ties a record to what its tokens were obtained with: to the issuer, if
// the token endpoint is what it names. Tokens of other clients do not count: they
// change.
func (c *client) binding(req *tokenendpoint.Request) record.Binding {
	place := req.URL
	if place == "" {
		place = c.cfg.Issuer
	}
	var fixed placeholder.Resolver
	params := fixed.Multi("param", c.cfg.Param)
	b := record.Binding{Grant: fingerprint(place, req.ClientID)}
	asked := []any{slices.Sorted(slices.Values(req.Scope)), req.Audience, req.Resource, params, req.Username}
	// Of tokens that may be replaced at any time only their place counts.
	for _, further := range []any{req.Claims, c.cfg.Assertion, c.cfg.SubjectToken, c.cfg.ActorToken, req.RequestedTokenType} {
		if text, _ := json.Marshal(further); string(text) != "null" && string(text) != `""` {
			asked = append(asked, further)
		}
	}
	b.Request = fingerprint(asked...)
	if u, err := url.Parse(place); err == nil {
		b.TokenEndpoint = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	}
	// Most clients have it in common with very many others.
	b.TokenEndpoint = unique.Make(b.TokenEndpoint).Value()
	return b
}

var credentialsSeed = maphash.MakeSeed()

// credentials stand, within this process, for all that a token request is made of
// but the refresh token.
func (c *client) credentials(req *tokenendpoint.Request) uint64 {
	d := c.cfg.Dialect(nil)
	b, _ := json.Marshal([]any{
		req.URL, c.cfg.Issuer, req.ClientID, req.ClientSecret, req.ClientSecretNext, req.PrivateKey, req.KeyID, req.Certificate, req.Claims,
		req.Username, req.Scope, req.Audience, req.Resource, c.cfg.Param, req.Header,
		d.Method, d.ParamsIn, d.AuthMethod, d.SigningAlg, d.BasicEncoding, d.GrantType, d.ParamNames,
	})
	return maphash.Bytes(credentialsSeed, b)
}

func fingerprint(values ...any) record.Fingerprint {
	b, _ := json.Marshal(values) // strings, slices and maps of strings only
	return record.FingerprintOf(string(b))
}
