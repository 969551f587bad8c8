package authserver

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // for RS384
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// presetKey is the private_key.pem that the settings of the fixtures read.
var presetKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// presetJWT is a JWT by its decoded parts; "*" is any text that is not empty.
type presetJWT struct{ Header, Claims map[string]any }

// takeFrom checks the JWT of a request and puts {jwt} into its place, in the body
// or the header Authorization.
func (want *presetJWT) takeFrom(t *testing.T, request *presetRequest, got *presetSent) {
	t.Helper()
	if want.Claims == nil {
		return
	}
	if inHeader := request.Header["Authorization"]; strings.Contains(inHeader, "{jwt}") {
		got.header.Set("Authorization", want.check(t, inHeader, got.header.Get("Authorization")))
		return
	}
	got.body = []byte(want.check(t, request.Body, string(got.body)))
}

// check compares the JWT in a text, which template holds as {jwt}, and returns
// the text with {jwt} instead.
func (want *presetJWT) check(t *testing.T, template, text string) string {
	t.Helper()
	before, after, _ := strings.Cut(template, "{jwt}")
	rest, okBefore := strings.CutPrefix(text, before)
	token, okAfter := strings.CutSuffix(rest, after)
	parts := strings.Split(token, ".")
	if !okBefore || !okAfter || len(parts) != 3 {
		return text // compare says what is wrong
	}
	for i, wanted := range []map[string]any{want.Header, want.Claims} {
		decoded, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		var part map[string]any
		if err := json.Unmarshal(decoded, &part); err != nil {
			t.Fatal(err)
		}
		for name, value := range wanted {
			if text, _ := part[name].(string); value == "*" && text != "" {
				part[name] = "*"
			}
		}
		if !reflect.DeepEqual(part, wanted) {
			t.Errorf("a part of the JWT is\n%s\nwant\n%v", decoded, wanted)
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	hash := map[any]crypto.Hash{"RS256": crypto.SHA256, "RS384": crypto.SHA384}[want.Header["alg"]]
	digest := hash.New()
	digest.Write([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&presetKey().PublicKey, hash, digest.Sum(nil), signature); err != nil {
		t.Error("the signature of the JWT:", err)
	}
	return template
}
