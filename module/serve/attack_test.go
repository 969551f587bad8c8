package serve_test

import (
	"bufio"
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

// attack is a request, its headers as lines, and how it is answered. Its Host is x if there is
// none, and it asks for a token if it does not say otherwise.
type attack struct {
	what, method, header string
	status               int
	cause                string
}

// refused checks that attacks get what they are to get, and no token unless that is 200.
func refused(t *testing.T, s *moduletest.Sidecar, attacks []attack) {
	t.Helper()
	for _, a := range attacks {
		header := a.header
		if !strings.Contains(header, "Lamplighter-Token") {
			header = strings.TrimSpace(header + "\nLamplighter-Token: yes")
		}
		if !strings.Contains("\n"+header, "\nHost:") {
			header = "Host: x\n" + header
		}
		res, body := s.Raw(a.method + " /erp HTTP/1.1\n" + header + "\nConnection: close\n\n")
		got := fmt.Sprint(res.Header, body)
		if res.StatusCode != a.status || strings.Contains(got, "access-token-1") != (a.status == 200) || strings.Contains(got, "sesame") {
			t.Errorf("%s: %s %q: got %d %s, want %d", a.what, a.method, a.header, res.StatusCode, got, a.status)
			continue
		}
		if strings.Contains(got, "Access-Control") {
			t.Errorf("%s: a page may read the answer: %s", a.what, got)
		}
		if a.status == 200 {
			continue
		}
		if cause, _ := moduletest.ProblemOf(t, res, body); cause != a.cause {
			t.Errorf("%s: %s %q: refused because of %s, want %s", a.what, a.method, a.header, cause, a.cause)
		}
		if strings.Contains(got, "upstream_oauth") {
			t.Errorf("%s: the line to add belongs to another directive: %s", a.what, body)
		}
	}
}

func TestNobodyWithoutConsentGetsAToken(t *testing.T) {
	const secret = "caller_secret SECRET"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("app:open sesame"))
	for block, attacks := range map[string][]attack{
		"": {
			{"a proxy of this machine", "GET", "", 200, ""},
			{"an application that was talked into fetching a URL", "GET", "Lamplighter-Token:", 403, "token_not_asked_for"},
			{"the same with headers of its own", "GET", "Authorization: Bearer mine\nCookie: a=b\nLamplighter-Token: no", 403, "token_not_asked_for"},
			{"a form of a page", "POST", "Content-Type: text/plain\nLamplighter-Token: ", 403, "token_not_asked_for"},
			{"a value that is nearly right", "GET", "Lamplighter-Token: YES", 403, "token_not_asked_for"},
			{"a visitor's value beside the proxy's", "GET", "Lamplighter-Token: yes\nLamplighter-Token: yes", 403, "token_not_asked_for"},
			{"a list of values", "GET", "Lamplighter-Token: yes, yes", 403, "token_not_asked_for"},
			{"another spelling of the header", "GET", "X-Lamplighter-Token: yes\nLamplighter_Token: yes", 403, "token_not_asked_for"},
			{"a secret where none is known", "GET", "Lamplighter-Token: open sesam", 403, "token_not_asked_for"},
			{"fetch of a page", "GET", "Origin: https://evil.example", 403, "browser_refused"},
			{"fetch of a page without an origin", "GET", "Origin: null", 403, "browser_refused"},
			{"an image of a page", "GET", "Sec-Fetch-Site: cross-site", 403, "browser_refused"},
			{"a page asks whether it may", "OPTIONS", "Origin: https://evil.example\nAccess-Control-Request-Headers: lamplighter-token", 403, "browser_refused"},
			{"a page that was let in by rebinding", "GET", "Host: evil.example.com", 421, "unknown_host"},
			{"the same as its own origin", "GET", "Host: evil.example.com\nOrigin: http://evil.example.com\nSec-Fetch-Site: same-origin", 421, "unknown_host"},
			{"a name that is another in some spelling", "GET", "Host: evil.com..", 421, "unknown_host"},
			{"a page whose name another name system sells", "GET", "Host: evil.eth", 421, "unknown_host"},
			{"the same in another one", "GET", "Host: evil.bit.", 421, "unknown_host"},
			{"a page of a neighbour on the link", "GET", "Host: printer.local", 421, "unknown_host"},
			{"a page of a router", "GET", "Host: evil.lan:80", 421, "unknown_host"},
			{"a page of a home", "GET", "Host: evil.home.arpa", 421, "unknown_host"},
			{"two labels that may be a service's or a page's", "GET", "Host: evil.onion", 421, "unknown_host"},
			{"an address in a spelling that only some read", "GET", "Host: 0x7f.1", 421, "unknown_host"},
			{"a suffix without its dot", "GET", "Host: evil.esvc", 421, "unknown_host"},
			{"a cluster's name below another", "GET", "Host: a.svc.cluster.local.eth", 421, "unknown_host"},
			{"a service of the cluster", "GET", "Host: lamplighter.default.svc", 200, ""},
			{"the same in full", "GET", "Host: lamplighter.default.svc.cluster.local.", 200, ""},
			{"a container's host", "GET", "Host: host.docker.internal:8081", 200, ""},
			{"this machine", "GET", "Host: erp.localhost", 200, ""},
			{"an address", "GET", "Host: [::1]:8081", 200, ""},
			{"a stranger through a proxy that exposes the port", "GET", "X-Forwarded-For: 192.0.2.7", 403, "forwarded_refused"},
			{"through another one", "GET", "Forwarded: for=192.0.2.7", 403, "forwarded_refused"},
			{"through one that says as little as it can", "GET", "Via: 1.1 gateway", 403, "forwarded_refused"},
			{"through nginx as it is usually configured", "GET", "X-Real-IP: 192.0.2.7", 403, "forwarded_refused"},
			{"with the protocol only", "GET", "x-forwarded-proto: https", 403, "forwarded_refused"},
			{"through a network that says it in its own way", "GET", "CF-Connecting-IP: 192.0.2.7", 403, "forwarded_refused"},
			{"another", "GET", "True-Client-IP: 192.0.2.7", 403, "forwarded_refused"},
			{"another", "GET", "X-Client-IP: 192.0.2.7", 403, "forwarded_refused"},
			{"another", "GET", "X-Original-Forwarded-For: 192.0.2.7", 403, "forwarded_refused"},
			{"another", "GET", "CDN-Loop: gateway", 403, "forwarded_refused"},
			{"with an empty value", "GET", "X-Forwarded-Host:", 403, "forwarded_refused"},
			{"who wants to see the request", "TRACE", "", 405, "trace_refused"},
			{"the same of Microsoft's", "TRACK", "", 405, "trace_refused"},
			{"who wants a tunnel", "CONNECT", "", 405, "connect_refused"},
			{"who wants another protocol", "GET", "Upgrade: websocket", 200, ""},
		},
		"callers 192.0.2.0/24": {
			{"a neighbour", "GET", "", 403, "caller_refused"},
			{"who says it is another", "GET", "X-Forwarded-For: 192.0.2.1\nForwarded: for=192.0.2.1", 403, "caller_refused"},
		},
		secret: {
			{"another user of this machine", "GET", "", 403, "caller_unknown"},
			{"who does not even ask", "GET", "Lamplighter-Token:", 403, "caller_unknown"},
			{"who guesses", "GET", "Lamplighter-Token: open sesam", 403, "caller_unknown"},
			{"who knows it", "GET", "Lamplighter-Token: open sesame", 200, ""},
			{"who sends it as callers of upstream_oauth do", "GET", "Proxy-Authorization: " + basic, 200, ""},
			{"or as its own credentials", "GET", "Authorization: Bearer open sesame", 200, ""},
			{"who sends it and does not ask", "GET", "Authorization: Bearer open sesame\nLamplighter-Token: no", 403, "caller_unknown"},
			{"who knows it through a proxy", "GET", "Lamplighter-Token: open sesame\nX-Forwarded-For: 192.0.2.7", 403, "forwarded_refused"},
			{"who knows it and is a page", "GET", "Lamplighter-Token: open sesame\nOrigin: https://evil.example", 403, "browser_refused"},
		},
		"forwarded\n" + secret: {
			{"who knows it through a proxy", "GET", "Lamplighter-Token: open sesame\nX-Forwarded-For: 192.0.2.7\nForwarded: for=x\nVia: 1.1 traefik", 200, ""},
			{"who does not", "GET", "X-Forwarded-For: 192.0.2.7", 403, "caller_unknown"},
			{"a visitor of a site that Traefik asks for", "GET", "Lamplighter-Token: open sesame\nX-Forwarded-For: 192.0.2.7\nHost: shop.example.com", 421, "unknown_host"},
		},
		"allow_host shop.example.com\nallow_origin https://shop.example.com": {
			{"whose callers' names are known", "GET", "Host: shop.example.com\nOrigin: https://shop.example.com\nSec-Fetch-Site: cross-site", 200, ""},
			{"and no other", "GET", "Host: shop.example.com.evil.com", 421, "unknown_host"},
			{"a page of theirs asks whether it may", "OPTIONS", "Origin: https://shop.example.com\nAccess-Control-Request-Headers: lamplighter-token", 200, ""},
		},
	} {
		t.Run(block, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			moduletest.Write(t, s, "caller", "open sesame\n")
			block = strings.Replace(block, "SECRET", "{file."+s.Dir+"/caller}", 1)
			s.Load(s.Site("", "serve_token erp {\n"+block+"\n}"))
			refused(t, s, attacks)
		})
	}
}

