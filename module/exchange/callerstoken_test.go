package exchange

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Fault C8.
func TestOnlyABearersTokenIsExchanged(t *testing.T) {
	for credentials, want := range map[string]string{
		"abc":                     "abc",
		"Bearer abc":              "abc",
		"bearer abc":              "abc",
		"BEARER \t abc \t":        "abc",
		"Token abc":               "abc",
		"JWT abc":                 "abc",
		" abc ":                   "abc",
		"":                        "",
		" \t":                     "",
		"Bearer":                  "",
		"Bearer ":                 "",
		"Basic dXNlcjpwYXNz":      "",
		"Negotiate YII":           "",
		"Digest username=\"a\"":   "",
		"DPoP abc":                "",
		"Bearer abc def":          "abc def", // which is refused as malformed
		"Bearer abc,Bearer def":   "abc,Bearer def",
		"Bearer\u00a0abc":         "Bearer\u00a0abc",
		"Bearer a\x00b":           "a\x00b",
		"AWS4-HMAC-SHA256 Cred=x": "",
	} {
		if got := withoutScheme(credentials); got != want {
			t.Errorf("%q: %q, want %q", credentials, got, want)
		}
	}
}

func TestAHealthCheckHasNoTokenOfACaller(t *testing.T) {
	if token, err := callersToken(httptest.NewRequest(http.MethodGet, "/", nil), "{http.request.header.Authorization}"); err == nil {
		t.Errorf("it is asked with %q", token)
	}
}
