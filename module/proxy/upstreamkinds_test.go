package proxy_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/moduletest"
)

// upstreamKinds are the ways in which an upstream is spoken to.
var upstreamKinds = []string{"http/1.1", "https with http/1.1", "https with http/2", "h2c", "unix socket"}

// offer is what Java's HttpClient sends with its defaults.
const offer = "Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\n"

// Fault D9.
func TestAnOfferOfH2CReachesNoKindOfUpstream(t *testing.T) {
	for _, kind := range upstreamKinds {
		t.Run(kind, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			s := moduletest.NewSidecar(t, as)
			as.Handler = func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "Connection %q, Upgrade %q, HTTP2-Settings %q", r.Header["Connection"], r.Header["Upgrade"], r.Header["Http2-Settings"])
			}
			options := s.ServeOver(kind)
			upstream := s.Config("allow "+s.Allowed(), "transport http {\n"+options+"\n}")
			plain := strings.Replace(s.AsGlobal(upstream), "upstream_oauth ", "reverse_proxy ", 1)
			plain = strings.Replace(plain, "client erp\n", "", 1)
			plain = strings.Replace(plain, "transport http {", "transport oauth2 erp {", 1)
			for face, config := range map[string]string{"upstream_oauth": upstream, "transport oauth2": plain} {
				s.Load(config)
				for _, offer := range []string{offer, "Connection: upgrade\nUpgrade: H2C\n", "Upgrade: h2c\nHTTP2-Settings: x\n"} {
					res, body := s.Raw("GET / HTTP/1.1\nHost: localhost\n" + offer + "\n")
					if want := "Connection [], Upgrade [], HTTP2-Settings []"; res.StatusCode != 200 || body != want {
						t.Errorf("%s, %q: got %s %q", face, offer, res.Status, body)
					}
				}
			}
		})
	}
}

// Fault D9.
func TestAWebSocketThatIsOfferedBesideH2CIsOpened(t *testing.T) {
	for _, kind := range []string{"http/1.1", "https with http/1.1", "https with http/2", "unix socket"} {
		t.Run(kind, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			s := moduletest.NewSidecar(t, as)
			as.Handler = func(w http.ResponseWriter, r *http.Request) { echo(t, w, r) }
			options := s.ServeOver(kind)
			s.Load(s.Config("allow "+s.Allowed(), "transport http {\n"+options+"\n}"))
			for _, upgrade := range []string{"Upgrade: h2c, websocket", "Upgrade: websocket, h2c", "Upgrade: h2c\nUpgrade: WebSocket"} {
				res, _ := s.Raw("GET / HTTP/1.1\nHost: localhost\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: x\n" + upgrade + "\n\n")
				if got := strings.ToLower(res.Header.Get("Upgrade")); res.StatusCode != http.StatusSwitchingProtocols || got != "websocket" {
					t.Errorf("%q: got %s to %q", upgrade, res.Status, got)
				}
			}
		})
	}
}

// Fault D9.
func TestAnOfferOfH2CReachesNoHandlerBehindInjectToken(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	as.Handler = func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q %q", r.Header["Connection"], r.Header["Upgrade"], r.Header["Http2-Settings"])
	}
	config := s.AsGlobal(s.Config("", ""))
	config = strings.Replace(config, "upstream_oauth "+as.API.URL, "route {\ninject_token erp\nreverse_proxy "+as.API.URL+"\n}", 1)
	config = strings.Replace(config, "{\n\t\tclient erp\n", "{", 1)
	config = config[:strings.Index(config, "route {")] + "route {\ninject_token erp\nreverse_proxy " + as.API.URL + "\n}\n}\n"
	s.Load(config)
	if res, body := s.Raw("GET / HTTP/1.1\nHost: localhost\n" + offer + "\n"); res.StatusCode != 200 || body != "[] [] []" {
		t.Errorf("got %s %q", res.Status, body)
	}
}

