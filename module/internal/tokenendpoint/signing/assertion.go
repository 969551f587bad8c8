// Package signing answers how a client signs that it is itself: the JWTs of RFC 7523, and the
// keys for them in each form in which people have them.
//
// It knows keys and claims. It must not know requests, nor where an assertion goes.
package signing

import (
	"crypto"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// lifetime is how long an assertion may be used, unless the claim exp
// says otherwise. Each attempt signs one of its own.
const lifetime = 5 * time.Minute

// Assertion is what a JWT says (RFC 7523 section 3). Claims are laid over the others.
type Assertion struct {
	Issuer, Subject, Audience string
	Claims                    map[string]string
}

// Key is what a JWT is signed with. It is a secret: never print one.
type Key struct {
	// Symmetric says that Secret signs, and PrivateKey otherwise: PEM or a JWK.
	Symmetric          bool
	Secret, PrivateKey string

	// ID names the key in the header, and the thumbprint of Certificate (PEM) stands
	// there too if it is given.
	ID, Certificate string

	// Alg is the algorithm. Default: the key's own, HS256 for a secret.
	Alg string
}

// Sign makes a JWT. Each call makes another, with an identity of its own.
func Sign(a Assertion, k Key, now time.Time) (string, error) {
	key, options, err := k.signer()
	if err != nil {
		return "", err
	}
	claims, err := a.claims(now)
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

func (k Key) signer() (key jose.SigningKey, options *jose.SignerOptions, err error) {
	options = new(jose.SignerOptions)
	alg, id := k.Alg, k.ID
	if k.Symmetric {
		if alg == "" {
			alg = HMACAlgs[0]
		}
		if least := hmacKeys[alg]; len(k.Secret) < least {
			return key, nil, fmt.Errorf("client_secret is too short for signing_alg %s, which wants at least %d bytes (RFC 7518 section 3.2)", alg, least)
		}
		key = jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: []byte(k.Secret)}
	} else {
		private, err := parseKey(k.PrivateKey)
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
	if signer, ok := key.Key.(crypto.Signer); ok && k.Certificate != "" {
		x5t, err := thumbprint(k.Certificate, signer)
		if err != nil {
			return key, nil, err
		}
		options.WithHeader("x5t#S256", x5t)
	}
	return key, options, nil
}

// claims lays those that were given over the claims that RFC 7523 requires: "-"
// omits one, "json:…" is the JSON after it, and a time may be a duration from
// now.
func (a Assertion) claims(now time.Time) (map[string]any, error) {
	claims := map[string]any{
		"iss": a.Issuer, "sub": a.Subject, "aud": a.Audience,
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(), "jti": rand.Text(),
	}
	for name, value := range a.Claims {
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

// CheckClaims returns an error for claims that no assertion can hold.
func CheckClaims(claims map[string]string) error {
	_, err := Assertion{Claims: claims}.claims(time.Time{})
	return err
}
