package target

import (
	"testing"
)

func TestAllowMatchesSchemeNameAndPort(t *testing.T) {
	https := func(host, port string) Origin { return TCP("https", host, port, "") }
	http := func(host, port string) Origin { return TCP("http", host, port, "") }
	for _, tc := range []struct {
		allow string
		to    Origin
		want  bool
	}{
		{"https://api.example.com", https("api.example.com", "443"), true},
		{"https://api.example.com/", https("API.example.com.", ""), true},
		{"api.example.com", https("api.example.com", "443"), true},
		{"api.example.com", http("api.example.com", "80"), false},
		{"api.example.com", https("api.example.com", "8443"), false},
		{"api.example.com", https("api.example.com.evil.test", "443"), false},
		{"api.example.com", https("evil-api.example.com", "443"), false},
		{"http://api.example.com", http("api.example.com", "80"), true},
		{"http://api.example.com", https("api.example.com", "80"), false},
		{"https://api.example.com:8443", https("api.example.com", "8443"), true},
		{"https://api.example.com:*", https("api.example.com", "1"), true},
		{"https://*.example.com", https("a.b.example.com", "443"), true},
		{"https://*.example.com", https("example.com", "443"), false},
		{"https://*.example.com", https("badexample.com", "443"), false},
		{"http://*.default.svc.cluster.local:*", http("a.default.svc.cluster.local", "8080"), true},
		{"10.0.0.0/8", https("10.1.2.3", "8443"), true},
		{"10.0.0.0/8", http("10.1.2.3", "80"), false},
		{"10.0.0.0/8", https("11.0.0.1", "443"), false},
		{"10.0.0.0/8", https("10.example.com", "443"), false},
		{"http://10.0.0.0/8", http("::ffff:10.1.2.3", "80"), true},
		{"http://10.0.0.0/8:8080", http("10.1.2.3", "8080"), true},
		{"http://10.0.0.0/8:8080", http("10.1.2.3", "8081"), false},
		{"https://[fd00::1]", https("fd00:0::1", "443"), true},
		{"https://[fd00::]/8", https("fd00::1", "443"), true},
		{"unix//run/api.sock", Origin{Scheme: "http", Socket: "/run/api.sock"}, true},
		{"unix//run/api.sock", Origin{Scheme: "http", Socket: "/run/other.sock"}, false},
		{"unix//run/api.sock", http("run", "80"), false},
		{"unix+h2c//run/api.sock", Origin{Scheme: "http", Socket: "/run/api.sock"}, true},
		{"unix/@api", Origin{Scheme: "http", Socket: "@api"}, true},
		{"https://*.mine.github.io", https("a.mine.github.io", "443"), true},
		{"http://*.internal", http("a.internal", "80"), true},
		{"::ffff:10.0.0.0/104", https("10.1.2.3", "443"), true},
		{"::ffff:10.0.0.0/104", https("::ffff:10.1.2.3", "443"), true},
		{"https://[fe80::]/10", https("fe80::1%eth0", "443"), true},
		{"https://api.example.com..", https("api.example.com", "443"), true},
		{"socks5://proxy.internal", TCP("socks5", "proxy.internal", "", ""), true},
		{"socks5h://proxy.internal:1080", TCP("socks5", "proxy.internal", "1080", ""), true},
		{"socks5://proxy.internal", http("proxy.internal", "1080"), false},
		// The name that the certificate must prove counts, not what DNS says.
		{"https://api.example.com", TCP("https", "10.0.0.7", "443", "api.example.com"), true},
		{"https://10.0.0.7", TCP("https", "10.0.0.7", "443", "api.example.com"), false},
		{"10.0.0.0/8", TCP("https", "10.0.0.7", "443", "api.example.com"), true},
		// Without TLS nothing proves it.
		{"http://api.example.com", TCP("http", "10.0.0.7", "80", "api.example.com"), false},
	} {
		rule, err := ParseRule(tc.allow)
		if err != nil {
			t.Errorf("%s: %v", tc.allow, err)
			continue
		}
		if got := rule.Matches(tc.to); got != tc.want {
			t.Errorf("allow %s, to %s: %v, want %v", tc.allow, tc.to, got, tc.want)
		}
	}
}

func TestAllowThatIsNoOriginIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "*", "https://*", "https://*.", "https://*.com", "https://*.co.uk", "0.0.0.0/0", "http://[::]/0", "ftp://a", "https://",
		"https://a/b", "https://a?b", "https://a#b", "https://u@a", "https://a:0", "https://a:x", "https://a:", "https://a:70000",
		"10.0.0.0/33", "a/8", "https://a*b.example.com", "https://%61", "unix/", "https://a b",
		// Fault D8: anybody can have a name there.
		"https://*.github.io", "*.github.io", "https://*.github.io.", "https://*.GITHUB.IO:*", "http://*.compute.amazonaws.com", "https://*.eu-west-1.compute.amazonaws.com",
		"https://*.azurewebsites.net", "https://*.ck", "https://*.s3.amazonaws.com", "https://*.duckdns.org", "https://*.xn--p1ai",
		// Fault E14: nothing matches these.
		"unix//*", "unix//run/*.sock", "unix//run/api?.sock", "unix+h2c//*", "https://*.10.0.0.1", "https://*.[::1]", "10.0.0.*", "https://a.*.example.com", "https://*example.com",
		"::ffff:0:0/96", "::ffff:0:0/90", "socks5://*.internal", "socks5://10.0.0.0/8", "https://*.*.example.com",
		"https://[::1", "https://{http.request.host}",
	} {
		if rule, err := ParseRule(text); err == nil {
			t.Errorf("%q was accepted as %+v", text, rule)
		}
	}
}

// An origin that is printed in an error must be what `allow` accepts.
func FuzzAllow(f *testing.F) {
	for _, seed := range []string{
		"https://api.example.com", "http://10.0.0.0/8:80", "*.example.com:*", "unix//run/a", "[::1]:80", "https://[fe80::1%25eth0]", "::ffff:1.2.3.4", "a:b@c",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := ParseRule(text)
		if err != nil || rule.name == "" || rule.port == "" {
			return
		}
		o := TCP(rule.scheme, rule.name, rule.port, "")
		if !rule.Matches(o) {
			t.Fatalf("allow %q does not match its own origin %s", text, o)
		}
		again, err := ParseRule(o.String())
		if err != nil || !again.Matches(o) {
			t.Fatalf("allow %q is printed as %s, which is not the same: %v", text, o, err)
		}
	})
}
