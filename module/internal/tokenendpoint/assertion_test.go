package tokenendpoint

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"lamplighter/module/internal/tokenendpoint/asking"
)

var signedAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func pemOf(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key crypto.Signer) string {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf(t, "PRIVATE KEY", der, err)
}

type testKeys struct {
	rsa                    *rsa.PrivateKey
	p256, p384, p521, p224 *ecdsa.PrivateKey
	ed                     ed25519.PrivateKey
}

func newKeys(t *testing.T) (k testKeys) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	for curve, key := range map[elliptic.Curve]**ecdsa.PrivateKey{
		elliptic.P256(): &k.p256, elliptic.P384(): &k.p384, elliptic.P521(): &k.p521, elliptic.P224(): &k.p224,
	} {
		*key, err = ecdsa.GenerateKey(curve, rand.Reader)
		must(err)
	}
	_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return k
}

// asked returns the parameters and headers that a dialect sends.
func asked(t *testing.T, d Dialect, r Request) (url.Values, map[string]string) {
	t.Helper()
	c, err := newOver(d, asking.Connection{}, func() time.Time { return signedAt })
	if err != nil {
		t.Fatal(err)
	}
	if r.URL == "" {
		r.URL = "https://as.example.com/token?tenant=1"
	}
	r, err = c.withAssertions(r)
	if err != nil {
		t.Fatal(err)
	}
	params := url.Values{}
	for _, p := range c.params(&r) {
		params[p.name] = p.values
	}
	headers := map[string]string{}
	for name := range r.Header {
		headers[name] = r.Header.Get(name)
	}
	return params, headers
}

