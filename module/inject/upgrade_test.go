package inject

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Fault D9.
func TestAnOfferOfH2CIsTakenOutInEverySpelling(t *testing.T) {
	for _, test := range []struct {
		name         string
		in, want     http.Header
		wantsUpgrade bool
	}{
		{"Java's HttpClient", http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABk"}}, http.Header{}, false},
		{"what Caddy leaves of it", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"h2c"}}, http.Header{}, false},
		{"another case", http.Header{"Connection": {"upgrade , http2-settings"}, "Upgrade": {" H2C "}, "Http2-Settings": {""}}, http.Header{}, false},
		{"several lines", http.Header{"Connection": {"Upgrade", "HTTP2-Settings"}, "Upgrade": {"h2c", "h2c-14,h2c-16"}}, http.Header{}, false},
		{"settings alone", http.Header{"Http2-Settings": {"AAMAAABk"}, "Accept": {"*/*"}}, http.Header{"Accept": {"*/*"}}, false},
		{"beside a WebSocket", http.Header{"Connection": {"Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c, websocket"}}, http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, true},
		{"in a line of its own", http.Header{"Connection": {"keep-alive", "Upgrade"}, "Upgrade": {"h2c", "websocket"}}, http.Header{"Connection": {"keep-alive", "Upgrade"}, "Upgrade": {"websocket"}}, true},
		{"beside another connection option", http.Header{"Connection": {"close, Upgrade, HTTP2-Settings"}, "Upgrade": {"h2c"}}, http.Header{"Connection": {"close"}}, false},
		{"another upgrade", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}, http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}, true},
		{"no upgrade", http.Header{"Connection": {"close"}}, http.Header{"Connection": {"close"}}, false},
	} {
		req := &http.Request{Header: test.in}
		if IsUpgrade(req) != test.wantsUpgrade {
			t.Errorf("%s: taken for an upgrade: %v", test.name, !test.wantsUpgrade)
		}
		before := test.in.Clone()
		if got := WithoutH2C(req); !sameHeader(got.Header, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got.Header, test.want)
		}
		if !sameHeader(test.in, before) {
			t.Errorf("%s: the caller's own header became %v", test.name, test.in)
		}
	}
}

func TestWhateverIsOfferedBesideH2CIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spelling := rapid.SampledFrom([]string{"h2c", "H2C", "h2C", "h2", "h2c-14", "HTTP/2.0"})
		other := rapid.SampledFrom([]string{"websocket", "WebSocket", "tcp", "SPDY/3.1", "TLS/1.0"})
		var lines, want []string
		for range rapid.IntRange(1, 4).Draw(t, "lines") {
			var line []string
			for range rapid.IntRange(1, 4).Draw(t, "members") {
				member := spelling.Draw(t, "h2c")
				if rapid.Bool().Draw(t, "other") {
					member = other.Draw(t, "protocol")
					want = append(want, member)
				}
				line = append(line, member)
			}
			lines = append(lines, strings.Join(line, rapid.SampledFrom([]string{",", ", ", " ,\t"}).Draw(t, "comma")))
		}
		h := http.Header{"Upgrade": lines, "Connection": {"Upgrade, HTTP2-Settings"}}
		endH2C(h)
		got := slices.Collect(listed(h["Upgrade"]))
		if !slices.Equal(got, want) {
			t.Fatalf("of %q %q is left, want %q", lines, got, want)
		}
		if connected := len(h["Connection"]) > 0; connected != (len(want) > 0) {
			t.Fatalf("Connection: %q with Upgrade: %q", h["Connection"], got)
		}
	})
}

func sameHeader(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for name, values := range a {
		if !slices.EqualFunc(values, b[name], func(x, y string) bool { return strings.TrimSpace(x) == strings.TrimSpace(y) }) {
			return false
		}
	}
	return true
}
