package inject

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"lamplighter/module/internal/keeper"
)

var testToken = &keeper.Token{
	Generation:  1,
	AccessToken: "A1{access_token}",
	IDToken:     "I1",
	Response:    map[string]string{"instance": "eu"},
}

func mustCompile(t testing.TB, list ...Injection) *Injector {
	t.Helper()
	in, err := Compile(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Injector{Injections: in}
}

func TestInjectionReplacesWhateverTheCallerSent(t *testing.T) {
	bearer := Injection{In: "header", Name: "authorization", Value: "Bearer {access_token}"}
	for name, tc := range map[string]struct {
		inject []Injection
		header http.Header
		url    string
		want   http.Header
		query  string
	}{
		"nothing there": {
			inject: []Injection{bearer},
			want:   http.Header{"Authorization": {"Bearer A1{access_token}"}},
		},
		"the caller's own token": {
			inject: []Injection{bearer},
			header: http.Header{"Authorization": {"Bearer evil", "Basic evil"}, "X-Other": {"1"}},
			want:   http.Header{"Authorization": {"Bearer A1{access_token}"}, "X-Other": {"1"}},
		},
		"a token in the query, however it is written": {
			inject: []Injection{bearer},
			url:    "/a?b=1%2f&access_token=evil&c&access%5Ftoken=evil&d=%zz",
			want:   http.Header{"Authorization": {"Bearer A1{access_token}"}},
			query:  "b=1%2f&c&d=%zz",
		},
		"a token behind a semicolon": {
			inject: []Injection{bearer},
			url:    "/a?;b=1;access_token=evil&c;access_token=evil;d&&",
			want:   http.Header{"Authorization": {"Bearer A1{access_token}"}},
			query:  ";b=1&c;d&&",
		},
		"another header, and its twin with underscores": {
			inject: []Injection{{Name: "x-api-key"}},
			header: http.Header{"X-Api-Key": {"evil"}, "X_api_key": {"evil"}, "Authorization": {"Bearer evil"}},
			want:   http.Header{"X-Api-Key": {"A1{access_token}"}},
		},
		"a query parameter": {
			inject: []Injection{{In: "query", Name: "token", Value: "{id_token}+/"}},
			url:    "/a?token=evil&b=1",
			want:   http.Header{},
			query:  "b=1&token=I1%2B%2F",
		},
		"a cookie beside others": {
			inject: []Injection{{In: "cookie", Name: "sid", Value: "{id_token}"}},
			header: http.Header{"Cookie": {"a=1; sid=evil; b=2"}},
			want:   http.Header{"Cookie": {"a=1; b=2; sid=I1"}},
		},
		// Fault D8.
		"spellings of the token in the query": {
			inject: []Injection{bearer},
			url: "/a?a=1&access.token=evil&access[token=evil&%20access_token=evil&+access_token=evil&access_token%00=evil&access_token%00.x=evil&access_token[]=evil&access_token[0][a]=evil" +
				"&Access_Token=evil&ACCESS_TOKEN&%61ccess_token=evil&%2561ccess_token=evil&%u0061ccess_token=evil&[access_token]=evil&access%20token=evil&access_token%0d=evil&%22access_token%22=evil" +
				"&acce%C5%BF%C5%BF_to%E2%84%AAen=evil&b=2&&access_token",
			want:  http.Header{"Authorization": {"Bearer A1{access_token}"}},
			query: "a=1&b=2&",
		},
		"what only looks like it": {
			inject: []Injection{bearer},
			url:    "/a?access-token=1&accesstoken=2&my_access_token=3&access_token_type=4&access[token]=5&q=access_token&next=%2Fb%3Faccess_token%3D6&b%26access_token%3D7&%zz&c%",
			want:   http.Header{"Authorization": {"Bearer A1{access_token}"}},
			query:  "access-token=1&accesstoken=2&my_access_token=3&access_token_type=4&access[token]=5&q=access_token&next=%2Fb%3Faccess_token%3D6&b%26access_token%3D7&%zz&c%",
		},
		"a parameter in other spellings": {
			inject: []Injection{{In: "query", Name: "api.key"}},
			url:    "/a?x=%7e;api_key=evil&API.KEY=evil&api%2Ekey=evil&y=+&api[key=evil",
			want:   http.Header{},
			query:  "x=%7e&y=+&api.key=A1%7Baccess_token%7D",
		},
		"a header that CGI takes for another": {
			inject: []Injection{{Name: "X_Api_Key"}},
			header: http.Header{"X-Api-Key": {"evil"}, "X.api.key": {"evil"}, "X_api_key": {"evil"}, "X-Api_key": {"evil"}, "X-Apikey": {"1"}, "X-Api-Key2": {"2"}},
			want:   http.Header{"X_api_key": {"A1{access_token}"}, "X-Apikey": {"1"}, "X-Api-Key2": {"2"}},
		},
		"cookies that Go cannot parse": {
			inject: []Injection{{In: "cookie", Name: "sid", Value: "{id_token}"}},
			header: http.Header{"Cookie": {`j={"a":1,"sid":2}; sid=evil;b="x y"; é=ü;;c;  d = 1; SID="evil"; $Version=1; sid; e=a,b`}},
			want:   http.Header{"Cookie": {`j={"a":1,"sid":2};b="x y"; é=ü;;c;  d = 1; $Version=1; e=a,b; sid=I1`}},
		},
		"cookies in several lines": {
			inject: []Injection{{In: "cookie", Name: "sid", Value: "{id_token}"}},
			header: http.Header{"Cookie": {"a=1;b=2", "sid=evil", "c=3;"}},
			want:   http.Header{"Cookie": {"a=1;b=2", "c=3; sid=I1"}},
		},
		"cookies where a comma or a blank parts them": {
			inject: []Injection{{In: "cookie", Name: "sid", Value: "{id_token}"}},
			header: http.Header{"Cookie": {`a=1, sid=evil, b=2; c=3 sid = "e v"  d=4; "sid"=evil; e=sid; sid.=evil`}},
			want:   http.Header{"Cookie": {`a=1, b=2; c=3  d=4; e=sid; sid.=evil; sid=I1`}},
		},
		"no cookie but the one": {
			inject: []Injection{{In: "cookie", Name: "sid", Value: "{id_token}"}},
			header: http.Header{"Cookie": {"sid=evil", " ; sid=evil"}},
			want:   http.Header{"Cookie": {"sid=I1"}},
		},
		"several places, and a value of the answer": {
			inject: []Injection{bearer, {Name: "X-Instance", Value: "{response.instance}/{id_token}"}},
			want:   http.Header{"Authorization": {"Bearer A1{access_token}"}, "X-Instance": {"eu/I1"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			target := tc.url
			if target == "" {
				target = "/a"
			}
			req := httptest.NewRequest(http.MethodGet, target, nil)
			req.Header = tc.header.Clone()
			before := req.Header.Clone()
			out := mustCompile(t, tc.inject...).Into(req, testToken)

			if len(out.Header) != len(tc.want) {
				t.Errorf("headers %v, want %v", out.Header, tc.want)
			}
			for key, values := range tc.want {
				if got := out.Header[key]; !slices.Equal(got, values) {
					t.Errorf("%s: %q, want %q", key, got, values)
				}
			}
			if out.URL.RawQuery != tc.query {
				t.Errorf("query %q, want %q", out.URL.RawQuery, tc.query)
			}
			if len(req.Header) != len(before) || req.Header.Get("Authorization") != before.Get("Authorization") || req.URL.String() != target {
				t.Error("the caller's request was changed: whoever logs it would log the token")
			}
			for key, values := range before {
				if !slices.Equal(req.Header[key], values) {
					t.Errorf("the caller's %s was changed to %q", key, req.Header[key])
				}
			}
		})
	}
}

func TestWhatHoldsNothingSuspiciousIsRecognizedWithoutAllocation(t *testing.T) {
	const query = "page=2&filter%5Bname%5D=a.b&access_type=offline&some_longer_parameter=1&q=a+b&filter[access][token]=1"
	const cookies = `j={"a":1}; session=0123456789; theme=dark, light; consent=a b`
	sid := newReading("session_token")
	if n := testing.AllocsPerRun(100, func() {
		if withoutParam(query, accessTokenParam) != query || withoutCookie(cookies, sid) != cookies {
			t.Error("it was changed")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestInjectionThatCannotWorkIsRefused(t *testing.T) {
	for name, inj := range map[string]Injection{
		"no name":           {In: "header"},
		"unknown place":     {In: "body", Name: "a"},
		"bad header name":   {In: "header", Name: "a b"},
		"host":              {In: "header", Name: "host"},
		"hop-by-hop":        {In: "header", Name: "connection"},
		"no name in it":     {In: "query", Name: " []"},
		"unknown value":     {Name: "A", Value: "{refresh_token}"},
		"unclosed":          {Name: "A", Value: "{access_token"},
		"empty path":        {Name: "A", Value: "{response.}"},
		"Caddy placeholder": {Name: "A", Value: "{http.request.host}"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Compile([]Injection{inj}, nil); err == nil {
				t.Error("it was accepted")
			}
		})
	}
}

func BenchmarkInject(b *testing.B) {
	in := mustCompile(b, Injection{Name: "Authorization", Value: "Bearer {access_token}"})
	req := httptest.NewRequest(http.MethodGet, "/orders?page=2", nil)
	req.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"x"}, "X-Forwarded-For": {"127.0.0.1"}}
	b.ReportAllocs()
	for b.Loop() {
		in.Into(req, testToken)
	}
}

func BenchmarkWithoutParam(b *testing.B) {
	for _, query := range []string{"page=2", "page=2&filter%5Bname%5D=a.b&access_type=offline&some_longer_parameter=1&q=a+b"} {
		b.Run("", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				withoutParam(query, accessTokenParam)
			}
		})
	}
}