// dial sends the bytes of a request over a unix socket.
func dial(t *testing.T, socket, request string) (*http.Response, string) {
	t.Helper()
	for range 5 { // at a reload Caddy drops connections that nobody has accepted yet
		conn, err := net.Dial("unix", socket)
		if err != nil {
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
		_, _ = io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n"))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			_ = conn.Close()
			continue
		}
		body, _ := io.ReadAll(res.Body)
		_ = conn.Close()
		return res, string(body)
	}
	t.Fatal("no answer")
	return nil, ""
}

// On a unix socket a proxy may send on what its callers sent: no browser gets there.
func TestOnAUnixSocketHostAndOriginAreTheProxysCallers(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	dir, err := os.MkdirTemp("", "lamp-") // short enough for a socket address
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for block, attacks := range map[string][]attack{
		"": {
			{"Envoy", "POST", "Host: shop.example.com\nOrigin: https://shop.example.com\nSec-Fetch-Site: cross-site\nLamplighter-Token: yes", 200, ""},
			{"Envoy, which adds headers of its own", "GET", "Host: x\nX-Forwarded-For: 192.0.2.7\nLamplighter-Token: yes", 403, ""},
			{"who does not ask", "GET", "Host: x", 403, ""},
			{"a tunnel", "CONNECT", "Host: x\nLamplighter-Token: yes", 405, ""},
		},
		"forwarded": {
			{"Envoy, which adds headers of its own", "GET", "Host: shop.example.com\nX-Forwarded-For: 192.0.2.7\nLamplighter-Token: yes", 200, ""},
			{"who does not ask", "GET", "Host: x\nX-Forwarded-For: 192.0.2.7", 403, ""},
		},
		"callers 127.0.0.1": {{"who is no caller", "GET", "Host: x\nLamplighter-Token: yes", 403, ""}},
	} {
		socket := filepath.Join(dir, strings.Fields(block + " none")[0])
		s.Load(strings.Replace(s.Site("", "serve_token erp {\n"+block+"\n}"), "bind 127.0.0.1", "bind unix/"+socket, 1))
		for _, a := range attacks {
			res, body := dial(t, socket, a.method+" /erp HTTP/1.1\n"+a.header+"\nConnection: close\n\n")
			if res.StatusCode != a.status || (res.Header.Get("Authorization") != "") != (a.status == 200) {
				t.Errorf("%q: %s: got %d %v %s, want %d", block, a.what, res.StatusCode, res.Header, body, a.status)
			}
		}
	}
}

