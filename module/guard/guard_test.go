package guard_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lamplighter/module/moduletest"
)

func TestCallersThatMustNotUseTheTokenAreRefused(t *testing.T) {
	as := moduletest.Echoing(t)
	s := moduletest.NewSidecar(t, as)
	moduletest.Write(t, s, "caller", "open sesame\n")
	port := s.Address[strings.LastIndex(s.Address, ":"):]
	basic := func(userinfo string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
	}
	for name, block := range map[string]struct {
		block    string
		requests []struct {
			method string
			header string // Host is x if there is none
			status int
			cause  string
		}
	}{
		"by default": {"", []struct {
			method, header string
			status         int
			cause          string
		}{
			{"GET", "", 200, ""},
			{"GET", "Host: 127.0.0.1" + port, 200, ""},
			{"GET", "Host: [::1]" + port, 200, ""},
			{"GET", "Host: localhost", 200, ""},
			{"GET", "Host: erp-sidecar" + port, 200, ""},            // Compose, Kubernetes
			{"GET", "Host: erp.default", 200, ""},                   // svc.namespace
			{"GET", "Host: erp.default.svc", 200, ""},               //
			{"GET", "Host: erp.default.svc.cluster.local", 200, ""}, //
			{"GET", "Host: erp.internal", 200, ""},
			{"GET", "Host: erp.lan.", 200, ""},
			{"GET", "Host: evil.example.com", 421, "unknown_host"},
			{"GET", "Host: EVIL.EXAMPLE.COM." + port, 421, "unknown_host"},
			{"GET", "Host: 127.0.0.1.nip.io", 421, "unknown_host"},
			{"GET", "Host: evil.duckdns.org", 421, "unknown_host"},
			{"GET", "Host: xn--e1afmkfd.xn--p1ai", 421, "unknown_host"},
			// Fault D8: spellings of the same name, and what is no name at all.
			{"GET", "Host: evil.com..", 421, "unknown_host"},
			{"GET", "Host: evil.com.:80", 421, "unknown_host"},
			{"GET", "Host: evil.com..." + port, 421, "unknown_host"},
			{"GET", "Host: evil..com", 421, "unknown_host"},
			{"GET", "Host: .com", 421, "unknown_host"},
			{"GET", "Host: ev_il.com", 421, "unknown_host"},
			{"GET", "Host: %65vil.com", 421, "unknown_host"},
			{"GET", "Host: evil%2ecom", 421, "unknown_host"},
			{"GET", "Host: evil.com:80:80", 421, "unknown_host"},
			{"GET", "Host: evil.com,localhost", 421, "unknown_host"},
			{"GET", "Host: [evil.com]", 421, "unknown_host"},
			{"GET", "Host: localhost.", 200, ""},
			{"GET", "Host: erp.home.arpa", 200, ""}, // RFC 8375: of each home
			{"GET", "Host: evil.arpa", 421, "unknown_host"},
			{"GET", "Host: [::1%25eth0]" + port, 200, ""},
			{"GET", "Host: [::ffff:127.0.0.1]", 200, ""},
			{"TRACE", "", 405, "trace_refused"},
			{"trace", "", 405, "trace_refused"},
			{"TRACK", "", 405, "trace_refused"},
			{"Track", "", 405, "trace_refused"},
			{"CONNECT", "", 405, "connect_refused"},
			{"GET", "Origin: https://evil.example", 403, "browser_refused"},
			{"POST", "Origin: null", 403, "browser_refused"},
			{"POST", "Origin: http://x\nOrigin: http://evil.example", 403, "browser_refused"},
			{"GET", "Origin: http://x", 200, ""},
			{"GET", "Origin: http://x:80", 200, ""},
			{"GET", "Origin: http://x:81", 403, "browser_refused"},
			{"GET", "Origin: https://x", 403, "browser_refused"},
			{"GET", "Sec-Fetch-Site: cross-site", 403, "browser_refused"},
			{"GET", "sec-fetch-site: same-site", 403, "browser_refused"},
			{"GET", "Sec-Fetch-Site: something-new", 403, "browser_refused"},
			{"GET", "Sec-Fetch-Site: same-origin", 200, ""},
			{"GET", "Sec-Fetch-Site: none", 200, ""},
			// Only the connection's own address counts.
			{"GET", "X-Forwarded-For: 8.8.8.8\nForwarded: for=8.8.8.8\nX-Real-IP: 8.8.8.8", 200, ""},
		}},
		"from elsewhere": {"callers 192.0.2.0/24 2001:db8::1", []struct {
			method, header string
			status         int
			cause          string
		}{
			{"GET", "", 403, "caller_refused"},
			{"GET", "X-Forwarded-For: 192.0.2.1\nForwarded: for=192.0.2.1\nX-Real-IP: 192.0.2.1", 403, "caller_refused"},
		}},
		"from loopback as IPv6 has it": {"callers ::ffff:127.0.0.0/104", []struct {
			method, header string
			status         int
			cause          string
		}{{"GET", "", 200, ""}}},
		"from an address as IPv6 has it": {"callers ::ffff:127.0.0.1", []struct {
			method, header string
			status         int
			cause          string
		}{{"GET", "", 200, ""}}},
		"from elsewhere as IPv6 has it": {"callers ::ffff:10.0.0.0/104 ::/0", []struct {
			method, header string
			status         int
			cause          string
		}{{"GET", "", 403, "caller_refused"}}},
		"from a private network": {"callers private_ranges", []struct {
			method, header string
			status         int
			cause          string
		}{{"GET", "", 200, ""}}},
		"with names": {"allow_host erp.example.com *.apps.example.com\nallow_origin https://portal.example.com", []struct {
			method, header string
			status         int
			cause          string
		}{
			{"GET", "Host: ERP.example.com:8080", 200, ""},
			{"GET", "Host: a.apps.example.com", 200, ""},
			{"GET", "Host: apps.example.com", 421, "unknown_host"},
			{"GET", "Host: erp.example.com.evil.com", 421, "unknown_host"},
			{"GET", "Origin: https://portal.example.com\nSec-Fetch-Site: cross-site", 200, ""},
			{"GET", "Origin: https://portal.example.com.evil.com", 403, "browser_refused"},
			{"GET", "Origin: http://portal.example.com", 403, "browser_refused"},
		}},
		"with any name and page": {"allow_host *\nallow_origin *", []struct {
			method, header string
			status         int
			cause          string
		}{
			{"GET", "Host: evil.example.com\nOrigin: https://evil.example.com\nSec-Fetch-Site: cross-site", 200, ""},
		}},
		"with a secret": {"caller_secret {file." + s.Dir + "/caller}", []struct {
			method, header string
			status         int
			cause          string
		}{
			{"GET", "", 403, "caller_unknown"},
			{"GET", "Proxy-Authorization: Bearer", 403, "caller_unknown"},
			{"GET", "Proxy-Authorization: Bearer open sesam", 403, "caller_unknown"},
			{"GET", "Proxy-Authorization: open sesame", 403, "caller_unknown"},
			{"GET", "Proxy-Authorization: Bearer open sesame", 200, ""},
			{"GET", "proxy-authorization: bearer  open sesame", 200, ""},
			{"GET", "Proxy-Authorization: " + basic("app:open sesame"), 200, ""},
			{"GET", "Proxy-Authorization: " + basic("open sesame:"), 403, "caller_unknown"},
			{"GET", "Authorization: " + basic(":open sesame"), 200, ""},
			{"GET", "Authorization: Bearer open sesame", 200, ""},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			s.Load(s.Config("", block.block))
			for _, tc := range block.requests {
				header := tc.header
				if !strings.HasPrefix(header, "Host:") {
					header = strings.TrimSpace("Host: x\n" + header)
				}
				res, body := s.Raw(tc.method + " /a HTTP/1.1\n" + header + "\nConnection: close\n\n")
				if res.StatusCode != tc.status {
					t.Errorf("%s %q: got %d %s, want %d", tc.method, header, res.StatusCode, body, tc.status)
					continue
				}
				if tc.status == 200 {
					if strings.Contains(body, "sesame") || strings.Contains(body, "Proxy-Auth") || body == "" {
						t.Errorf("%s %q: the upstream got %s", tc.method, header, body)
					}
					continue
				}
				cause, _ := moduletest.ProblemOf(t, res, body)
				if cause != tc.cause {
					t.Errorf("%s %q: refused because of %s, want %s", tc.method, header, cause, tc.cause)
				}
				if tc.status == 405 && res.Header.Get("Allow") == "" {
					t.Error("a 405 without Allow")
				}
			}
		})
	}
	s.T = t
	if _, _, unauthorized := as.Count(); unauthorized != 0 {
		t.Errorf("%d requests without our token, or with more than that, reached the upstream", unauthorized)
	}
}

