package dpop

import (
	"crypto"
	"testing"
)

// ThumbprintOf is the thumbprint of a public key.
func ThumbprintOf(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	jwk, _, err := describe(public)
	if err != nil {
		t.Fatal(err)
	}
	return hash(jwk)
}
