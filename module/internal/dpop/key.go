// Package dpop answers how a client shows that it holds the private key to which its tokens are
// bound (RFC 9449): keys, proofs, and what a server wants the next proof to say.
//
// It knows keys, claims, nonces and clocks that differ. It must not know requests, settings,
// records, nor what an answer means for a grant.
package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"lamplighter/module/internal/tokenendpoint/signing"
)

// The algorithms of proofs (RFC 7518 section 3.1, RFC 8037, RFC 9864), the preferred ones
// first.
const (
	ES256   = "ES256"
	EdDSA   = "EdDSA"
	Ed25519 = "Ed25519" // the name of EdDSA in RFC 9864
	PS256   = "PS256"
	RS256   = "RS256"
)

// Algs are all of them. RSA costs far more than the others: 0.8 ms a proof against 0.03.
var Algs = []string{ES256, EdDSA, Ed25519, PS256, RS256}

// IsRSA reports whether an algorithm is one of RSA.
func IsRSA(alg string) bool { return alg == PS256 || alg == RS256 }

// Alike are the algorithms that a key for one of them can have.
func Alike(alg string) []string {
	for _, alike := range [][]string{ecAlgs, edAlgs, rsaAlgs} {
		if slices.Contains(alike, alg) {
			return alike
		}
	}
	return nil
}

var (
	ecAlgs  = []string{ES256}
	edAlgs  = []string{EdDSA, Ed25519}
	rsaAlgs = []string{PS256, RS256}
)

// Choose returns the first algorithm that a server supports, as it names them; of names that
// it does not tell, or knows none of, the first one.
func Choose(among, supported []string) string {
	for _, alg := range among {
		if slices.Contains(supported, alg) {
			return alg
		}
	}
	return among[0]
}

// rsaBits is the size of an RSA key that is made here, and the least of any (RFC 7518 section
// 3.3).
const rsaBits = 2048

// Key is a private key and the algorithm of its proofs. It never changes, and may be used by
// several goroutines. It is a secret: never print one.
type Key struct {
	signer     crypto.Signer
	alg        string
	algs       []string // which it may have
	thumbprint string
	header     string // of its proofs, encoded
}

// Generate makes a key for an algorithm.
func Generate(alg string) (*Key, error) {
	var signer crypto.Signer
	var err error
	switch alg {
	case ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA, Ed25519:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	case PS256, RS256:
		signer, err = rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		return nil, fmt.Errorf("%q is no algorithm of proofs", alg)
	}
	if err != nil {
		return nil, err
	}
	return newKey(signer, alg)
}

// Parse reads a private key, PEM (PKCS #8, PKCS #1, SEC 1) or a JWK, for an algorithm; "" is the
// first that it can have. Its errors hold nothing of the key.
func Parse(text, alg string) (*Key, error) {
	signer, err := signing.ParseKey(text)
	if err != nil {
		return nil, err
	}
	return newKey(signer, alg)
}

func newKey(signer crypto.Signer, alg string) (*Key, error) {
	jwk, algs, err := describe(signer.Public())
	if err != nil {
		return nil, err
	}
	if alg == "" {
		alg = algs[0]
	}
	if !slices.Contains(algs, alg) {
		return nil, fmt.Errorf("a key for %s cannot sign with %s", algs[0], alg)
	}
	header := `{"typ":"dpop+jwt","alg":"` + alg + `","jwk":` + jwk + `}`
	return &Key{
		signer: signer, alg: alg, algs: algs, thumbprint: hash(jwk),
		header: base64.RawURLEncoding.EncodeToString([]byte(header)) + ".",
	}, nil
}

// describe returns the public key as a JWK with its required members in order, which is what
// its thumbprint is made of (RFC 7638 section 3), and the algorithms that it may have.
func describe(public crypto.PublicKey) (jwk string, algs []string, err error) {
	encode := base64.RawURLEncoding.EncodeToString
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return "", nil, fmt.Errorf("an EC key on %s signs with no algorithm that is used for proofs: use one on P-256", key.Curve.Params().Name)
		}
		point, err := key.Bytes() // 4, x, y
		if err != nil {
			return "", nil, errors.New("it is no point on its curve")
		}
		half := 1 + (len(point)-1)/2
		return `{"crv":"P-256","kty":"EC","x":"` + encode(point[1:half]) + `","y":"` + encode(point[half:]) + `"}`, ecAlgs, nil
	case ed25519.PublicKey:
		return `{"crv":"Ed25519","kty":"OKP","x":"` + encode(key) + `"}`, edAlgs, nil
	case *rsa.PublicKey:
		if key.N.BitLen() < rsaBits {
			return "", nil, fmt.Errorf("an RSA key of %d bits is too short: use one of %d", key.N.BitLen(), rsaBits)
		}
		e := big.NewInt(int64(key.E)).Bytes()
		return `{"e":"` + encode(e) + `","kty":"RSA","n":"` + encode(key.N.Bytes()) + `"}`, rsaAlgs, nil
	}
	return "", nil, errors.New("it is no EC, Ed25519 or RSA key")
}

// Alg is the algorithm of its proofs.
func (k *Key) Alg() string { return k.alg }

// Algs are all that it can have, the preferred one first.
func (k *Key) Algs() []string { return k.algs }

// For returns the key with another of its algorithms.
func (k *Key) For(alg string) (*Key, error) {
	if alg == k.alg {
		return k, nil
	}
	return newKey(k.signer, alg)
}

// Thumbprint is that of the public key (RFC 7638), as `jkt` and `dpop_jkt` have it.
func (k *Key) Thumbprint() string { return k.thumbprint }

// Text is the private key as Parse reads it: PEM of PKCS #8. It is a secret.
func (k *Key) Text() (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		return "", errors.New("it has no form that could be kept")
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// Hash is what a proof says of the access token that it goes with: its claim ath.
func Hash(accessToken string) string { return hash(accessToken) }

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