// A site may listen on a unix socket and on a port. What is asked for less on the socket is
// asked for on the port.
func TestForwardedOnASocketIsNotForwardedOnAPort(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	dir, err := os.MkdirTemp("", "lamp-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s.Load(strings.Replace(s.Site("", "serve_token erp {\nforwarded\n}"), "bind 127.0.0.1", "bind 127.0.0.1 unix/"+filepath.Join(dir, "sock"), 1))
	refused(t, s, []attack{
		{"a proxy", "GET", "", 200, ""},
		{"a stranger through one", "GET", "X-Forwarded-For: 192.0.2.7", 403, "forwarded_refused"},
		{"a page", "GET", "Host: evil.example.com", 421, "unknown_host"},
	})
}

// Proxies ask with the headers of their callers and without the body that these announce. What
// a caller sends as a body is no request.
func TestABodyIsNeitherWaitedForNorTakenForARequest(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Site("", "serve_token erp"))
	s.Do("GET", "/", "", asked, "yes")
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\nLamplighter-Token: yes\r\n\r\n"
	for name, request := range map[string]string{
		"never sent":         "POST / HTTP/1.1\r\nHost: x\r\nLamplighter-Token: yes\r\nContent-Length: 1000\r\n\r\n",
		"never ended":        "POST / HTTP/1.1\r\nHost: x\r\nLamplighter-Token: yes\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"expected":           "PUT / HTTP/1.1\r\nHost: x\r\nLamplighter-Token: yes\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
		"a request":          fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nLamplighter-Token: yes\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
		"a request, in part": "POST / HTTP/1.1\r\nHost: x\r\nLamplighter-Token: yes\r\nContent-Length: 3\r\n\r\nabc" + smuggled,
		"of two lengths":     "POST / HTTP/1.1\r\nHost: x\r\nLamplighter-Token: yes\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"of a refused one":   fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", s.Address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(conn)
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := 200
			if name == "of a refused one" {
				want = 403
			}
			if res.StatusCode != want || !res.Close {
				t.Errorf("got %d %v", res.StatusCode, res.Header)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = conn.(*net.TCPConn).CloseWrite()
			if rest, _ := io.ReadAll(r); len(rest) > 0 {
				t.Errorf("there was a second answer: %s", rest)
			}
		})
	}
}