// opened verifies a JWT and returns its header and claims.
func opened(t *testing.T, jwt string, alg jose.SignatureAlgorithm, key any) (jose.Header, map[string]any) {
	t.Helper()
	signed, err := jose.ParseSigned(jwt, []jose.SignatureAlgorithm{alg})
	if err != nil {
		t.Fatalf("%s: %v", alg, err)
	}
	payload, err := signed.Verify(key)
	if err != nil {
		t.Fatalf("%s: %v", alg, err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return signed.Signatures[0].Header, claims
}

func TestPrivateKeyJWTSignsWithEveryAlgorithm(t *testing.T) {
	k := newKeys(t)
	for _, test := range []struct {
		alg string // "" is the key's default
		key crypto.Signer
		is  jose.SignatureAlgorithm
	}{
		{"", k.rsa, jose.RS256},
		{"RS256", k.rsa, jose.RS256},
		{"RS384", k.rsa, jose.RS384},
		{"RS512", k.rsa, jose.RS512},
		{"PS256", k.rsa, jose.PS256},
		{"PS384", k.rsa, jose.PS384},
		{"PS512", k.rsa, jose.PS512},
		{"", k.p256, jose.ES256},
		{"", k.p384, jose.ES384},
		{"ES512", k.p521, jose.ES512},
		{"", k.ed, jose.EdDSA},
	} {
		params, _ := asked(t, Dialect{GrantType: "client_credentials", AuthMethod: "private_key_jwt", SigningAlg: test.alg},
			Request{ClientID: "erp", PrivateKey: pkcs8(t, test.key), KeyID: "key-1"})
		if params.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || params.Has("client_id") || params.Has("client_secret") {
			t.Errorf("%s: params %v", test.is, params)
		}
		header, claims := opened(t, params.Get("client_assertion"), test.is, test.key.Public())
		if header.KeyID != "key-1" || header.ExtraHeaders["typ"] != "JWT" {
			t.Errorf("%s: header %+v", test.is, header)
		}
		if claims["iss"] != "erp" || claims["sub"] != "erp" || claims["aud"] != "https://as.example.com/token" ||
			claims["iat"] != float64(signedAt.Unix()) || claims["exp"] != float64(signedAt.Add(5*time.Minute).Unix()) || claims["jti"] == "" {
			t.Errorf("%s: claims %v", test.is, claims)
		}
	}
}

func TestEveryAttemptSignsAnew(t *testing.T) {
	k := newKeys(t)
	r := Request{ClientID: "erp", PrivateKey: pkcs8(t, k.p256)}
	d := Dialect{GrantType: "client_credentials", AuthMethod: "private_key_jwt"}
	first, _ := asked(t, d, r)
	second, _ := asked(t, d, r)
	_, a := opened(t, first.Get("client_assertion"), jose.ES256, k.p256.Public())
	_, b := opened(t, second.Get("client_assertion"), jose.ES256, k.p256.Public())
	if a["jti"] == b["jti"] {
		t.Error("one jti was used twice")
	}
}

func TestKeysAreReadInEveryFormat(t *testing.T) {
	k := newKeys(t)
	sec1, err := x509.MarshalECPrivateKey(k.p256)
	ec := pemOf(t, "EC PRIVATE KEY", sec1, err)
	jwk, err := jose.JSONWebKey{Key: k.p384, KeyID: "from-jwk", Algorithm: "ES384"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	account, _ := json.Marshal(map[string]string{"type": "service_account", "private_key_id": "from-account", "private_key": pkcs8(t, k.rsa)})
	for name, test := range map[string]struct {
		text string
		is   jose.SignatureAlgorithm
		key  any
		id   string
	}{
		"PKCS #1":         {pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa), nil), jose.RS256, k.rsa.Public(), ""},
		"SEC 1":           {ec, jose.ES256, k.p256.Public(), ""},
		"after others":    {"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + ec, jose.ES256, k.p256.Public(), ""},
		"JWK":             {string(jwk), jose.ES384, k.p384.Public(), "from-jwk"},
		"service account": {string(account), jose.RS256, k.rsa.Public(), "from-account"},
	} {
		params, _ := asked(t, Dialect{GrantType: "client_credentials", AuthMethod: "private_key_jwt"}, Request{ClientID: "erp", PrivateKey: test.text})
		header, _ := opened(t, params.Get("client_assertion"), test.is, test.key)
		if header.KeyID != test.id {
			t.Errorf("%s: kid %q", name, header.KeyID)
		}
	}
}

// checkKey checks a request that is signed with a private key.
func checkKey(t *testing.T, text, alg string) error {
	t.Helper()
	c, err := newOver(Dialect{GrantType: "client_credentials", AuthMethod: "private_key_jwt", SigningAlg: alg}, asking.Connection{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return c.Check(Request{URL: "https://as.example.com/token", ClientID: "erp", PrivateKey: text})
}

func TestKeysThatCannotSignAreRefusedWithoutQuotingThem(t *testing.T) {
	k := newKeys(t)
	public, err := x509.MarshalPKIXPublicKey(k.rsa.Public())
	for text, want := range map[string]string{
		"":                                  "neither PEM",
		"hunter2":                           "neither PEM",
		`{"kty":"EC"}`:                      "no valid JWK",
		pemOf(t, "PUBLIC KEY", public, err): "neither PEM",
		pemOf(t, "PRIVATE KEY", []byte("hunter2"), nil):          "cannot be read",
		pemOf(t, "ENCRYPTED PRIVATE KEY", []byte("hunter"), nil): "store it decrypted",
		pkcs8(t, k.p224): "use P-256",
	} {
		if err := checkKey(t, text, ""); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%v; want it to say %q", err, want)
		}
	}
	if err := checkKey(t, pkcs8(t, k.p256), "RS256"); err == nil || !strings.Contains(err.Error(), "it signs with ES256") {
		t.Errorf("got %v", err)
	}
}

func TestClientSecretJWTSignsWithTheSecret(t *testing.T) {
	secret := strings.Repeat("oG4+q/x=&%25 é", 5)
	for alg, is := range map[string]jose.SignatureAlgorithm{"": jose.HS256, "HS384": jose.HS384, "HS512": jose.HS512} {
		params, _ := asked(t, Dialect{GrantType: "client_credentials", AuthMethod: "client_secret_jwt", SigningAlg: alg}, Request{ClientID: "erp", ClientSecret: secret})
		if params.Has("client_secret") {
			t.Error("the secret itself is sent")
		}
		if _, claims := opened(t, params.Get("client_assertion"), is, []byte(secret)); claims["iss"] != "erp" {
			t.Errorf("claims %v", claims)
		}
	}
}

func TestASecretTooShortToSignIsRefused(t *testing.T) {
	c, err := newOver(Dialect{GrantType: "client_credentials", AuthMethod: "client_secret_jwt"}, asking.Connection{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	a := c.Do(context.Background(), Request{URL: "http://127.0.0.1:1/", ClientID: "erp", ClientSecret: "hunter2"})
	if a.Outcome != Misconfigured || !strings.Contains(a.Detail, "client_secret is too short for signing_alg HS256") || strings.Contains(a.Detail, "hunter2") {
		t.Errorf("%+v", a)
	}
}

func TestAJWTBearerGrantIsSignedFromTheKeyAndItsClaims(t *testing.T) {
	k := newKeys(t)
	params, _ := asked(t, Dialect{GrantType: "jwt_bearer", AuthMethod: "none"}, Request{
		ClientID: "robot@example.com", Username: "erika@example.com", PrivateKey: pkcs8(t, k.rsa),
		Claims: map[string]string{"scope": "orders.read", "exp": "1h", "iat": "-30s", "jti": "-", "level": "json:3"},
	})
	if params.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || params.Has("username") {
		t.Errorf("params %v", params)
	}
	_, claims := opened(t, params.Get("assertion"), jose.RS256, k.rsa.Public())
	_, hasID := claims["jti"]
	if claims["iss"] != "robot@example.com" || claims["sub"] != "erika@example.com" || claims["scope"] != "orders.read" || claims["level"] != 3.0 || hasID ||
		claims["exp"] != float64(signedAt.Add(time.Hour).Unix()) || claims["iat"] != float64(signedAt.Add(-30*time.Second).Unix()) {
		t.Errorf("claims %v", claims)
	}

	params, _ = asked(t, Dialect{GrantType: "jwt_bearer", AuthMethod: "none"}, Request{ClientID: "erp", Assertion: "made elsewhere"})
	if params.Get("assertion") != "made elsewhere" {
		t.Errorf("params %v", params)
	}
}

func TestAnAssertionMayGoIntoAHeader(t *testing.T) {
	k := newKeys(t)
	r := Request{
		ClientID: "Iv1.app", PrivateKey: pkcs8(t, k.rsa), Claims: map[string]string{"aud": "-", "sub": "-"},
		Header: map[string][]string{"Authorization": {"Bearer {assertion}"}}, Params: map[string][]string{"jwt": {"{assertion}"}},
	}
	params, headers := asked(t, Dialect{GrantType: "-", AuthMethod: "none"}, r)
	jwt := strings.TrimPrefix(headers["Authorization"], "Bearer ")
	if _, claims := opened(t, jwt, jose.RS256, k.rsa.Public()); claims["iss"] != "Iv1.app" || len(claims) != 4 {
		t.Errorf("claims %v", claims)
	}
	if params.Get("jwt") != jwt || r.Header["Authorization"][0] != "Bearer {assertion}" {
		t.Errorf("params %v, the request became %v", params, r.Header)
	}
}

func TestACertificateIsNamedByItsThumbprint(t *testing.T) {
	k := newKeys(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: signedAt}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.rsa.Public(), k.rsa)
	params, _ := asked(t, Dialect{GrantType: "client_credentials", AuthMethod: "private_key_jwt", SigningAlg: "PS256"},
		Request{ClientID: "erp", PrivateKey: pkcs8(t, k.rsa), Certificate: pemOf(t, "CERTIFICATE", der, err)})
	header, _ := opened(t, params.Get("client_assertion"), jose.PS256, k.rsa.Public())
	sum := sha256.Sum256(der)
	if got := header.ExtraHeaders["x5t#S256"]; got != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Errorf("x5t#S256 %v", got)
	}
}

func TestATokenExchangeSendsWhatRFC8693Asks(t *testing.T) {
	params, _ := asked(t, Dialect{GrantType: "token_exchange", AuthMethod: "client_secret_post"}, Request{
		ClientID: "erp", ClientSecret: "s", SubjectToken: "caller", SubjectTokenType: "urn:ietf:params:oauth:token-type:jwt",
		ActorToken: "actor", ActorTokenType: "urn:ietf:params:oauth:token-type:access_token", RequestedTokenType: "urn:ietf:params:oauth:token-type:access_token",
		Scope: []string{"a", "b"}, Audience: []string{"x", "y"},
	})
	for name, want := range map[string]string{
		"grant_type":    "urn:ietf:params:oauth:grant-type:token-exchange",
		"subject_token": "caller", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "actor_token": "actor",
		"actor_token_type": "urn:ietf:params:oauth:token-type:access_token", "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
		"scope": "a b", "audience": "x",
	} {
		if params.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, params.Get(name), want)
		}
	}
}

func TestAKeyThatCannotSignIsNeverSent(t *testing.T) {
	c, err := newOver(Dialect{GrantType: "client_credentials", AuthMethod: "private_key_jwt"}, asking.Connection{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	a := c.Do(context.Background(), Request{URL: "http://127.0.0.1:1/", ClientID: "erp", PrivateKey: "hunter2"})
	if a.Outcome != Misconfigured || a.Cause != CauseInvalidRequest || !strings.Contains(a.Detail, "private_key") || strings.Contains(a.Detail, "hunter2") {
		t.Errorf("%+v", a)
	}
}
