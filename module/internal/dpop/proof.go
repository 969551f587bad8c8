package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// Proof is what one proof says (RFC 9449 section 4.2).
type Proof struct {
	// Method and URL are those of the request: see [Target].
	Method, URL string

	// At is when it is made, by the clock of the server that reads it.
	At time.Time

	// Nonce is the one that the server wants, "" for none.
	Nonce string

	// TokenHash is the [Hash] of the access token that it goes with, "" for none.
	TokenHash string
}

// Sign makes a proof, with an identity of its own: no two are the same. It is for one request,
// and is not sent a second time.
func (k *Key) Sign(p Proof) (string, error) {
	var space [768]byte
	b := append(space[:0], k.header...)
	var claims [512]byte
	b = base64.RawURLEncoding.AppendEncode(b, p.claims(claims[:0]))
	signature, err := k.sign(b)
	if err != nil {
		return "", errors.New("a proof of possession cannot be signed")
	}
	b = append(b, '.')
	return string(base64.RawURLEncoding.AppendEncode(b, signature)), nil
}

// identity is how many random bytes tell one proof from all others.
const identity = 16

func (p *Proof) claims(b []byte) []byte {
	var id [identity]byte
	_, _ = rand.Read(id[:]) // never fails
	b = append(b, `{"jti":"`...)
	b = base64.RawURLEncoding.AppendEncode(b, id[:])
	b = append(b, `","htm":`...)
	b = appendText(b, p.Method)
	b = append(b, `,"htu":`...)
	b = appendText(b, p.URL)
	b = append(b, `,"iat":`...)
	b = strconv.AppendInt(b, p.At.Unix(), 10)
	if p.TokenHash != "" {
		b = append(b, `,"ath":`...)
		b = appendText(b, p.TokenHash)
	}
	if p.Nonce != "" {
		b = append(b, `,"nonce":`...)
		b = appendText(b, p.Nonce)
	}
	return append(b, '}')
}

// appendText writes a text as JSON.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // a string always can be
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

func (k *Key) sign(text []byte) ([]byte, error) {
	if key, ok := k.signer.(ed25519.PrivateKey); ok {
		return ed25519.Sign(key, text), nil
	}
	digest := sha256.Sum256(text)
	switch key := k.signer.(type) {
	case *ecdsa.PrivateKey:
		der, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		return fixedSignature(der)
	case *rsa.PrivateKey:
		if k.alg == PS256 {
			return rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	}
	return nil, errors.New("unknown kind of key")
}

// half is the length of either number in a signature of ES256.
const half = 32

// fixedSignature turns the two numbers of a signature in ASN.1, which are as long as they need
// be, into two of a fixed length (RFC 7518 section 3.4). All lengths are below 128.
func fixedSignature(der []byte) ([]byte, error) {
	out := make([]byte, 2*half)
	if len(der) < 2 {
		return nil, errors.New("a signature is too short")
	}
	rest := der[2:]
	for i := range 2 {
		if len(rest) < 2 || len(rest) < 2+int(rest[1]) {
			return nil, errors.New("a signature is too short")
		}
		number := rest[2 : 2+int(rest[1])]
		rest = rest[2+int(rest[1]):]
		for len(number) > half && number[0] == 0 {
			number = number[1:]
		}
		if len(number) > half {
			return nil, errors.New("a signature is too long")
		}
		copy(out[(i+1)*half-len(number):(i+1)*half], number)
	}
	return out, nil
}
