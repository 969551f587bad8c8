package inject

import (
	"net/http/httptest"
	"strings"
	"testing"

	"lamplighter/module/internal/keeper"
)

// Fault A16.
func TestWhatNoPlaceCanCarryIsUnusableAndNamed(t *testing.T) {
	answer := &keeper.Token{AccessToken: "A1", IDToken: "I\r\nX: y", Response: map[string]string{
		"plain": "https://api.example.com/", "control": "a\x00b", "line": "a\nb", "umlaut": "Ä", "quoted": `a"b`, "list": "a,b", "blank": "a b",
	}}
	for _, test := range []struct{ in, value, want string }{
		{"header", "Bearer {access_token}", ""},
		{"header", "{id_token}", "{id_token} holds"},
		{"header", "{response.plain}", ""},
		{"header", "{response.umlaut}", ""},
		{"header", "{response.control}", "{response.control} holds"},
		{"header", "{response.line}", "{response.line} holds"},
		{"header", "x {response.absent}", "nothing for {response.absent}"},
		{"cookie", "{access_token}", ""},
		{"cookie", "{response.quoted}", "{response.quoted} holds"},
		{"cookie", "{response.list}", "{response.list} holds"},
		{"cookie", "{response.blank}", "{response.blank} holds"},
		{"cookie", "{response.umlaut}", "{response.umlaut} holds"},
		{"query", "{response.line}", ""},
		{"query", "{response.absent}", "nothing for {response.absent}"},
	} {
		in, err := Compile([]Injection{{In: test.in, Name: "x-token", Value: test.value}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := in.Unusable(answer); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s %s: %q, want %q", test.in, test.value, got, test.want)
		}
	}
}

// Fault A16. A token of a record knows nothing of a template that was added later.
func TestAnAbsentValueSendsNothing(t *testing.T) {
	in, err := Compile([]Injection{
		{In: "header", Name: "X-Host", Value: "h {response.absent}"}, {In: "query", Name: "q", Value: "{response.absent}"}, {In: "cookie", Name: "c", Value: "{id_token}"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest("GET", "/?q=callers&a=1", nil)
	req.Header.Set("X-Host", "callers")
	req.Header.Set("Cookie", "c=callers; d=1")
	out := (&Injector{Injections: in}).Into(req, &keeper.Token{AccessToken: "A1"})
	if out.Header.Values("X-Host") != nil || out.URL.RawQuery != "a=1" || strings.Contains(out.Header.Get("Cookie"), "c=") {
		t.Errorf("%v %s", out.Header, out.URL.RawQuery)
	}
}
