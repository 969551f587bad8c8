package module

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"pgregory.net/rapid"
)

func exchangingFrom(setting string) *Client {
	return &Client{
		TokenEndpoint: "https://login.example.com/token", ClientID: "app", ClientSecret: "literal",
		GrantType: "token_exchange", SubjectToken: setting,
	}
}

// Fault C7.
func TestASubjectTokenIsReadOnlyFromWhereItCanBeTakenOut(t *testing.T) {
	for setting, want := range map[string]string{
		"{http.request.header.Authorization}":                                "",
		"{http.request.header.x-user-token}":                                 "",
		"{http.request.cookie.session}":                                      "",
		"{http.request.uri.query.tok}":                                       "",
		"{http.request.header.Authorization}{http.request.cookie.session}":   "",
		"{http.vars.token}":                                                  "",
		"{http.auth.user.id}":                                                "",
		"{http.request.tls.client.certificate_der_base64}":                   "",
		"{http.request.tls.client.certificate_pem}":                          "certificate_der_base64",
		"{http.request.header.Cookie}":                                       "{http.request.cookie.<name>}",
		"{http.request.header.Host}":                                         "cannot carry a token",
		"{http.request.header.Content-Length}":                               "cannot carry a token",
		"{http.request.header.}":                                             "not a header name",
		"{http.request.header.a b}":                                          "not a header name",
		"{http.request.cookie.}":                                             "can be taken out",
		"{http.request.uri.query.}":                                          "can be taken out",
		"{http.request.uri}":                                                 "can be taken out",
		"{http.request.uri.query}":                                           "can be taken out",
		"{http.request.uri.path.1}":                                          "can be taken out",
		"{http.request.orig_uri.query}":                                      "can be taken out",
		"{http.request.body}":                                                "can be taken out",
		"{http.request.host}":                                                "can be taken out",
		"{http.request.remote.host}":                                         "can be taken out",
		"{http.request.method}":                                              "can be taken out",
		"{http.request.uuid}":                                                "can be taken out",
		"{http.vars.client_ip}":                                              "can be taken out",
		"{http.regexp.token.1}":                                              "can be taken out",
		"{http.response.header.X}":                                           "can be taken out",
		"{http.request.header.X-A}{env.SALT}":                                "mixes",
		"{http.request.header.X-A}{nobody}":                                  "mixes",
		"{http.request.header.X-A}{oauth2_client.other.access_token}":        "mixes",
		"{http.request.header.Authorization}{http.request.uri.path}":         "can be taken out",
		"{http.request.tls.cipher_suite}{http.request.header.Authorization}": "can be taken out",
		"{http.request.header.Authorization}{http.request.header.Transfer-Encoding}abcde": "cannot carry a token",
	} {
		err := exchangingFrom(setting).Check()
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "subject_token")) {
			t.Errorf("%s: %v, want %q", setting, err, want)
		}
	}
}

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

// arriving is a request as Caddy hands it to handlers.
func arriving(target string, header http.Header) *http.Request {
	req := httptest.NewRequest(http.MethodGet, target, nil)
	req.Header = header
	caddyhttp.NewTestReplacer(req)
	return req
}

// Fault C7: whatever is taken out, every other byte of cookies and query stays.
func TestTheRestOfCookiesAndQueryStaysAsItWas(t *testing.T) {
	tok := newReading("tok")
	s := &subject{cookies: []*reading{tok}, params: []*reading{tok}, headers: []string{"X-User-Token"}}
	for _, c := range [][2]string{
		{`tok=abc`, ``},
		{`TOK=abc`, ``},
		{`a=1; tok=abc; b=2`, `a=1; b=2`},
		{`tok=abc; j={"a":1}; x="y z"`, `j={"a":1}; x="y z"`},
		{`a=1;tok=abc`, `a=1`},
		{`a=1;  tok =abc;b`, `a=1;b`},
		{`a=tok=abc; tok="q"; tok`, `a=tok=abc`},
		{`tok2=1;xtok=2 ; ;`, `tok2=1;xtok=2 ; ;`},
	} {
		req := arriving("/p?a=%zz&tok=abc&b={x}&;c", http.Header{"Cookie": {c[0]}, "X-User-Token": {"abc"}, "X_user_token": {"abc"}, "X-Other": {"o"}})
		s.removeFrom(req)
		if got := req.Header.Get("Cookie"); got != c[1] || (c[1] == "") != (req.Header["Cookie"] == nil) {
			t.Errorf("%s: %q, want %q", c[0], got, c[1])
		}
		if req.URL.RawQuery != "a=%zz&b={x}&;c" {
			t.Errorf("the query is %s", req.URL.RawQuery)
		}
		if len(req.Header["X-User-Token"])+len(req.Header["X_user_token"]) > 0 || req.Header.Get("X-Other") != "o" {
			t.Errorf("the header is %v", req.Header)
		}
	}
}

// Fault C7: what Caddy reads as the token is never left, whatever else is there.
func TestWhatCaddyReadsAsTheTokenIsNeverLeft(t *testing.T) {
	piece := rapid.SampledFrom([]string{"tok", "Tok", "t%6Fk", "a", "=", "==", "v", `"v"`, `{"a":1}`, ";", "; ", ";;", "&", "+", "%20", "\t", ",", "%"})
	pieces := rapid.SliceOfN(piece, 0, 12)
	cfg := exchangingFrom("{http.request.cookie.tok}{http.request.uri.query.tok}")
	s, err := cfg.subject()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		cookies := []string{strings.Join(pieces.Draw(rt, "cookies"), ""), strings.Join(pieces.Draw(rt, "more"), "")}
		query := strings.Join(pieces.Draw(rt, "query"), "")
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Header["Cookie"], req.URL.RawQuery = slices.Clone(cookies), query
		s.removeFrom(req)
		if got := caddyhttp.NewTestReplacer(req).ReplaceAll(cfg.SubjectToken, ""); got != "" {
			rt.Fatalf("%q of %q and %q is left: %v, %s", got, cookies, query, req.Header, req.URL.RawQuery)
		}
	})
}

func TestAHealthCheckHasNoTokenOfACaller(t *testing.T) {
	c := madeOf(t, exchangingFrom("{http.request.header.Authorization}"))
	if token, err := c.callersToken(httptest.NewRequest(http.MethodGet, "/", nil)); err == nil {
		t.Errorf("it is asked with %q", token)
	}
}
