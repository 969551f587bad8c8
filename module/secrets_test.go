package module_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/moduletest"
)

// spellings are the ways in which a secret can get into a text.
func spellings(secret string) []string {
	quoted, _ := json.Marshal(secret)
	plain := []string{
		secret, strings.Trim(string(quoted), `"`), url.QueryEscape(secret), url.PathEscape(secret), fmt.Sprintf("%x", secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
	}
	for _, s := range plain {
		plain = append(plain, strings.ToLower(s), url.QueryEscape(s))
	}
	return plain
}

// wicked answers in every way in which a server can fail.
func wicked(w http.ResponseWriter, r *http.Request) {
	hijacked := func(answer string) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}
	switch r.URL.Path {
	case "/reset":
		hijacked("")
	case "/garbage":
		hijacked("\x00\x01 not HTTP\r\n\r\n")
	case "/cut":
		hijacked("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
	case "/chunk":
		hijacked("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
	case "/large":
		hijacked("HTTP/1.1 200 OK\r\nX-Large: " + strings.Repeat("x", 11<<20) + "\r\n\r\n")
	case "/upgrade":
		hijacked("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: something-else\r\n\r\n")
	case "/401":
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
	case "/redirect":
		http.Redirect(w, r, "http://user@elsewhere.example/", http.StatusFound)
	case "/500", "/health":
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// TestNoErrorOfOursOrCaddysShowsASecret lets everything fail between the caller
// and the upstream, with a token in every place where one can be injected.
func TestNoErrorOfOursOrCaddysShowsASecret(t *testing.T) {
	const callersSecret = "the callers' own +/= secret"
	as := moduletest.NewRotating(t)
	as.Handler = wicked
	s := moduletest.NewSidecar(t, as)
	moduletest.Write(t, s, "caller", callersSecret)
	injected := "inject header Authorization \"Bearer {access_token}\"\ninject header X-Api-Key\ninject query token\ninject cookie sid\nwait 100ms"
	withCredentials := func(config string) string {
		return strings.Replace(config, "admin off", "admin off\nservers {\nlog_credentials\n}", 1)
	}
	var answers strings.Builder
	provoke := func(header ...string) {
		for _, path := range []string{"/", "/reset", "/garbage", "/cut", "/chunk", "/large", "/401", "/redirect", "/500"} {
			length := 1
			if path == "/cut" || path == "/chunk" {
				// Caddy logs the length of a body that net/http may still be reading,
				// which the race detector would take for ours.
				length = 0
			}
			for _, method := range []string{"GET", "POST"} {
				request := fmt.Sprintf("%s %s?access_token=evil HTTP/1.1\nHost: x\nConnection: close\nContent-Length: %d\n%s\n\n%s", method, path, length, strings.Join(header, "\n"), "x"[:length])
				answers.WriteString(s.Rough(strings.Replace(request, "\n\n\n", "\n\n", 1)))
			}
		}
		answers.WriteString(s.Rough("GET /upgrade HTTP/1.1\nHost: x\nConnection: Upgrade\nUpgrade: websocket\n\n"))
		answers.WriteString(s.Rough("TRACE / HTTP/1.1\nHost: x\nConnection: close\n\n"))
		answers.WriteString(s.Rough("GET / HTTP/1.1\nHost: evil.example.com\nConnection: close\n\n"))
	}
	block := "lb_retries 1\nfail_duration 1s\nunhealthy_status 5xx\nhealth_uri /health\nhealth_interval 20ms\nverbose_logs"
	s.Load(withCredentials(s.Config(injected, strings.Replace(block, "fail_duration 1s\nunhealthy_status 5xx\nhealth_uri /health\nhealth_interval 20ms\n", "", 1))))
	provoke()
	s.Load(withCredentials(s.Config(injected, block)))
	provoke()
	s.Load(withCredentials(s.Upstreams("{http.request.header.X-Upstream}", injected+"\nallow "+as.API.URL, "")))
	provoke("X-Upstream: 127.0.0.1:1")
	s.Load(withCredentials(s.Upstreams(strings.Replace(as.API.URL, "http:", "https:", 1), injected, "")))
	provoke()
	// Without log_credentials, which is consent to log what callers send.
	s.Load(s.Config(injected, "caller_secret {file."+s.Dir+"/caller}"))
	provoke("Proxy-Authorization: Bearer " + callersSecret)
	provoke("Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("app:"+callersSecret)))
	s.Load(s.Site(injected[:strings.Index(injected, "\n")]+"\nwait 100ms", "inject_token erp\nreverse_proxy "+strings.TrimPrefix(as.API.URL, "http://")+"\nhandle_errors {\nrespond \"{err.message} {http.request.header.Authorization} {http.request.header.Cookie}\"\n}"))
	as.Lock()
	as.Answer = func(w http.ResponseWriter) bool {
		http.Error(w, "go away with "+strings.Join(as.Everything, " and "), http.StatusBadGateway)
		return true
	}
	as.Unlock()
	provoke()
	as.API.CloseClientConnections()
	as.API.Close()
	s.Load(s.Config(injected, block))
	provoke()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}

	log, err := os.ReadFile(s.Log)
	if err != nil {
		t.Fatal(err)
	}
	// A test that sees nothing proves nothing.
	for _, expected := range []string{
		`"level":"debug"`, "upstream roundtrip", "malformed HTTP status code", "EOF", "connection refused", "does not look like a TLS handshake",
		"token may not go", "health_checker.active", "refused a request", "aborting with incomplete response",
	} {
		if !strings.Contains(string(log), expected) {
			t.Errorf("there is no %q in the log", expected)
		}
	}
	as.Lock()
	secrets := append([]string{callersSecret}, as.Everything...)
	as.Unlock()
	if len(secrets) < 5 {
		t.Errorf("only %d secrets", len(secrets))
	}
	for where, text := range map[string]string{"the log": string(log), "an answer": answers.String()} {
		for _, secret := range secrets {
			for _, spelling := range spellings(secret) {
				if i := strings.Index(text, spelling); i >= 0 {
					t.Errorf("%s holds the secret %q: …%s…", where, secret, text[max(0, i-400):min(len(text), i+100)])
					break
				}
			}
		}
	}
}