func TestRefusalNamesTheLineToAdd(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.Echoing(t))
	s.Load(s.Config("", ""))
	res, body := s.Raw("GET / HTTP/1.1\nHost: erp.example.com\nConnection: close\n\n")
	if _, remedy := moduletest.ProblemOf(t, res, body); !strings.Contains(remedy, "'allow_host erp.example.com'") {
		t.Errorf("the remedy is %q", remedy)
	}
	s.Load(s.Config("", "allow_host erp.example.com"))
	if res, body := s.Raw("GET / HTTP/1.1\nHost: erp.example.com\nConnection: close\n\n"); res.StatusCode != 200 {
		t.Errorf("with that line: %d %s", res.StatusCode, body)
	}
}

func TestHostsOfTheSiteAddressPass(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.Echoing(t))
	_, port, _ := net.SplitHostPort(s.Address)
	s.Load(strings.Replace(s.Config("", ""), "http://:"+port, "http://erp.example.com:"+port+", http://*.apps.example.com:"+port+", http://x:"+port, 1))
	for _, host := range []string{"erp.example.com", "erp.example.com:" + port, "a.apps.example.com"} {
		if res, body := s.Raw("GET / HTTP/1.1\nHost: " + host + "\nConnection: close\n\n"); res.StatusCode != 200 || body == "" {
			t.Errorf("%s: got %d %s", host, res.StatusCode, body)
		}
	}
}

