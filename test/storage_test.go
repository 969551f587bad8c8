package test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// storage is what the authorization server remembers. Its refresh tokens rotate
// without grace: using one deletes it and its access token.
type storage struct {
	op.Storage // nothing else is ever called

	key      *ecdsa.PrivateKey
	lifetime time.Duration
	clients  map[string]*registration

	mu      sync.Mutex
	issued  int
	logins  map[string]*login
	codes   map[string]string
	access  map[string]accessToken
	refresh map[string]*refreshToken
	spent   map[string]bool
	replays int                                     // spent refresh tokens that were presented
	devices map[string]*op.DeviceAuthorizationState // by device code
}

type accessToken struct {
	client  string
	expires time.Time
}

type refreshToken struct {
	grant  grant
	access string
}

func newStorage(lifetime time.Duration, clients ...*registration) (*storage, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s := &storage{
		key:      key,
		lifetime: lifetime,
		clients:  make(map[string]*registration),
		logins:   make(map[string]*login),
		codes:    make(map[string]string),
		access:   make(map[string]accessToken),
		refresh:  make(map[string]*refreshToken),
		spent:    make(map[string]bool),
	}
	for _, c := range clients {
		s.clients[c.id] = c
	}
	return s, err
}

// seen returns how many access tokens were issued, and how many spent refresh
// tokens were presented.
func (s *storage) seen() (issued, replays int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued, s.replays
}

// refreshTokens returns every refresh token there ever was.
func (s *storage) refreshTokens() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(slices.Collect(maps.Keys(s.refresh)), slices.Collect(maps.Keys(s.spent))...)
}

// Logging in, by the authorization code flow.

func (s *storage) CreateAuthRequest(_ context.Context, req *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &login{
		grant:       grant{client: req.ClientID, subject: "erika", scopes: req.Scopes, at: time.Now()},
		id:          rand.Text(),
		redirectURI: req.RedirectURI,
		state:       req.State,
	}
	if req.CodeChallenge != "" {
		l.challenge = &oidc.CodeChallenge{Challenge: req.CodeChallenge, Method: req.CodeChallengeMethod}
	}
	s.logins[l.id] = l
	return l, nil
}

func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.logins[id]; l != nil {
		return l, nil
	}
	return nil, errors.New("no such login")
}

func (s *storage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	id := s.codes[code]
	s.mu.Unlock()
	return s.AuthRequestByID(ctx, id)
}

func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = id
	return nil
}

func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.logins, id)
	return nil
}

// Tokens.

func (s *storage) CreateAccessToken(_ context.Context, req op.TokenRequest) (string, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issue(req.GetSubject())
}

func (s *storage) CreateAccessAndRefreshTokens(_ context.Context, req op.TokenRequest, current string) (id, next string, expires time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var g grant
	switch req := req.(type) {
	case *login:
		g = req.grant
	case *grant:
		g = *req
	case *op.DeviceAuthorizationState:
		g = grant{client: req.ClientID, subject: req.Subject, scopes: req.Scopes, at: req.AuthTime}
	default:
		return "", "", time.Time{}, fmt.Errorf("no refresh token for a %T", req)
	}
	if current != "" {
		old := s.refresh[current]
		if old == nil {
			return "", "", time.Time{}, op.ErrInvalidRefreshToken
		}
		delete(s.refresh, current)
		delete(s.access, old.access)
		s.spent[current] = true
	}
	id, expires, err = s.issue(g.client)
	// Opaque to clients, and with characters that must be encoded on the way.
	next = rand.Text() + "+/=&%20"
	s.refresh[next] = &refreshToken{grant: g, access: id}
	return id, next, expires, err
}

// issue numbers access tokens, so that tests can tell older from newer.
func (s *storage) issue(client string) (string, time.Time, error) {
	s.issued++
	id := fmt.Sprint(s.issued)
	expires := time.Now().Add(s.lifetime)
	s.access[id] = accessToken{client, expires}
	return id, expires, nil
}

func (s *storage) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spent[token] {
		s.replays++
	}
	known := s.refresh[token]
	if known == nil {
		return nil, op.ErrInvalidRefreshToken
	}
	g := known.grant
	return &g, nil
}

