package test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"lamplighter/test/internal/rig"
)

// An identifier and a secret with what encoders get wrong, of the characters
// that oidc-provider admits (RFC 6749 appendix A).
const (
	providerClient = "erp:side car"
	providerSecret = "s+e/c=r&e%t:+%2B, at least 32 bytes long"
)

// TestOIDCProvider lets the binary live with npm's oidc-provider, which insists on
// the authentication method that a client is registered with, and revokes a
// grant whose refresh token is presented twice.
func TestOIDCProvider(t *testing.T) {
	t.Parallel()
	dir := installOIDCProvider(t)
	t.Run("client authentication", func(t *testing.T) { testOIDCProviderAuthentication(t, dir) })
	t.Run("mutual TLS", func(t *testing.T) { testOIDCProviderMutualTLS(t, dir) })
	t.Run("rotation", func(t *testing.T) { testOIDCProviderRotation(t, dir) })
}

// signer is a key pair, as a client and as its server need it.
type signer struct {
	pem  string
	jwks jose.JSONWebKeySet
}

func newSigner(t *testing.T, key crypto.Signer, err error) signer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer{
		pem:  pemOf("PRIVATE KEY", der),
		jwks: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "2026-11", Use: "sig"}}},
	}
}

func rsaSigner(t *testing.T) signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return newSigner(t, key, err)
}

func edSigner(t *testing.T) signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return newSigner(t, key, err)
}

// registered adds to the metadata of a client that acts for itself.
func registered(method string, more metadata) metadata {
	m := metadata{
		"client_id": providerClient, "token_endpoint_auth_method": method, "scope": "orders.read",
		"grant_types": []string{"client_credentials"}, "response_types": []string{}, "redirect_uris": []string{},
	}
	maps.Copy(m, more)
	return m
}

func testOIDCProviderAuthentication(t *testing.T, dir string) {
	secret := metadata{"client_secret": providerSecret}
	rs, es, ed := rsaSigner(t), newSigner(t, newKey(t), nil), edSigner(t)
	signs := func(alg string, key signer) metadata {
		return metadata{"jwks": key.jwks, "token_endpoint_auth_signing_alg": alg}
	}
	for name, tt := range map[string]struct {
		method   string
		metadata metadata
		key      string
		settings string // the provider's address is for it to fill in
	}{
		"basic":                   {"client_secret_basic", secret, "", "issuer %s\nclient_secret {file.secret}"},
		"basic without discovery": {"client_secret_basic", secret, "", "token_endpoint %s/token\nclient_secret {file.secret}"},
		"post":                    {"client_secret_post", secret, "", "token_endpoint %s/token\nclient_secret {file.secret}"},
		"secret jwt":              {"client_secret_jwt", secret, "", "token_endpoint %s/token\nclient_secret {file.secret}"},
		"RS256":                   {"private_key_jwt", signs("RS256", rs), rs.pem, "token_endpoint %s/token\nprivate_key {file.key}\nkey_id 2026-11"},
		"PS256":                   {"private_key_jwt", signs("PS256", rs), rs.pem, "issuer %s\nprivate_key {file.key}\nkey_id 2026-11\nsigning_alg PS256"},
		"ES256":                   {"private_key_jwt", signs("ES256", es), es.pem, "issuer %s\nprivate_key {file.key}"},
		"EdDSA":                   {"private_key_jwt", signs("EdDSA", ed), ed.pem, "issuer %s\nprivate_key {file.key}\nkey_id 2026-11"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startOIDCProvider(t, dir, nil, registered(tt.method, tt.metadata))
			p.callWithClientCredentials("token_endpoint_auth_method "+tt.method+"\n"+fmt.Sprintf(tt.settings, p.Issuer),
				map[string]string{"secret": providerSecret, "key": tt.key})
		})
	}
}