// What Caddy's access log would show of a token or of the secret of callers, it does not get.
func TestAnAccessLogShowsNoTokenAndNoSecretOfCallers(t *testing.T) {
	for name, tc := range map[string]struct {
		settings, options, marker string
		line                      bool
	}{
		"as usual":                          {"", "", "yes", true},
		"a header that Caddy does not hide": {"inject header X-Api-Key", "", "yes", false},
		"credentials are logged":            {"", "servers {\nlog_credentials\n}", "yes", false},
		"the secret of callers":             {"", "", "open sesame", false},
		"a secret that is wrong":            {"", "", "open sesame2", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			moduletest.Write(t, s, "caller", "open sesame\n")
			block := ""
			if strings.Contains(tc.marker, "sesame") {
				block = "caller_secret {file." + s.Dir + "/caller}"
			}
			config := s.Site(tc.settings, "log\nserve_token erp {\n"+block+"\n}")
			s.Load(strings.Replace(config, "admin off\n", "admin off\n"+tc.options+"\n", 1))
			s.Do("GET", "/first", "", asked, tc.marker)
			s.Do("GET", "/first", "", asked, tc.marker, "Accept", "application/json")
			log, err := os.ReadFile(s.Log)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(log), "handled request") != tc.line {
				t.Errorf("a line of the access log: %v, want %v", !tc.line, tc.line)
			}
			for _, secret := range []string{"access-token-1", "sesame"} {
				if i := strings.Index(string(log), secret); i >= 0 {
					t.Errorf("the log shows %s", log[max(0, i-300):i+20])
				}
			}
		})
	}
}

