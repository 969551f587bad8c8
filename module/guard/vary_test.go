package guard

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"pgregory.net/rapid"

	"lamplighter/module/observe"
)

// judge is a Handout without a configuration around it.
func judge(t *testing.T, secret string, forwarded bool) *Handout {
	t.Helper()
	h := &Handout{Guard: Guard{CallerSecret: secret, logger: zap.NewNop(), refused: observe.NewRefusals(zap.NewNop())}, Forwarded: forwarded}
	if err := h.compileCallers(); err != nil {
		t.Fatal(err)
	}
	if err := h.compileSecret(); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestRequestsThatAreJudgedDifferentlyShareNoKeyOfACache: of two requests for one URL, of which
// one is let in and the other not, some header that Vary names differs (RFC 9111 section 4.1).
func TestRequestsThatAreJudgedDifferentlyShareNoKeyOfACache(t *testing.T) {
	values := map[string][]string{
		Marker: {"", "yes", "no", "a-secret-of-callers"}, "Authorization": {"", "Bearer a-secret-of-callers", "Bearer mine"},
		"Proxy-Authorization": {"", "Bearer a-secret-of-callers", "Basic eA=="}, "Origin": {"", "https://evil.example"},
		"Sec-Fetch-Site": {"", "cross-site"}, "X-Forwarded-For": {"", "192.0.2.7"}, "X-Forwarded-Proto": {"", "https"}, "X-Other": {"", "x"},
	}
	for _, name := range passing {
		values[name] = []string{"", "192.0.2.7"}
	}
	var names []string
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	socket := &net.UnixAddr{Name: "/run/token.sock", Net: "unix"}
	rapid.Check(t, func(rt *rapid.T) {
		secret := rapid.SampledFrom([]string{"", "a-secret-of-callers"}).Draw(rt, "secret")
		onSocket := rapid.Bool().Draw(rt, "socket")
		h := judge(t, secret, (onSocket || secret != "") && rapid.Bool().Draw(rt, "forwarded"))
		draw := func(label string) (*http.Request, http.Header) {
			r := httptest.NewRequest(http.MethodGet, "http://x/erp", nil)
			r.RemoteAddr = "127.0.0.1:1"
			if onSocket {
				r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(socket)))
			}
			r.Header.Set(Marker, rapid.SampledFrom(values[Marker]).Draw(rt, label+Marker))
			for range rapid.IntRange(0, 3).Draw(rt, label+" others") {
				name := rapid.SampledFrom(names).Draw(rt, label)
				if value := rapid.SampledFrom(values[name]).Draw(rt, label+name); value != "" {
					r.Header.Set(name, value)
				}
			}
			return r, r.Header.Clone()
		}
		one, sentOne := draw("one ")
		other, sentOther := draw("other ")
		if (h.refusal(one) == nil) == (h.refusal(other) == nil) {
			return
		}
		for name := range strings.SplitSeq(h.Vary(), ", ") {
			if !slices.Equal(sentOne.Values(name), sentOther.Values(name)) {
				return
			}
		}
		rt.Errorf("Vary: %s is the same for %v and %v, of which one is let in", h.Vary(), sentOne, sentOther)
	})
}