func testOIDCProviderMutualTLS(t *testing.T, dir string) {
	const name = "login.example.com"
	authority, stranger := newAuthority(t), newAuthority(t)
	serverCert, serverKey := authority.issue(t, name)
	trusted, trustedKey := authority.issue(t, "erp")
	unknown, unknownKey := stranger.issue(t, "erp")
	block, _ := pem.Decode([]byte(unknown))
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pinned := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: parsed.PublicKey, Certificates: []*x509.Certificate{parsed}}}}
	for name, tt := range map[string]struct {
		registration metadata
		cert, key    string
	}{
		"of an authority": {registered("tls_client_auth", metadata{"tls_client_auth_subject_dn": "CN=erp"}), trusted, trustedKey},
		"registered":      {registered("self_signed_tls_client_auth", metadata{"jwks": pinned}), unknown, unknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startOIDCProvider(t, dir, map[string]string{"cert": serverCert, "key": serverKey, "ca": authority.pem}, tt.registration)
			p.callWithClientCredentials(fmt.Sprintf(`
				issuer %s
				token_endpoint_auth_method tls_client_auth
				certificate {file.cert}
				private_key {file.key}
				tls {
					trust_pool file ca.pem
					server_name login.example.com
				}`, p.Issuer),
				map[string]string{"cert": tt.cert, "key": tt.key, "ca.pem": authority.pem})
		})
	}
}

// callWithClientCredentials calls the API until the third token is there, without
// one refused request.
func (p *oidcProvider) callWithClientCredentials(settings string, files map[string]string) {
	t := p.t
	t.Helper()
	dir, address := rig.Home(t), rig.FreeAddress(t)
	for name, content := range files {
		rig.Write(t, dir, name, content)
	}
	rig.Write(t, dir, "Caddyfile", rig.Config(t, address, p.API, fmt.Sprintf(`
		%s
		client_id "%s"
		scope orders.read`, settings, providerClient)))
	s := rig.RunSidecar(t, dir, address)
	callThrough(t, s, 3)
	if err := s.End(rig.Terminate); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if stats := p.stats(); len(stats.Errors) != 0 || stats.Granted < 3 {
		t.Errorf("%+v", stats)
	}
}

// testOIDCProviderRotation lets a grant live through rotations and a crash. In the
// end somebody else presents its first refresh token, to show that the provider
// would have noticed.
func testOIDCProviderRotation(t *testing.T, dir string) {
	t.Parallel()
	p := startOIDCProvider(t, dir, nil, registered("client_secret_basic", metadata{
		"client_secret": providerSecret, "scope": "openid offline_access",
		"grant_types":    []string{"authorization_code", "refresh_token"},
		"response_types": []string{"code"}, "redirect_uris": []string{"https://erp.example.com/callback"},
	}))
	home, address := rig.Home(t), rig.FreeAddress(t)
	seed := p.mint(providerClient)
	rig.Write(t, home, "secret", providerSecret)
	rig.Write(t, home, "seed", seed)
	rig.Write(t, home, "Caddyfile", rig.Config(t, address, p.API, fmt.Sprintf(`
		issuer %s
		client_id "%s"
		client_secret {file.secret}
		refresh_token {file.seed}
		rotation required`, p.Issuer, providerClient)))

	s := rig.RunSidecar(t, home, address)
	last := callThrough(t, s, 4)
	s.Kill()
	s = rig.RunSidecar(t, home, address)
	callThrough(t, s, last+3)
	before := p.stats()
	if len(before.Errors) != 0 || before.Revoked != 0 || before.Granted < 7 || before.Consumed != before.Granted {
		t.Fatalf("%+v", before)
	}
	checkRecord(t, home)

	if got := p.present(seed); got != http.StatusBadRequest {
		t.Errorf("a spent refresh token was answered %d", got)
	}
	if after := p.stats(); !slices.Contains(after.Errors, "invalid_grant: grant request is invalid: refresh token already used") {
		t.Errorf("the provider does not notice reuse: %+v", after)
	}
	rig.Eventually(t, "the sidecar notices that the grant was revoked", func() bool {
		out, _, _ := rig.Command(t, home, "tokens", "list", "--json")
		return strings.Contains(out, `"grant_lost"`)
	})
}

// present presents a refresh token as a thief would, and returns the status.
func (p *oidcProvider) present(refreshToken string) int {
	p.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(providerClient), url.QueryEscape(providerSecret))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}
