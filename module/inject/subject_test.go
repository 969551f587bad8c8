package inject

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"pgregory.net/rapid"
)

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
	s := &Subject{cookies: []*reading{tok}, params: []*reading{tok}, headers: []string{"X-User-Token"}}
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
	const setting = "{http.request.cookie.tok}{http.request.uri.query.tok}"
	s, err := CompileSubject(setting)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		cookies := []string{strings.Join(pieces.Draw(rt, "cookies"), ""), strings.Join(pieces.Draw(rt, "more"), "")}
		query := strings.Join(pieces.Draw(rt, "query"), "")
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Header["Cookie"], req.URL.RawQuery = slices.Clone(cookies), query
		s.removeFrom(req)
		if got := caddyhttp.NewTestReplacer(req).ReplaceAll(setting, ""); got != "" {
			rt.Fatalf("%q of %q and %q is left: %v, %s", got, cookies, query, req.Header, req.URL.RawQuery)
		}
	})
}