func TestOneCredentialReachesTheUpstreamAndItIsOurs(t *testing.T) {
	as := moduletest.Echoing(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("", ""))
	for name, request := range map[string]string{
		"a named hop-by-hop header":     "GET / HTTP/1.1\nHost: x\nAuthorization: Bearer evil\nConnection: close, Authorization\n\n",
		"in capitals":                   "GET / HTTP/1.1\nHost: x\nAUTHORIZATION: Bearer evil\nConnection: AUTHORIZATION\nConnection: close\n\n",
		"with tabs":                     "GET / HTTP/1.1\nHost: x\nauthorization:\tBearer evil\nConnection: close,\tauthorization\t\n\n",
		"among empty elements":          "GET / HTTP/1.1\nHost: x\nConnection: ,,authorization,, close\n\n",
		"in the connection of an older": "GET / HTTP/1.1\nHost: x\nProxy-Connection: Authorization\nAuthorization: evil\nConnection: close\n\n",
		"twice":                         "GET / HTTP/1.1\nHost: x\nAuthorization: Bearer evil\nAuthorization: Basic evil\nConnection: close\n\n",
		"for a proxy":                   "GET / HTTP/1.1\nHost: x\nProxy-Authorization: Basic evil\nConnection: close\n\n",
		"in the query":                  "GET /a?access_token=evil&b=1;access_token=evil&access%5Ftoken=evil HTTP/1.1\nHost: x\nConnection: close\n\n",
		"in an absolute URL":            "GET http://evil:evil@evil.example.com/a?access_token=evil HTTP/1.1\nHost: evil.example.com\nConnection: close\n\n",
		"with an underscore":            "GET / HTTP/1.1\nHost: x\nProxy_Authorization: evil\nHTTP_AUTHORIZATION: evil\nConnection: close\n\n",
		"in HTTP/1.0":                   "GET / HTTP/1.0\nAuthorization: evil\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			res, body := s.Raw(request)
			if name == "in an absolute URL" { // which names a host
				if res.StatusCode != 421 {
					t.Errorf("got %d %s", res.StatusCode, body)
				}
				return
			}
			if res.StatusCode != 200 || strings.Count(body, "Authorization") != 1 || !strings.Contains(body, "Bearer access-token-1") || strings.Contains(body, "evil") {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
		})
	}
	s.T = t
	// A body is the caller's own, whatever it says.
	const form = "access_token=mine&a=1"
	res, body := s.Raw(fmt.Sprintf("POST / HTTP/1.1\nHost: x\nContent-Type: application/x-www-form-urlencoded\nContent-Length: %d\nConnection: close\n\n%s", len(form), form))
	if res.StatusCode != 200 || !strings.Contains(body, "\n"+form+"\n") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if _, _, unauthorized := as.Count(); unauthorized != 0 {
		t.Errorf("%d requests with another credential than ours", unauthorized)
	}
}