// Fault C. The secret is known to Lamplighter, wherever it is sent.
func TestASecretOfCallersIsInNoAccessLogWhereverItIsSent(t *testing.T) {
	const secret = "0pen-sesame-4711"
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	moduletest.Write(t, s, "caller", secret+"\n")
	sites := map[string]string{
		"serve": s.Site("", "log\nserve_token /a* erp {\ncaller_secret {file."+s.Dir+"/caller}\n}\nserve_token /b* erp\nroute /c* {\ninject_token erp\nrespond ok\n}\nreverse_proxy /d* "+
			strings.TrimPrefix(as.API.URL, "http://")+" {\ntransport oauth2 erp\n}"),
		"upstream_oauth": strings.Replace(s.Config("", ""), "bind 127.0.0.1\n", "bind 127.0.0.1\nlog\n", 1),
	}
	requests := []struct{ site, path, headers string }{
		{"serve", "/a", "Lamplighter-Token: yes\nLamplighter-Token: " + secret},
		{"serve", "/b", "Lamplighter-Token: " + secret},
		{"serve", "/b", "Lamplighter-Token: something else"},
		{"serve", "/c", "Lamplighter-Token: " + secret},
		{"serve", "/d", "Lamplighter-Token: x" + secret + "x"},
		{"upstream_oauth", "/e", "Lamplighter-Token: " + secret},
		{"upstream_oauth", "/f", "Lamplighter-Token: yes\nLamplighter-Token: " + secret},
	}
	for _, site := range []string{"serve", "upstream_oauth"} { // which has the level DEBUG, and knows the secret
		config := sites[site]
		if site == "serve" {
			config = strings.Replace(config, "\tdebug\n", "", 1)
		}
		s.Load(config)
		s.Raw("GET /" + map[string]string{"serve": "d", "upstream_oauth": "g"}[site] + "/is-logged HTTP/1.1\nHost: x\nLamplighter-Token: yes\nConnection: close\n\n")
		for _, r := range requests {
			if r.site == site {
				s.Raw("GET " + r.path + " HTTP/1.1\nHost: x\n" + r.headers + "\nConnection: close\n\n")
			}
		}
	}
	log, err := os.ReadFile(s.Log)
	if err != nil || strings.Count(string(log), "handled request") != 2 {
		t.Errorf("%v: %d lines of the access log, want those without a secret", err, strings.Count(string(log), "handled request"))
	}
	if i := strings.Index(string(log), "sesame"); i >= 0 {
		t.Errorf("the log shows %s", log[max(0, i-400):min(len(log), i+600)])
	}
}

// The headers with which programs talk to Lamplighter reach no upstream: one may be the secret
// of callers.
func TestNoUpstreamSeesWhatIsForLamplighter(t *testing.T) {
	as := moduletest.Echoing(t)
	for name := range moduletest.NewSidecar(t, as).Faces() {
		t.Run(name, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.Echoing(t))
			s.Load(s.Faces()[name])
			res, body := s.Raw("POST / HTTP/1.1\nHost: x\nLamplighter-Token: s3cret\nLAMPLIGHTER-REJECTED: s3cret\nLamplighter_Token: s3cret\nLamplighter-Anything: s3cret\nX-Lamplighter: kept\n" +
				"Transfer-Encoding: chunked\nTrailer: Lamplighter-Token\nConnection: close\n\n0\nLamplighter-Token: s3cret\n\n")
			if res.StatusCode != 200 || strings.Contains(body, "s3cret") || !strings.Contains(body, "kept") {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
		})
	}
}

