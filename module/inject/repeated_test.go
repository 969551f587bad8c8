package inject

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lamplighter/module/internal/keeper"
)

func mustTake(t *testing.T, token *keeper.Token, h http.Header, list ...Injection) bool {
	t.Helper()
	in, err := Compile(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	return in.TakeBack(h, token)
}

func TestWhatAnAPIRepeatsOfTheQueryIsTakenOutAndNothingElse(t *testing.T) {
	token := &keeper.Token{AccessToken: "secret/to+ken==", Response: map[string]string{"region": "eu"}}
	once := url.QueryEscape(token.AccessToken)
	twice := url.QueryEscape("key=" + once)
	for _, c := range []struct{ field, value, want string }{
		{"Location", "/orders/?a=1&key=" + once, "/orders/?a=1"},
		{"Location", "/orders/?key=" + once + "&a=%31", "/orders/?a=%31"},
		{"Location", "/orders/?key=" + once, "/orders/"},
		{"Location", "/orders/?key=" + once + "#end", "/orders/#end"},
		{"Location", "https://api.example.com/orders/?a=1;key=" + token.AccessToken + ";b=2", "https://api.example.com/orders/?a=1;b=2"},
		{"Location", "/o/?KEY=secret%2fto%2bken%3d%3D", "/o/"},
		{"Location", "/o/?k%65y=s%65cret/to%20ken%3d=&b", "/o/?b"},
		{"Location", "/login?next=%2Forders%3Fa%3D1%26" + twice + "%26b%3D2&c=3", "/login?next=%2Forders%3Fa%3D1%26b%3D2&c=3"},
		{"Location", "/login?next=" + url.QueryEscape(url.QueryEscape("/orders?key="+once)) + "&c=3", "/login?next=%252Forders&c=3"},
		{"Location", "/login?next=" + url.QueryEscape(url.QueryEscape("/orders?key="+once+"&page=2")) + "&c=3", "/login?next=%252Forders%253Fpage%253D2&c=3"},
		{"Location", "/o/?key=" + once + "&key=" + once + "&a", "/o/?a"},
		{"Location", "/o/?renamed=" + once + "&a", "/o/?a"},
		{"Location", "/o/" + once + "/x", "/o//x"},
		{"Location", "/o/?key=other&a=1", "/o/?key=other&a=1"},
		{"Location", "/o/?region=eu&region=europe&tenant=eu&a=1", "/o/?region=europe&tenant=eu&a=1"},
		{"Location", "https://eu/", "https://eu/"},
		{"Content-Location", "/orders?key=" + once, "/orders"},
		{"Link", "</orders?key=" + once + "&page=2>; rel=next, </orders?page=9&key=" + once + ">; rel=last", "</orders?page=2>; rel=next, </orders?page=9>; rel=last"},
		{"Refresh", "0; url=/orders/?key=" + once, "0; url=/orders/"},
		{"Set-Cookie", "back=" + once + "; Path=/", ""},
		{"Set-Cookie", "a=b; Path=/", "a=b; Path=/"},
		{"X-Request-Url", "/orders?key=" + once, "/orders"},
		{"X-Pagination", `{"next":"https:\/\/api\/o?a=1\u0026key=` + once + `\u0026page=2"}`, `{"next":"https:\/\/api\/o?a=1\u0026page=2"}`},
		{"X-Pagination", `{"next":"\/o?key\u003Dsecret\/to\u002bken\u003d=\u0026page=2"}`, `{"next":"\/o?page=2"}`},
		{"X-Pagination", `{"next":"\/login?next=%2Fo%3Fkey%3D` + twice + `\u0026page=2"}`, `{"next":"\/login?next=%2Fo\u0026page=2"}`},
		{"Link", `</o?a=1&amp;key=` + once + `&amp;page=2>; rel=next`, `</o?a=1&amp;page=2>; rel=next`},
		{"Location", strings.Repeat("/o?key="+once, 40), ""},
		{"Location", "/o?key=" + strings.ReplaceAll(once, "%", "%"+strings.Repeat("25", 500)), "/o"},
	} {
		h := http.Header{c.field: {"kept", c.value}}
		want := http.Header{c.field: {"kept", c.want}}
		if c.want == "" {
			want[c.field] = want[c.field][:1]
		}
		found := mustTake(t, token, h, Injection{In: "query", Name: "key"}, Injection{In: "query", Name: "region", Value: "{response.region}"})
		if !reflect.DeepEqual(h, want) || found != (c.value != c.want) {
			t.Errorf("%s: %s became %q, found %v", c.field, c.value, h, found)
		}
	}
}

func TestACookieThatIsSetToTheTokenIsNotSet(t *testing.T) {
	token := &keeper.Token{AccessToken: "short"}
	h := http.Header{"Set-Cookie": {"sess=short; Path=/; Max-Age=3600"}, "Location": {"/a;sess=short?short"}}
	if !mustTake(t, token, h, Injection{In: "cookie", Name: "sess"}) || !reflect.DeepEqual(h, http.Header{"Location": {"/a?short"}}) {
		t.Errorf("%q", h)
	}
	h = http.Header{"Set-Cookie": {"other=short", "sess=renewed", "short=sess"}}
	if mustTake(t, token, h, Injection{In: "cookie", Name: "sess"}) || len(h["Set-Cookie"]) != 3 {
		t.Errorf("%q", h)
	}
	token.AccessToken = "of usual length"
	h = http.Header{"Set-Cookie": {`SESS="of%20usual length"`, "a=b", "other=of+usual+length"}, "Location": {"/a;jsessionid=of+usual+length?b"}}
	if !mustTake(t, token, h, Injection{In: "cookie", Name: "sess"}) || !reflect.DeepEqual(h, http.Header{"Set-Cookie": {"a=b"}, "Location": {"/a?b"}}) {
		t.Errorf("%q", h)
	}
}

func TestOfATokenInAHeaderNothingIsTakenBack(t *testing.T) {
	h := http.Header{"Location": {"/a?key=" + testToken.AccessToken}}
	allocations := testing.AllocsPerRun(100, func() {
		if testInjections.TakeBack(h, testToken) {
			t.Error("it was")
		}
	})
	if len(h) != 1 || allocations != 0 {
		t.Errorf("%v %v", h, allocations)
	}
}

var testInjections, _ = Compile(nil, nil)

// decoded is a text with every layer of escapes undone, by net/url as far as it goes.
func decoded(text string) string {
	for {
		again := unescaped(text)
		if again == text {
			return text
		}
		text = again
	}
}

func TestNoHeaderHoldsTheTokenAfterwardsAndNoOtherChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := &keeper.Token{AccessToken: rapid.StringMatching(`[a-zA-Z0-9/._~=-]{8,40}`).Draw(t, "token")}
		piece := rapid.OneOf(rapid.SampledFrom([]string{"?", "&", ";", "key=", "=", "/", "<", ">", "%", "%2", "25", "#", ",", " ", "+", "\"", "x"}), rapid.String())
		around := func(name string) string { return strings.Join(rapid.SliceOfN(piece, 0, 6).Draw(t, name), "") }
		spelled := token.AccessToken
		for range rapid.IntRange(0, 3).Draw(t, "escaped") {
			spelled = url.QueryEscape(spelled)
		}
		other := around("before") + around("behind")
		repeating := around("left") + spelled + around("right")
		in, err := Compile([]Injection{{In: rapid.SampledFrom([]string{"query", "cookie"}).Draw(t, "in"), Name: "key"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"Location", "Content-Location", "Link", "Refresh", "Set-Cookie"} {
			h := http.Header{field: {other, repeating}}
			in.TakeBack(h, token)
			if len(h[field]) == 0 || h[field][0] != other && !strings.Contains(decoded(other), token.AccessToken) {
				t.Errorf("%s: %q became %q", field, other, h)
			}
			for _, value := range h[field] {
				if strings.Contains(decoded(value), token.AccessToken) {
					t.Errorf("%s: %q became %q", field, repeating, value)
				}
			}
		}
	})
}

func FuzzTakeBack(f *testing.F) {
	f.Add("/orders/?a=1&key=secret-token", "secret-token")
	f.Add("</a?key=secret%2dtoken>; rel=next", "secret-token")
	f.Add("/login?next=%2Fa%3Fkey%3Dsecret%252dtoken", "secret-token")
	f.Add("key=1;key=1", "1")
	f.Fuzz(func(t *testing.T, value, secret string) {
		token := &keeper.Token{AccessToken: secret}
		in, err := Compile([]Injection{{In: "query", Name: "key"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{"Location": {value}}
		if found := in.TakeBack(h, token); found != (h.Get("Location") != value || len(h) == 0) {
			t.Errorf("found %v, but %q", found, h)
		}
		if plain := string(plainOf(secret).text); len(plain) >= leastToken && strings.Contains(string(plainOf(h.Get("Location")).text), plain) {
			t.Errorf("%q holds it", h)
		}
		if kept := h.Get("Location"); len(kept) > len(value) {
			t.Errorf("%q became longer: %q", value, kept)
		}
	})
}