func TestGuardHoldsOverHTTP2(t *testing.T) {
	as := moduletest.Echoing(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(strings.Replace(s.Config("", ""), "admin off", "admin off\nservers {\nprotocols h1 h2c\n}", 1))
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	for _, tc := range []struct {
		method, host string
		header       []string
		status       int
	}{
		{"GET", "x", []string{"Authorization", "Bearer evil"}, 200},
		{"POST", "x", nil, 200},
		{"GET", "evil.example.com", nil, 421},
		{"TRACE", "x", nil, 405},
		{"GET", "x", []string{"Origin", "https://evil.example"}, 403},
		{"GET", "x", []string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		req, err := http.NewRequestWithContext(ctx, tc.method, "http://"+s.Address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tc.host
		for i := 0; i+1 < len(tc.header); i += 2 {
			req.Header.Set(tc.header[i], tc.header[i+1])
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		cancel()
		if res.ProtoMajor != 2 || res.StatusCode != tc.status || strings.Contains(string(body), "evil\n") || len(body) == 0 {
			t.Errorf("%s %s %v: got %s %d %s", tc.method, tc.host, tc.header, res.Proto, res.StatusCode, body)
		}
	}
	if _, _, unauthorized := as.Count(); unauthorized != 0 {
		t.Errorf("%d requests with another credential than ours", unauthorized)
	}
}

func TestUnixSocketIsACallerOnLoopback(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.Echoing(t))
	dir, err := os.MkdirTemp("", "lamp-") // short enough for a socket address
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "sock")
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	for block, want := range map[string]int{"": 200, "callers 127.0.0.1": 403} {
		s.Load(strings.Replace(s.Config("", block), "bind 127.0.0.1", "bind unix/"+socket, 1))
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://x/", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(req)
		for range 5 {
			// At a reload Caddy drops connections that nobody has accepted yet.
			if err == nil {
				break
			}
			res, err = transport.RoundTrip(req)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%q: got %d, want %d", block, res.StatusCode, want)
		}
	}
}

func TestSecretOfCallersIsReadAgain(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.Echoing(t))
	moduletest.Write(t, s, "caller", "first")
	s.Load(s.Config("", "caller_secret {file."+s.Dir+"/caller}"))
	try := func(secret string) (int, string) {
		res, body := s.Do("GET", "/", "", "Proxy-Authorization", "Bearer "+secret)
		return res.StatusCode, body
	}
	if status, body := try("first"); status != 200 {
		t.Fatalf("got %d %s", status, body)
	}
	moduletest.Write(t, s, "caller", "second")
	moduletest.Eventually(t, "the new secret counts", func() bool { status, _ := try("second"); return status == 200 })
	if status, _ := try("first"); status != 403 {
		t.Errorf("the old secret: %d", status)
	}
	if err := os.Remove(filepath.Join(s.Dir, "caller")); err != nil {
		t.Fatal(err)
	}
	moduletest.Eventually(t, "nobody is let in without a secret to compare", func() bool { status, _ := try("second"); return status == 503 })
	if status, _ := try(""); status != 503 {
		t.Errorf("without a secret: %d", status)
	}
}

func TestTraceStraightToTheTransportIsAnswered405(t *testing.T) {
	as := moduletest.Echoing(t)
	s := moduletest.NewSidecar(t, as)
	_, port, _ := net.SplitHostPort(s.Address)
	config := s.Config("", "")
	client := config[strings.Index(config, "client erp {"):]
	client = client[:strings.Index(client, "}\n\t\t\n")+1]
	s.Load(fmt.Sprintf("{\nadmin off\noauth2_%s\n}\nhttp://:%s {\nbind 127.0.0.1\nreverse_proxy %s {\ntransport oauth2 erp\n}\n}", client, port, as.API.URL))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	for _, method := range []string{"TRACE", "TRACK", "track"} {
		res, body := s.Raw(method + " / HTTP/1.1\nHost: x\nConnection: close\n\n")
		if cause, _ := moduletest.ProblemOf(t, res, body); res.StatusCode != 405 || cause != "trace_refused" || res.Header.Get("Allow") == "" {
			t.Errorf("%s: got %d %s", method, res.StatusCode, body)
		}
	}
}

func TestGuardThatCannotWorkIsRefusedWithItsPlace(t *testing.T) {
	for block, want := range map[string]string{
		"callers elsewhere":                       "callers",
		"callers 10.0.0.0/33":                     "callers",
		"callers ::ffff:0.0.0.0/90":               "callers",
		"callers {http.request.remote.host}":      "callers",
		"allow_host https://a.example.com":        "allow_host",
		"allow_host a:80":                         "allow_host",
		"allow_origin a.example.com":              "allow_origin",
		"allow_origin https://a.example.com/b":    "allow_origin",
		"caller_secret {file./nowhere/to/be}":     "caller_secret",
		"caller_secret {http.request.header.X}":   "caller_secret",
		"caller_secret {env.LAMPLIGHTER_NOTHING}": "caller_secret",
	} {
		s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
		if err := moduletest.Validate(t, s.Config("", block)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%s: got %v", block, err)
		}
	}
}

func TestANetworkThatNobodyListensOnIsFoundByValidate(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	for name, config := range map[string]string{"upstream_oauth": s.Config("", ""), "serve_token": s.Site("", "serve_token erp")} {
		for bind, word := range map[string]string{"unix+h2c/" + s.Dir + "/s": "bind unix/" + s.Dir + "/s", "unix/" + s.Dir + "/s": ""} {
			err := moduletest.Validate(t, strings.Replace(config, "bind 127.0.0.1", "bind "+bind, 1))
			if word == "" && err != nil || word != "" && (err == nil || !strings.Contains(err.Error(), word)) {
				t.Errorf("%s, %s: %v", name, bind, err)
			}
		}
	}
}