// Fault D9: our own 502 never has an empty body.
func TestAnUpstreamThatGivesNoAnswerIsExplained(t *testing.T) {
	hangsUp := func(conn net.Conn) { _ = conn.Close() }
	noTLS := func(conn net.Conn) { fmt.Fprint(conn, "HTTP/1.1 400 Bad Request\r\n\r\n"); _ = conn.Close() }
	says := func(answer string) func(net.Conn) {
		return func(conn net.Conn) {
			go func() {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, answer)
				}
			}()
		}
	}
	wantsCertificate := httptest.NewUnstartedServer(http.NotFoundHandler())
	wantsCertificate.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	wantsCertificate.StartTLS()
	t.Cleanup(wantsCertificate.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: wantsCertificate.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	remedies := map[string]string{
		"nobody listens": "start the upstream", "it proves another": "'tls_trust_pool file <authority.pem>' in the upstream's block 'transport http'",
		"it refuses our TLS": "tls_client_auth", "it speaks no TLS": "write http://", "it is no socket": "the path of its socket", "it says nothing": "response_header_timeout",
	}
	for name, test := range map[string]struct {
		upstream, options string
		status            int
		cause, proxyError string
	}{
		"nobody listens":         {"http://" + deadAddress(t), "", 502, "upstream_unreachable", "connection_refused"},
		"it hangs up":            {"http://" + listenAnd(t, hangsUp), "", 502, "upstream_no_answer", "http_response_incomplete"},
		"it speaks no TLS":       {"https://" + listenAnd(t, noTLS), "", 502, "upstream_unreachable", "tls_protocol_error"},
		"it proves another":      {untrusted.URL, "", 502, "upstream_unreachable", "tls_certificate_error"},
		"it says nothing":        {"http://" + listenAnd(t, func(net.Conn) {}), "transport http {\nresponse_header_timeout 50ms\n}", 504, "upstream_no_answer", "http_response_timeout"},
		"it is no socket":        {"unix//nowhere/api.sock", "", 502, "upstream_unreachable", "destination_unavailable"},
		"it refuses our TLS":     {wantsCertificate.URL, "transport http {\ntls_trust_pool file " + ca + "\n}", 502, "upstream_unreachable", "tls_alert_received"},
		"a status below 100":     {"http://" + listenAnd(t, says("HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n")), "", 502, "upstream_broken_answer", "http_protocol_error"},
		"a status of zeros":      {"http://" + listenAnd(t, says("HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n")), "", 502, "upstream_broken_answer", "http_protocol_error"},
		"a status above 999":     {"http://" + listenAnd(t, says("HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n")), "", 502, "upstream_broken_answer", "http_protocol_error"},
		"another protocol":       {"http://" + listenAnd(t, says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n")), "", 502, "upstream_broken_answer", "http_protocol_error"},
		"no other protocol":      {"http://" + listenAnd(t, says("HTTP/1.1 101 Switching Protocols\r\n\r\n")), "", 502, "upstream_broken_answer", "http_protocol_error"},
		"it speaks SSH":          {"http://" + listenAnd(t, says("SSH-2.0-OpenSSH_9.2p1\r\n\r\n")), "", 502, "upstream_broken_answer", "http_protocol_error"},
		"it speaks TLS":          {"http://" + listenAnd(t, says("\x15\x03\x01\x00\x02\x02\x46\n\n")), "", 502, "upstream_broken_answer", "http_protocol_error"},
		"a header is none":       {"http://" + listenAnd(t, says("HTTP/1.1 200 OK\r\nnone\r\n\r\n")), "", 502, "upstream_broken_answer", "http_protocol_error"},
		"a control character":    {"http://" + listenAnd(t, says("HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n")), "", 502, "upstream_broken_answer", "http_protocol_error"},
		"two lengths":            {"http://" + listenAnd(t, says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")), "", 502, "upstream_broken_answer", "http_protocol_error"},
		"headers without an end": {"http://" + listenAnd(t, says("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 11<<20))), "", 502, "upstream_broken_answer", "http_protocol_error"},
		"half an answer":         {"http://" + listenAnd(t, func(conn net.Conn) { go halfAnAnswer(conn) }), "", 502, "upstream_no_answer", "http_response_incomplete"},
		"it is marked unhealthy": {"http://" + deadAddress(t), "fail_duration 1m\nlb_retries 1", 503, "upstream_unreachable", "destination_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			s := moduletest.NewSidecar(t, as)
			config := strings.Replace(s.Config("", test.options), as.API.URL, test.upstream, 1)
			s.Load(config)
			s.Do("GET", "/", "") // which may mark it unhealthy
			res, body := s.Do("GET", "/", "")
			var p struct {
				Status                        int
				Client, Cause, Detail, Remedy string
			}
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				t.Fatalf("%v: %s %q", err, res.Status, body)
			}
			if res.StatusCode != test.status || p.Status != test.status || p.Cause != test.cause || p.Client != "erp" || p.Remedy == "" {
				t.Errorf("got %s %+v", res.Status, p)
			}
			if want := remedies[name]; !strings.Contains(p.Remedy, want) || strings.Contains(p.Remedy, "tls_trust_pool") && name != "it proves another" {
				t.Errorf("no %q in the remedy %q", want, p.Remedy)
			}
			if got := res.Header.Get("Proxy-Status"); !strings.HasPrefix(got, "lamplighter; error="+test.proxyError+";") {
				t.Errorf("Proxy-Status: %s", got)
			}
			if log, err := os.ReadFile(s.Log); err != nil || !strings.Contains(string(log), "the upstream gave no answer") {
				t.Errorf("it is not in the log: %v", err)
			}
		})
	}
}

// halfAnAnswer hangs up in the middle of the headers.
func halfAnAnswer(conn net.Conn) {
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n")
	}
	_ = conn.Close()
}

func TestHandleErrorsAnswersForAnUpstreamThatGivesNone(t *testing.T) {
	for name, test := range map[string]struct{ routes, want string }{
		"all errors":            {"handle_errors {\nrespond \"ours {err.status_code}\"\n}", "ours 502"},
		"this status":           {"handle_errors 502 504 {\nrespond \"ours {err.status_code}\"\n}", "ours 502"},
		"other errors":          {"handle_errors 404 {\nrespond \"ours {err.status_code}\"\n}", `"cause":"upstream_unreachable"`},
		"other errors of 5xx":   {"handle_errors 4xx {\nrespond ours\n}\nhandle_errors 503 {\nrespond ours\n}", `"cause":"upstream_unreachable"`},
		"other paths":           {"handle_errors {\n@page path /page\nrespond @page ours\n}", `"cause":"upstream_unreachable"`},
		"the path as it came":   {"rewrite * /elsewhere\nhandle_errors {\n@page path /page\n\t@here path /here\nrespond @here ours\n}", "ours"},
		"a status from a route": {"handle_errors {\n@this expression {err.status_code} == 502\nrespond @this ours\n}", "ours"},
	} {
		t.Run(name, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			s := moduletest.NewSidecar(t, as)
			config := strings.Replace(s.Config("", ""), as.API.URL, "http://"+deadAddress(t), 1)
			s.Load(strings.Replace(config, "bind 127.0.0.1\n", "bind 127.0.0.1\n"+test.routes+"\n", 1))
			res, body := s.Do("GET", "/here", "")
			if res.StatusCode != 502 || !strings.Contains(body, test.want) {
				t.Errorf("got %s %q, want %q", res.Status, body, test.want)
			}
		})
	}
}

func TestAnUpstreamThatCannotBeReachedIsStillAFailureForTheLoadBalancer(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	dead := "http://" + deadAddress(t)
	s.Load(strings.Replace(s.Config("", "lb_policy first\nlb_try_duration 5s\nfail_duration 1m"), as.API.URL, dead+" "+as.API.URL, 1))
	for range 3 {
		if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
			t.Fatalf("got %s %s", res.Status, body)
		}
	}
}

// deadAddress is one that nobody listens on.
func deadAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// listenAnd accepts connections and hands them over.
func listenAnd(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			serve(conn)
		}
	}()
	return listener.Addr().String()
}
