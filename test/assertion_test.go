package test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"lamplighter/test/internal/rig"
)

// What the authorization server needs to verify assertions.

func (s *storage) GetKeyByIDAndClientID(_ context.Context, keyID, client string) (*jose.JSONWebKey, error) {
	c := s.clients[client]
	if c == nil || c.key == nil || keyID != "key-1" {
		return nil, errors.New("no such key")
	}
	return &jose.JSONWebKey{Key: c.key.Public(), KeyID: keyID, Algorithm: "RS256", Use: "sig"}, nil
}

func (s *storage) ValidateJWTProfileScopes(_ context.Context, _ string, scopes []string) ([]string, error) {
	return scopes, nil
}

var _ op.JWTProfileKeyStorage = (*storage)(nil)

// newRSAKey returns a private key, and its PEM text.
func newRSAKey(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// assertionIDs returns the jti of each assertion, verified with the client's key.
func assertionIDs(t *testing.T, c *registration, param string, requests []tokenRequest) map[string]bool {
	t.Helper()
	seen := make(map[string]bool)
	for _, r := range requests {
		jws, err := jose.ParseSigned(r.form.Get(param), []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := jws.Verify(c.key.Public())
		if err != nil {
			t.Fatal(err)
		}
		var claims struct{ JTI string }
		if err := json.Unmarshal(payload, &claims); err != nil || claims.JTI == "" {
			t.Fatalf("an assertion has no jti: %v", err)
		}
		seen[claims.JTI] = true
		if r.basic || r.query != "" || r.form.Has("client_secret") {
			t.Error("credentials were sent beside the assertion")
		}
		isFormPost(t, r)
	}
	return seen
}

// TestPrivateKeyJWT lets a rotating grant live by signed assertions alone, with
// endpoints that the issuer's metadata names, and gives it another key on the way.
func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	client := &registration{
		id: "erp", secret: awkward, method: oidc.AuthMethodBasic,
		grants: []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken},
	}
	var text string
	client.key, text = newRSAKey(t)
	server := newAuthServer(t, lifetime, client)
	api := newAPI(t, server)
	dir, address := rig.Home(t), rig.FreeAddress(t)
	rig.Write(t, dir, "key.pem", text)
	rig.Write(t, dir, "seed", server.login()+"\n")
	server.mu.Lock()
	client.method = oidc.AuthMethodPrivateKeyJWT // the log-in was made with the secret
	server.mu.Unlock()
	rig.Write(t, dir, "Caddyfile", rig.Config(t, address, api.URL, fmt.Sprintf(`
				issuer %[1]s
				client_id erp
				token_endpoint_auth_method private_key_jwt
				private_key {file.key.pem}
				key_id key-1
				claim aud %[1]s
				refresh_token {file.seed}
				rotation required
				rotation_overlap none`, server.url)))

	s := rig.RunSidecar(t, dir, address)
	last := callThrough(t, s, number(t, rig.Get(t, s.Address, "/orders"))+2)
	s.Kill()
	s = rig.RunSidecar(t, dir, address)
	callThrough(t, s, last+2)
	if err := s.End(rig.Terminate); err != nil {
		t.Errorf("it ended with %v", err)
	}

	issued, replays := server.seen()
	requests := server.recordedRequests()[1:] // the first is the login's
	if replays != 0 || len(requests) != issued-1 {
		t.Errorf("%d token requests yielded %d tokens, %d spent refresh tokens were presented", len(requests), issued-1, replays)
	}
	if ids := assertionIDs(t, client, "client_assertion", requests); len(ids) != len(requests) {
		t.Errorf("%d requests shared %d assertions", len(requests), len(ids))
	}
	checkRecord(t, dir)
}

// TestJWTBearerGrant has no secret at all: the assertion is the grant.
func TestJWTBearerGrant(t *testing.T) {
	t.Parallel()
	client := &registration{id: "robot", method: oidc.AuthMethodNone}
	var text string
	client.key, text = newRSAKey(t)
	server := newAuthServer(t, lifetime, client)
	api := newAPI(t, server)
	dir, address := rig.Home(t), rig.FreeAddress(t)
	rig.Write(t, dir, "key.pem", text)
	rig.Write(t, dir, "Caddyfile", rig.Config(t, address, api.URL, fmt.Sprintf(`
				token_endpoint %s
				grant_type jwt_bearer
				client_id robot
				private_key {file.key.pem}
				key_id key-1
				claim aud %s
				scope orders.read`, server.tokenEndpoint(), server.url)))

	s := rig.RunSidecar(t, dir, address)
	callThrough(t, s, number(t, rig.Get(t, s.Address, "/orders"))+2)
	if err := s.End(rig.Terminate); err != nil {
		t.Errorf("it ended with %v", err)
	}
	requests := server.recordedRequests()
	if ids := assertionIDs(t, client, "assertion", requests); len(requests) < 3 || len(ids) != len(requests) {
		t.Errorf("%d requests with %d assertions", len(requests), len(ids))
	}
	for _, r := range requests {
		if r.form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || r.form.Get("scope") != "orders.read" {
			t.Errorf("it asked for %v", r.form)
		}
	}
}

// TestLoginByTheIssuersMetadata names no endpoint at all, and has the token revoked
// at the end.
func TestLoginByTheIssuersMetadata(t *testing.T) {
	r := newLoginRig(t, nil)
	secret := rig.Write(t, r.home, "client_secret", r.client.secret)
	rig.Write(t, r.home, "Caddyfile", rig.Config(t, r.address, r.api, fmt.Sprintf(`
			issuer %s
			grant_type refresh_token
			client_id erp
			client_secret {file.%s}
			scope openid offline_access
`, r.url, secret)))
	r.runs()
	p := rig.Start(t, r.home, "tokens", "login", "erp", "--no-browser")
	browse(t, p.Printed(addressToOpen))
	p.WantExit(0, `erp: new token obtained: generation 1`)
	r.wantGranted("the log-in")
	if stdout, stderr, code := rig.Command(t, r.home, "tokens", "revoke", "erp", "--yes"); code != 0 {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}
