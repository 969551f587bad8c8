package dpop_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"pgregory.net/rapid"

	"lamplighter/module/internal/dpop"
)

// verified reads a proof with a verifier that nobody here wrote, by the key that it names.
func verified(t testing.TB, proof string) (header jose.Header, claims map[string]any) {
	t.Helper()
	jws, err := jose.ParseSigned(proof, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256})
	if err != nil {
		t.Fatalf("%v: %s", err, proof)
	}
	header = jws.Signatures[0].Protected
	if header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() {
		t.Fatalf("the header names no public key: %+v", header)
	}
	payload, err := jws.Verify(header.JSONWebKey)
	if err != nil {
		t.Fatalf("%v: %s", err, proof)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return header, claims
}

func thumbprintOf(t testing.TB, header jose.Header) string {
	t.Helper()
	sum, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

func TestAnotherVerifierAcceptsProofsOfAllAlgorithms(t *testing.T) {
	for _, alg := range []string{dpop.ES256, dpop.EdDSA, dpop.PS256, dpop.RS256} {
		t.Run(alg, func(t *testing.T) {
			key, err := dpop.Generate(alg)
			if err != nil {
				t.Fatal(err)
			}
			at := time.Unix(1562262616, 0)
			proof, err := key.Sign(dpop.Proof{Method: "POST", URL: "https://server.example.com/token", At: at, Nonce: "n-1", TokenHash: dpop.Hash("a token")})
			if err != nil {
				t.Fatal(err)
			}
			header, claims := verified(t, proof)
			if header.Algorithm != alg || header.ExtraHeaders["typ"] != "dpop+jwt" {
				t.Errorf("the header is %+v", header)
			}
			if got := thumbprintOf(t, header); got != key.Thumbprint() {
				t.Errorf("the thumbprint of the key is %s, ours %s", got, key.Thumbprint())
			}
			id, _ := claims["jti"].(string)
			delete(claims, "jti")
			want := map[string]any{
				"htm": "POST", "htu": "https://server.example.com/token", "iat": float64(1562262616), "nonce": "n-1", "ath": dpop.Hash("a token"),
			}
			if len(id) < 16 || fmt.Sprint(claims) != fmt.Sprint(want) {
				t.Errorf("it says %v, and is %q", claims, id)
			}
		})
	}
}

func TestAProofWithoutNonceAndTokenNamesNeither(t *testing.T) {
	key, err := dpop.Generate(dpop.ES256)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := key.Sign(dpop.Proof{Method: "GET", URL: "https://a.example/", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	_, claims := verified(t, proof)
	if _, has := claims["nonce"]; has || claims["ath"] != nil || len(claims) != 4 {
		t.Errorf("it says %v", claims)
	}
}

// Whatever a caller's request or a server's nonce holds, a proof says just that.
func TestAProofSaysWhatItIsTold(t *testing.T) {
	key, err := dpop.Generate(dpop.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.String()
		p := dpop.Proof{Method: text.Draw(rt, "method"), URL: text.Draw(rt, "url"), Nonce: text.Draw(rt, "nonce"), At: time.Unix(rapid.Int64Range(0, 1<<40).Draw(rt, "at"), 0)}
		proof, err := key.Sign(p)
		if err != nil {
			rt.Fatal(err)
		}
		_, claims := verified(t, proof)
		nonce, _ := claims["nonce"].(string)
		if claims["htm"] != p.Method || claims["htu"] != p.URL || nonce != p.Nonce || claims["iat"] != float64(p.At.Unix()) {
			rt.Errorf("it says %q of %+v", claims, p)
		}
	})
}

func TestNoTwoProofsAreTheSame(t *testing.T) {
	key, err := dpop.Generate(dpop.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	p := dpop.Proof{Method: "GET", URL: "https://a.example/", At: time.Now()}
	seen := make(map[any]bool)
	for range 1000 {
		proof, err := key.Sign(p)
		if err != nil {
			t.Fatal(err)
		}
		_, claims := verified(t, proof)
		if seen[claims["jti"]] {
			t.Fatalf("%v came twice", claims["jti"])
		}
		seen[claims["jti"]] = true
	}
}

// The proofs of RFC 9449, sections 4.1 and 7.1.
func TestTheExamplesOfTheStandardAreReadAlike(t *testing.T) {
	const (
		key       = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
		token     = key + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
		resource  = key + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
		thumb     = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
		protected = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	)
	for _, proof := range []string{token, resource} {
		header, claims := verified(t, proof)
		if got := dpop.ThumbprintOf(t, header.JSONWebKey.Key); got != thumb {
			t.Errorf("the thumbprint is %s", got)
		}
		if proof == resource && claims["ath"] != dpop.Hash(protected) {
			t.Errorf("of the token it says %v, we %s", claims["ath"], dpop.Hash(protected))
		}
	}
}

// RFC 7638, section 3.1.
func TestTheThumbprintOfTheStandardsKeyIsTheStandards(t *testing.T) {
	const jwk = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON([]byte(jwk)); err != nil {
		t.Fatal(err)
	}
	if got := dpop.ThumbprintOf(t, key.Key); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("it is %s", got)
	}
}

// A proof is made for each request. What it may cost is measured: 63 allocations, 6.3 KB and 29
// µs, nearly all of it in the signature.
func TestAProofOfES256CostsLittle(t *testing.T) {
	key, err := dpop.Generate(dpop.ES256)
	if err != nil {
		t.Fatal(err)
	}
	cost := testing.Benchmark(func(b *testing.B) { sign(b, key) })
	if cost.AllocsPerOp() > 75 || cost.AllocedBytesPerOp() > 8<<10 {
		t.Errorf("it costs %d allocations and %d bytes", cost.AllocsPerOp(), cost.AllocedBytesPerOp())
	}
}

func BenchmarkProof(b *testing.B) {
	for _, alg := range []string{dpop.ES256, dpop.EdDSA, dpop.PS256, dpop.RS256} {
		key, err := dpop.Generate(alg)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(alg, func(b *testing.B) { sign(b, key) })
	}
}

func sign(b *testing.B, key *dpop.Key) {
	b.Helper()
	b.ReportAllocs()
	p := dpop.Proof{Method: "GET", URL: "https://api.example.com/orders/17", At: time.Now(), Nonce: "eyJ7S_zG.eyJH0-Z.HX4w-7v", TokenHash: dpop.Hash("a token")}
	for b.Loop() {
		if _, err := key.Sign(p); err != nil {
			b.Fatal(err)
		}
	}
}
