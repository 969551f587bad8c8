package dpop_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"lamplighter/module/internal/dpop"
)

func TestAKeyIsTheSameAfterItWasKept(t *testing.T) {
	for _, alg := range dpop.Algs {
		key, err := dpop.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		text, err := key.Text()
		if err != nil {
			t.Fatal(err)
		}
		again, err := dpop.Parse(text, alg)
		if err != nil {
			t.Fatal(err)
		}
		if again.Thumbprint() != key.Thumbprint() || again.Alg() != alg {
			t.Errorf("%s became %s, %s became %s", key.Thumbprint(), again.Thumbprint(), alg, again.Alg())
		}
	}
}

func TestAJWKIsAKey(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := (&jose.JSONWebKey{Key: private}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	key, err := dpop.Parse(string(text), "")
	if err != nil {
		t.Fatal(err)
	}
	if want := dpop.ThumbprintOf(t, private.Public()); key.Thumbprint() != want || key.Alg() != dpop.ES256 {
		t.Errorf("it is %s for %s, not %s", key.Thumbprint(), key.Alg(), want)
	}
}

func TestAKeyThatCannotProveIsRefusedWithoutShowingIt(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := dpop.Generate(dpop.ES256)
	if err != nil {
		t.Fatal(err)
	}
	own, err := p256.Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, alg, want string }{
		{pkcs8(t, p384), "", "on P-384 signs with no algorithm that is used for proofs: use one on P-256"},
		{pkcs8(t, short), "", "1024 bits is too short: use one of 2048"},
		{own, dpop.PS256, "a key for ES256 cannot sign with PS256"},
		{"s3cret", "", "it is neither PEM"},
	} {
		_, err := dpop.Parse(c.text, c.alg)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v, not %s", err, c.want)
		}
	}
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestTheServersChoiceOfAlgorithmsIsMetInOurOrder(t *testing.T) {
	for _, c := range []struct {
		supported []string
		want      string
	}{
		{nil, dpop.ES256},
		{[]string{"RS256", "PS256", "EdDSA", "ES256"}, dpop.ES256},
		{[]string{"RS256", "PS256", "EdDSA"}, dpop.EdDSA},
		{[]string{"RS256", "Ed25519"}, dpop.Ed25519},
		{[]string{"RS256", "PS256"}, dpop.PS256},
		{[]string{"RS256"}, dpop.RS256},
		{[]string{"ML-DSA-44"}, dpop.ES256},
	} {
		if got := dpop.Choose(dpop.Algs, c.supported); got != c.want {
			t.Errorf("of %v it is %s, not %s", c.supported, got, c.want)
		}
	}
	if got := dpop.Choose(dpop.Alike(dpop.RS256), []string{"ES256", "RS256"}); got != dpop.RS256 {
		t.Errorf("an RSA key signs with %s", got)
	}
}

func TestWhatARequestIsForIsNamedAsItGoesOverTheWire(t *testing.T) {
	for _, c := range []struct{ scheme, host, path, want string }{
		{"https", "API.example.com:443", "", "https://api.example.com/"},
		{"http", "api.example.com:80", "/a", "http://api.example.com/a"},
		{"https", "api.example.com:80", "/a", "https://api.example.com:80/a"},
		{"https", "api.example.com:8443", "/a%2Fb//c/", "https://api.example.com:8443/a%2Fb//c/"},
		{"wss", "api.example.com", "/socket", "https://api.example.com/socket"},
		{"HTTPS", "bücher.example", "/", "https://xn--bcher-kva.example/"},
		{"https", "[::1]:443", "/", "https://[::1]/"},
	} {
		if got := dpop.Target(c.scheme, c.host, c.path); got != c.want {
			t.Errorf("%+v is %s", c, got)
		}
	}
}
