package module

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"lamplighter/module/internal/keeper"
)

var testToken = &keeper.Token{
	Generation:  1,
	AccessToken: "A1{access_token}",
	IDToken:     "I1",
	Response:    map[string]string{"instance": "eu"},
}

func mustCompile(t testing.TB, list ...Injection) *injector {
	t.Helper()
	in, err := compileInjections(list)
	if err != nil {
		t.Fatal(err)
	}
	return &injector{injections: in}
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
			out := mustCompile(t, tc.inject...).into(req, testToken)

			if len(out.Header) != len(tc.want) {
				t.Errorf("headers %v, want %v", out.Header, tc.want)
			}
			for key, values := range tc.want {
				if got := out.Header[key]; len(got) != len(values) || got[0] != values[0] {
					t.Errorf("%s: %q, want %q", key, got, values)
				}
			}
			if out.URL.RawQuery != tc.query {
				t.Errorf("query %q, want %q", out.URL.RawQuery, tc.query)
			}
			if len(req.Header) != len(before) || req.Header.Get("Authorization") != before.Get("Authorization") || req.URL.String() != target {
				t.Error("the caller's request was changed: whoever logs it would log the token")
			}
		})
	}
}

func TestInjectionThatCannotWorkIsRefused(t *testing.T) {
	for name, inj := range map[string]Injection{
		"no name":           {In: "header"},
		"unknown place":     {In: "body", Name: "a"},
		"bad header name":   {In: "header", Name: "a b"},
		"host":              {In: "header", Name: "host"},
		"hop-by-hop":        {In: "header", Name: "connection"},
		"unknown value":     {Name: "A", Value: "{refresh_token}"},
		"unclosed":          {Name: "A", Value: "{access_token"},
		"empty path":        {Name: "A", Value: "{response.}"},
		"Caddy placeholder": {Name: "A", Value: "{http.request.host}"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := compileInjections([]Injection{inj}); err == nil {
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
		in.into(req, testToken)
	}
}
