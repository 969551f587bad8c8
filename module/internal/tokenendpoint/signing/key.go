package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Algs are the algorithms of assertions (RFC 7518 section 3.1, RFC 8037).
var Algs = slices.Concat(rsaAlgs, []string{"ES256", "ES384", "ES512", "EdDSA"}, HMACAlgs)

// HMACAlgs are those that sign with a secret. The first of a key type is its default.
var HMACAlgs = []string{"HS256", "HS384", "HS512"}

var (
	rsaAlgs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	curves  = map[elliptic.Curve]string{elliptic.P256(): "ES256", elliptic.P384(): "ES384", elliptic.P521(): "ES512"}

	hmacKeys = map[string]int{"HS256": 32, "HS384": 48, "HS512": 64} // least length
)

// signingKey is a private key, and what a JWK says of it besides.
type signingKey struct {
	key crypto.Signer
	id  string
	alg string
}

// ParseKey reads a private key, in each form in which people have them. Its errors hold nothing
// of it.
func ParseKey(text string) (crypto.Signer, error) {
	k, err := parseKey(text)
	return k.key, err
}

// parseKey reads a private key: PEM (PKCS #8, PKCS #1, SEC 1), a JWK (RFC 7517),
// or the JSON file of a Google service account, which holds PEM.
func parseKey(text string) (k signingKey, err error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		return parseJSONKey([]byte(text))
	}
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		var key any
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return k, errors.New("it is encrypted with a passphrase, which nobody could type in here: store it decrypted, readable for this process only")
		default:
			continue // parameters, certificates
		}
		if err != nil {
			return k, fmt.Errorf("its PEM block %q cannot be read", block.Type)
		}
		return signable(key)
	}
	return k, errors.New("it is neither PEM (PKCS #8, PKCS #1, SEC 1) nor a JWK with a private key")
}

func parseJSONKey(text []byte) (k signingKey, err error) {
	var account struct {
		PrivateKey string `json:"private_key"`
		ID         string `json:"private_key_id"`
	}
	if json.Unmarshal(text, &account) == nil && account.PrivateKey != "" {
		if k, err = parseKey(strings.TrimLeft(account.PrivateKey, "{")); err != nil {
			return k, err
		}
		k.id = account.ID
		return k, nil
	}
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(text) != nil || !jwk.Valid() {
		return k, errors.New("it is no valid JWK")
	}
	if k, err = signable(jwk.Key); err != nil {
		return k, err
	}
	k.id, k.alg = jwk.KeyID, jwk.Algorithm
	return k, nil
}

func signable(key any) (signingKey, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return signingKey{key: key}, nil
	case *ecdsa.PrivateKey:
		return signingKey{key: key}, nil
	case ed25519.PrivateKey:
		return signingKey{key: key}, nil
	}
	return signingKey{}, errors.New("it is no private RSA, EC or Ed25519 key")
}

// algorithm returns alg, or the key's default, if the key can sign with it.
func algorithm(key crypto.Signer, alg string) (jose.SignatureAlgorithm, error) {
	var known []string
	kind := "an RSA key"
	switch key := key.(type) {
	case *rsa.PrivateKey:
		known = rsaAlgs
	case *ecdsa.PrivateKey:
		known, kind = []string{curves[key.Curve]}, "an EC key on "+key.Curve.Params().Name
	default:
		known, kind = []string{"EdDSA"}, "an Ed25519 key"
	}
	if known[0] == "" {
		return "", fmt.Errorf("%s signs with no algorithm of RFC 7518: use P-256, P-384 or P-521", kind)
	}
	if alg == "" {
		alg = known[0]
	}
	if !slices.Contains(known, alg) {
		return "", fmt.Errorf("signing_alg %s cannot be used with %s: it signs with %s", alg, kind, strings.Join(known, ", "))
	}
	return jose.SignatureAlgorithm(alg), nil
}

// thumbprint is the x5t#S256 of the first certificate in a PEM text (RFC 7515
// section 4.1.8), which must be that of the key: no server accepts another.
func thumbprint(text string, key crypto.Signer) (string, error) {
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", errors.New("certificate: its PEM block cannot be read")
		}
		public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(cert.PublicKey) {
			return "", errors.New("certificate and private_key do not belong together: the first certificate must hold the public key of private_key")
		}
		sum := sha256.Sum256(block.Bytes)
		return base64.RawURLEncoding.EncodeToString(sum[:]), nil
	}
	return "", errors.New("certificate: it holds no PEM certificate")
}
