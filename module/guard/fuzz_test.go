package guard

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"lamplighter/module/internal/target"
	"lamplighter/module/placeholder"
)

func requestFor(host string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = host
	return r
}

// A name is judged the same however it is written, and never passes by hanging
// another one on to it.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"localhost", "erp.example.com:80", "EVIL.com.", "[::1]:8080", "127.0.0.1", "a.b.c.co.uk", "svc.default", "x:y:z", "[fe80::1%25lo]", "evil.duckdns.org", ".", "..com", "xn--p1ai", "erp.eth", "a.svc", "a.svc.cluster.local", "0x7f.1", "a.internal"} {
		f.Add(seed)
	}
	rules, err := compileHosts(placeholder.Where{}, []string{"erp.example.com", "*.apps.example.com"})
	if err != nil {
		f.Fatal(err)
	}
	ours := rules
	ours.ours = true
	f.Fuzz(func(t *testing.T, host string) {
		passes := rules.pass(requestFor(host))
		if passes != rules.pass(requestFor(strings.ToUpper(host))) && strings.ToLower(strings.ToUpper(host)) == strings.ToLower(host) { //nolint:staticcheck // EqualFold also holds for ſ and s, which are two hosts
			t.Errorf("%q passes: %v, in capitals not so", host, passes)
		}
		if ours.pass(requestFor(host)) && !passes {
			t.Errorf("%q is let in where tokens are handed out alone", host)
		}
		name := requestHost(host)
		if _, err := netip.ParseAddr(name); err == nil || strings.ContainsAny(host, ":[]") {
			return
		}
		if rules.pass(requestFor(host+":8080")) != passes {
			t.Errorf("%q passes: %v, with a port not so", host, passes)
		}
		if target.IsHostname(name) && rules.pass(requestFor(host+".example.org")) {
			t.Errorf("%q passes below a domain of somebody else", host+".example.org")
		}
	})
}

// Only the origin whose host is the request's own is not foreign.
func FuzzOrigin(f *testing.F) {
	for _, seed := range [][2]string{{"http://x", "x"}, {"http://x:80", "x"}, {"https://x", "x:443"}, {"null", "null"}, {"http://X:8080", "x:8080"}, {"http://x@y", "y"}, {"//x", "x"}, {"http://[::1]", "[::1]"}, {"http://a b", "a b"}, {"//://x", "x"}, {"http://x@y", "x@y"}, {"ftp://x", "x"}, {"http://x/", "x"}} {
		f.Add(seed[0], seed[1], true)
		f.Add(seed[0], seed[1], false)
	}
	f.Fuzz(func(t *testing.T, from, host string, secure bool) {
		r := requestFor(host)
		if secure {
			r.TLS = new(tls.ConnectionState)
		}
		r.Header.Set("Origin", from)
		_, foreign := new(Guard).foreign(r)
		if foreign || from == "" {
			return
		}
		u, err := url.Parse(from)
		if err != nil || u.Host == "" || u.User != nil || !strings.EqualFold(target.PlainHost(u.Hostname()), requestHost(host)) {
			t.Errorf("the origin %q is taken for the own one of %q", from, host)
		}
	})
}

// What callers bring is found in the two schemes and nowhere else.
func FuzzBrought(f *testing.F) {
	for _, seed := range []string{"Bearer x", "Basic YTpi", "basic  OmI=", "Bearer", "Digest x", "Basic !!!", " bearer\tx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := brought(value)
		if got == "" {
			return
		}
		scheme, _, _ := strings.Cut(strings.TrimSpace(value), " ")
		if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "Basic") {
			t.Errorf("%q brings %q", value, got)
		}
	})
}