// TestAPathThatTwoReadInTwoWaysGetsNobodysToken: a proxy that puts the client's prefix before
// what its visitor asks for must not be led to another client by that.
func TestAPathThatTwoReadInTwoWaysGetsNobodysToken(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	s.Load(s.Site("", "serve_token /erp* erp\nserve_token /rot* erp"))
	for path, want := range map[string]int{
		"/erp": 200, "/erp/": 200, "/erp/orders": 200, "/erp/a.b/..c/...": 200, "/erp//x": 200, "/erp/a%2Fb": 200, "/erp/%252e%252e/rot": 200,
		"/erp/../rot": 400, "/erp/%2e%2e/rot": 400, "/erp/.%2E/rot": 400, "/erp/..%2frot": 400, "/erp/x/../../rot": 400, "/erp/./x": 400,
		"/erp/..%5crot": 400, "/../erp": 400,
	} {
		res, body := s.Raw("GET " + path + " HTTP/1.1\nHost: x\nLamplighter-Token: yes\nConnection: close\n\n")
		got := fmt.Sprint(res.Header, body)
		if res.StatusCode != want || strings.Contains(got, "access-token-1") != (want == 200) {
			t.Errorf("%s: got %d %s, want %d", path, res.StatusCode, got, want)
		}
	}
}

// TestAnAbstractSocketIsEverybodys: it has no mode, whatever is written.
func TestAnAbstractSocketIsEverybodys(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	moduletest.Write(t, s, "caller", "open sesame, at length\n")
	for _, bind := range []string{"unix/@lamplighter-test-%d", "unix/@lamplighter-test-%d|0600"} {
		bind = fmt.Sprintf(bind, os.Getpid())
		site := func(block string) string {
			return strings.Replace(s.Site("", "serve_token erp {\n"+block+"\n}"), "bind 127.0.0.1", "bind "+bind, 1)
		}
		for _, block := range []string{"", "forwarded"} {
			if err := moduletest.Validate(t, site(block)); err == nil || !strings.Contains(err.Error(), "abstract socket") {
				t.Errorf("%s %s: %v", bind, block, err)
			}
		}
		s.Load(site("caller_secret {file." + s.Dir + "/caller}"))
		socket, _, _ := strings.Cut(strings.TrimPrefix(bind, "unix/"), "|")
		for marker, want := range map[string]int{"yes": 403, "open sesame, at length": 200} {
			if res, body := dial(t, socket, "GET /erp HTTP/1.1\nHost: x\nLamplighter-Token: "+marker+"\nConnection: close\n\n"); res.StatusCode != want {
				t.Errorf("%s: got %d %s, want %d", marker, res.StatusCode, body, want)
			}
		}
	}
}

// TestWhatLetsEverybodyInIsWarnedOf: an open socket, any caller, a secret that can be guessed.
func TestWhatLetsEverybodyInIsWarnedOf(t *testing.T) {
	for name, c := range map[string]struct{ bind, block, warning string }{
		"any caller":                  {"127.0.0.1", "callers any", "callers any without a caller_secret"},
		"every address":               {"127.0.0.1", "callers 0.0.0.0/0", "callers 0.0.0.0/0 without a caller_secret"},
		"a socket that all can open":  {"unix/DIR/s|0666", "", "every user of this machine can open (mode 666)"},
		"a socket of a group":         {"unix/DIR/s|0660", "", ""},
		"a short secret":              {"127.0.0.1", "caller_secret {file.DIR/short}", "fewer than 16 characters"},
		"any caller with a secret":    {"127.0.0.1", "callers any\ncaller_secret {file.DIR/long}", ""},
		"an open socket and a secret": {"unix/DIR/s|0666", "caller_secret {file.DIR/long}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			moduletest.Write(t, s, "short", "open sesame")
			moduletest.Write(t, s, "long", "open sesame, at length")
			site := s.Site("", "serve_token erp {\n"+strings.ReplaceAll(c.block, "DIR", s.Dir)+"\n}")
			s.Load(strings.Replace(site, "bind 127.0.0.1", "bind "+strings.ReplaceAll(c.bind, "DIR", s.Dir), 1))
			log, err := os.ReadFile(s.Log)
			if err != nil {
				t.Fatal(err)
			}
			warned := strings.Contains(string(log), "without a caller_secret") || strings.Contains(string(log), "fewer than 16")
			if warned != (c.warning != "") || !strings.Contains(string(log), c.warning) {
				t.Errorf("want %q in the log, which is %s", c.warning, log)
			}
		})
	}
}
