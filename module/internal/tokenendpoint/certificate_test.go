package tokenendpoint

import (
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"
)

func jwtOf(claims string) string {
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// The thumbprint in the example of RFC 8705 section 3.1.
const inTheRFC = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"

func TestTheCertificateThatATokenIsBoundToIsReadFromAJWTAlone(t *testing.T) {
	for token, want := range map[string]struct {
		x5t   string
		isJWT bool
	}{
		jwtOf(`{"cnf":{"x5t#S256":"` + inTheRFC + `"}}`):  {inTheRFC, true},
		jwtOf(`{"cnf":{"x5t#S256":"` + inTheRFC + `="}}`): {inTheRFC, true},
		jwtOf(`{"cnf":{"jkt":"abc"}}`):                    {"", true},
		jwtOf(`{"sub":"x"}`):                              {"", true},
		jwtOf(`{"cnf":"x"}`):                              {"", false},
		jwtOf(`[]`):                                       {"", false},
		"opaque":                                          {"", false},
		"a.b.c":                                           {"", false},
		"":                                                {"", false},
	} {
		if x5t, isJWT := Confirmation(token); x5t != want.x5t || isJWT != want.isJWT {
			t.Errorf("%s: %q, %v", token, x5t, isJWT)
		}
	}
}

func FuzzConfirmation(f *testing.F) {
	f.Add(jwtOf(`{"cnf":{"x5t#S256":"` + inTheRFC + `"}}`))
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if x5t, isJWT := Confirmation(token); x5t != "" && (!isJWT || strings.Count(token, ".") != 2) {
			t.Errorf("%q is no JWT, and bound to %q", token, x5t)
		}
	})
}

func TestATokenThatIsNotBoundAsItWasToBeIsWithheld(t *testing.T) {
	presented := &tls.Certificate{Certificate: [][]byte{[]byte("a certificate")}}
	own := jwtOf(`{"cnf":{"x5t#S256":"` + Thumbprint(presented) + `"}}`)
	foreign := jwtOf(`{"cnf":{"x5t#S256":"` + inTheRFC + `"}}`)
	for name, tt := range map[string]struct {
		demanded    bool
		token       string
		certificate *tls.Certificate
		withheld    bool
		remarks     int
	}{
		"its own":                          {true, own, presented, false, 0},
		"its own, undemanded":              {false, own, presented, false, 0},
		"another's":                        {true, foreign, presented, true, 0},
		"another's, undemanded":            {false, foreign, presented, true, 0},
		"nobody's":                         {true, jwtOf(`{}`), presented, true, 0},
		"nobody's, undemanded":             {false, jwtOf(`{}`), presented, false, 0},
		"opaque":                           {true, "opaque", presented, false, 0},
		"no certificate was asked for":     {true, "opaque", nil, true, 0},
		"no certificate, undemanded":       {false, "opaque", nil, false, 0},
		"another's, without a certificate": {false, foreign, nil, false, 1},
	} {
		c := newClient(t, Dialect{CertificateBound: tt.demanded})
		a := Answer{Outcome: Granted, AccessToken: tt.token, RefreshToken: "kept", Certificate: tt.certificate}
		c.checkCertificate(&a)
		if (a.Unusable != "") != tt.withheld || (a.Cause == CauseNotBound) != tt.withheld || a.RefreshToken != "kept" || len(a.Remarks) != tt.remarks {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