func (s *storage) SetIntrospectionFromToken(_ context.Context, res *oidc.IntrospectionResponse, id, _, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	token, ok := s.access[id]
	if !ok || time.Now().After(token.expires) {
		return errors.New("not a valid token")
	}
	res.JWTID = id
	res.ClientID = token.client
	return nil
}

// Clients.

func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if c := s.clients[id]; c != nil {
		return c, nil
	}
	return nil, errors.New("no such client")
}

func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if c := s.clients[id]; c == nil || c.secret != secret {
		return errors.New("wrong secret")
	}
	return nil
}

func (s *storage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := s.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return s.clients[id], nil
}

func (s *storage) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: id, Scopes: scopes}, nil
}

// What ID tokens need.

func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return signingKey{s.key}, nil }

func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

func (s *storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

func (s *storage) Health(context.Context) error { return nil }

type signingKey struct{ key *ecdsa.PrivateKey }

func (signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k signingKey) Key() any                                  { return k.key }
func (signingKey) ID() string                                  { return "key" }

// grant is what a human granted to a client. It stands for a request with its
// refresh token.
type grant struct {
	client, subject string
	scopes          []string
	at              time.Time
}

func (g *grant) GetAMR() []string            { return []string{"pwd"} }
func (g *grant) GetAudience() []string       { return []string{g.client} }
func (g *grant) GetAuthTime() time.Time      { return g.at }
func (g *grant) GetClientID() string         { return g.client }
func (g *grant) GetScopes() []string         { return g.scopes }
func (g *grant) GetSubject() string          { return g.subject }
func (g *grant) SetCurrentScopes(s []string) { g.scopes = s }

// login is an authorization request.
type login struct {
	grant
	id, redirectURI, state string
	challenge              *oidc.CodeChallenge
}

func (l *login) GetID() string                         { return l.id }
func (l *login) GetACR() string                        { return "" }
func (l *login) GetCodeChallenge() *oidc.CodeChallenge { return l.challenge }
func (l *login) GetNonce() string                      { return "" }
func (l *login) GetRedirectURI() string                { return l.redirectURI }
func (l *login) GetResponseType() oidc.ResponseType    { return oidc.ResponseTypeCode }
func (l *login) GetResponseMode() oidc.ResponseMode    { return "" }
func (l *login) GetState() string                      { return l.state }
func (l *login) Done() bool                            { return true } // the human agrees at once

// registration is a client that the server knows.
type registration struct {
	id, secret string
	method     oidc.AuthMethod
	grants     []oidc.GrantType
	native     bool            // any loopback port is a redirect URI
	key        *rsa.PrivateKey // signs its assertions
}

func (r *registration) GetID() string                    { return r.id }
func (r *registration) RedirectURIs() []string           { return []string{redirectURI} }
func (r *registration) PostLogoutRedirectURIs() []string { return nil }
func (r *registration) ApplicationType() op.ApplicationType {
	if r.native {
		return op.ApplicationTypeNative
	}
	return op.ApplicationTypeWeb
}
func (r *registration) AuthMethod() oidc.AuthMethod { return r.method }
func (r *registration) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (r *registration) GrantTypes() []oidc.GrantType        { return r.grants }
func (r *registration) LoginURL(id string) string           { return loginPath + "?id=" + id }
func (r *registration) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeBearer }
func (r *registration) IDTokenLifetime() time.Duration      { return time.Hour }
func (r *registration) DevMode() bool                       { return true }
func (r *registration) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (r *registration) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
func (r *registration) IsScopeAllowed(string) bool           { return true }
func (r *registration) IDTokenUserinfoClaimsAssertion() bool { return false }
func (r *registration) ClockSkew() time.Duration             { return 0 }

var (
	_ op.Storage                  = (*storage)(nil)
	_ op.ClientCredentialsStorage = (*storage)(nil)
	_ op.AuthRequest              = (*login)(nil)
	_ op.RefreshTokenRequest      = (*grant)(nil)
	_ op.Client                   = (*registration)(nil)
)
