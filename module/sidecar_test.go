package module_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"
	_ "github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/goleak"

	_ "lamplighter/caddyfile"
)

// rotating is an authorization server with EIAM's rules and no grace, and the
// API that accepts its current access token.
type rotating struct {
	tokens *httptest.Server
	api    *httptest.Server

	mu           sync.Mutex
	refreshToken string
	accessToken  string
	generation   int
	requests     int
	spent        int // refresh tokens presented that were not the current one
	unauthorized int
	lifetime     float64
	answer       func(w http.ResponseWriter) bool // answers a token request instead, if it returns true
	everything   []string                         // every secret there ever was
	handler      http.HandlerFunc                 // serves authorized requests
	refuse       http.HandlerFunc                 // answers others in place of a 401
}

const (
	testClientID     = "cid-0123456789"
	testClientSecret = "oG4+q/x=&%25 é"
	firstRefresh     = "seed-refresh-token-0123456789"
)

func newRotating(t *testing.T) *rotating {
	s := &rotating{refreshToken: firstRefresh, lifetime: 3600, everything: []string{testClientSecret, firstRefresh}}
	s.handler = func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.URL.RequestURI(), body)
	}
	s.tokens = httptest.NewServer(http.HandlerFunc(s.serveToken))
	s.api = httptest.NewServer(http.HandlerFunc(s.serveAPI))
	t.Cleanup(s.tokens.Close)
	t.Cleanup(s.api.Close)
	return s
}

func (s *rotating) serveToken(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	q := r.URL.Query()
	if s.answer != nil && s.answer(w) {
		return
	}
	if q.Get("client_id") != testClientID || q.Get("client_secret") != testClientSecret {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_request","error_description":"invalid client"}`)
		return
	}
	if q.Get("refresh_token") != s.refreshToken {
		s.spent++
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_request","error_description":"invalid_token"}`)
		return
	}
	s.generation++
	s.refreshToken = fmt.Sprintf("refresh-token-%d-abcdefghij", s.generation)
	s.accessToken = fmt.Sprintf("access-token-%d-abcdefghij", s.generation)
	s.everything = append(s.everything, s.refreshToken, s.accessToken)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": s.accessToken, "refresh_token": s.refreshToken, "id_token": "id", "expires_in": s.lifetime,
	})
}

func (s *rotating) serveAPI(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	values := r.Header.Values("Authorization")
	ok := len(values) == 1 && values[0] == "Bearer "+s.accessToken
	if !ok {
		s.unauthorized++
	}
	handler, refuse := s.handler, s.refuse
	s.mu.Unlock()
	if !ok && refuse != nil {
		refuse(w, r)
		return
	}
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	handler(w, r)
}

func (s *rotating) count() (requests, spent, unauthorized int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.spent, s.unauthorized
}

// sidecar runs Caddy in this process. There is one at a time.
type sidecar struct {
	t       *testing.T
	as      *rotating
	dir     string
	address string
	log     string
}

func newSidecar(t *testing.T, as *rotating) *sidecar {
	dir := t.TempDir()
	t.Setenv("XDG_DATA_HOME", filepath.Join(dir, "data"))
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	for name, content := range map[string]string{"secret": testClientSecret + "\n", "seed": firstRefresh + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &sidecar{t: t, as: as, dir: dir, address: address, log: filepath.Join(dir, "log")}
}

// config is a Caddyfile whose site has a client "erp" and what else is given.
func (s *sidecar) config(settings, subdirectives string) string {
	_, port, _ := net.SplitHostPort(s.address)
	return fmt.Sprintf(`{
	admin off
	debug
	persist_config off
	grace_period 5s
	log {
		output file %[1]s/log
	}
}
http://:%[2]s {
	bind 127.0.0.1
	upstream_oauth %[3]s {
		client erp {
			provider tencent_eiam %[4]s
			client_id %[5]s
			client_secret {file.%[1]s/secret}
			refresh_token {file.%[1]s/seed}
			%[6]s
		}
		%[7]s
	}
}`, s.dir, port, s.as.api.URL, s.as.tokens.URL, testClientID, settings, subdirectives)
}

func adapt(t *testing.T, config string) []byte {
	t.Helper()
	out, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *sidecar) load(config string) {
	s.t.Helper()
	if err := caddy.Load(adapt(s.t, config), true); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sidecar) do(method, path, body string, header ...string) (*http.Response, string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	for range 5 {
		// At a reload Caddy resets connections that nobody has accepted yet.
		if err == nil || method != http.MethodGet {
			break
		}
		res, err = (&http.Transport{DisableKeepAlives: true}).RoundTrip(req.Clone(ctx))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, string(got)
}

// eventually asks until it is so, for a bounded time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func TestRequestsReachTheUpstreamWithATokenAndItsOwnHost(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	s.load(s.config("", ""))
	host := strings.TrimPrefix(as.api.URL, "http://")

	res, body := s.do("GET", "/orders?page=2&access_token=evil", "", "Authorization", "Bearer evil", "Connection", "close, Authorization")
	if res.StatusCode != 200 || body != "GET "+host+" /orders?page=2 " {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	res, body = s.do("POST", "/orders", "hello")
	if res.StatusCode != 200 || body != "POST "+host+" /orders hello" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	if requests, spent, unauthorized := as.count(); requests != 1 || spent != 0 || unauthorized != 0 {
		t.Errorf("%d token requests, %d spent refresh tokens, %d unauthorized", requests, spent, unauthorized)
	}
}

func TestRestartGoesOnWithTheRecordAndNotWithTheSeed(t *testing.T) {
	as := newRotating(t)
	as.lifetime = 3 // refreshed after about two seconds
	s := newSidecar(t, as)
	for range 3 {
		s.load(s.config("", ""))
		before, _, _ := as.count()
		eventually(t, "a refresh", func() bool { n, _, _ := as.count(); return n > before })
		if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if _, spent, unauthorized := as.count(); spent != 0 || unauthorized != 0 {
		t.Errorf("%d spent refresh tokens presented, %d unauthorized requests", spent, unauthorized)
	}
}

func TestReloadsCostNoTokenRequest(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	before := goleak.IgnoreCurrent()
	for i := range 100 {
		s.load(s.config(fmt.Sprintf("wait %ds", i+1), ""))
		if i%10 == 0 {
			if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
				t.Fatalf("got %d %s", res.StatusCode, body)
			}
		}
	}
	if requests, spent, _ := as.count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d spent refresh tokens", requests, spent)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	as.tokens.Close()
	as.api.Close()
	// Caddy's own: a log file's roller, and a lock of CertMagic's that ends within
	// seconds.
	goleak.VerifyNone(t, before,
		goleak.IgnoreAnyFunction("github.com/DeRuina/timberjack.(*Logger).millRun"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"))
}

func TestConfigurationThatFailsLeavesTheRunningOneAlone(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	s.load(s.config("", ""))
	s.do("GET", "/", "")
	// The same client, and a second server that cannot listen.
	broken := s.config("wait 1s", "") + "\nhttp://:1 {\n\tbind 192.0.2.1\n}\n"
	if err := caddy.Load(adapt(t, broken), true); err == nil {
		t.Fatal("the broken configuration was loaded")
	}
	if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if requests, _, _ := as.count(); requests != 1 {
		t.Errorf("%d token requests", requests)
	}
}

func TestValidateMakesNoCallAndWritesNothing(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	called := make(chan struct{}, 100)
	as.handler = func(http.ResponseWriter, *http.Request) { called <- struct{}{} }
	config := strings.Replace(s.config("", "health_uri /health\nhealth_interval 20ms\nhealth_timeout 100ms"), "output file "+s.dir+"/log", "output discard", 1)
	var cfg caddy.Config
	if err := json.Unmarshal(adapt(t, config), &cfg); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&cfg); err != nil {
		t.Fatal(err)
	}
	if requests, _, unauthorized := as.count(); requests != 0 || unauthorized != 0 || len(called) != 0 {
		t.Errorf("%d token requests, %d+%d API requests", requests, unauthorized, len(called))
	}
	if _, err := os.Stat(filepath.Join(s.dir, "data")); !os.IsNotExist(err) {
		t.Errorf("the data directory was made: %v", err)
	}
}

func TestFirstTokenThatIsLateIsExplained(t *testing.T) {
	as := newRotating(t)
	as.answer = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	s := newSidecar(t, as)
	s.load(s.config("wait 50ms", ""))
	eventually(t, "a failed token request", func() bool { n, _, _ := as.count(); return n > 0 })
	res, body := s.do("GET", "/", "")
	if res.StatusCode != 503 || res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
	if status := res.Header.Get("Proxy-Status"); !strings.HasPrefix(status, "lamplighter; error=") {
		t.Errorf("Proxy-Status %q", status)
	}
	var problem struct {
		Status                        int
		Client, Cause, Detail, Remedy string
	}
	if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Client != "erp" || problem.Status != 503 || problem.Cause == "" || problem.Detail == "" || problem.Remedy == "" {
		t.Errorf("problem %s: %v", body, err)
	}

	// It comes after all: requests that wait for it are answered.
	as.mu.Lock()
	as.answer = nil
	as.mu.Unlock()
	s.load(s.config("wait 15s", ""))
	if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestConcurrentRequestsAtAColdStartMakeOneTokenRequest(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	release := make(chan struct{})
	as.answer = func(http.ResponseWriter) bool { <-release; return false }
	s.load(s.config("", ""))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
		})
	}
	close(release)
	wg.Wait()
	if requests, _, unauthorized := as.count(); requests != 1 || unauthorized != 0 {
		t.Errorf("%d token requests, %d unauthorized", requests, unauthorized)
	}
}

func TestHealthChecksCarryTheToken(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	checked := make(chan string, 100)
	as.handler = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			select {
			case checked <- r.Host:
			default:
			}
		}
	}
	s.load(s.config("", "health_uri /health\nhealth_interval 20ms"))
	for range 3 {
		select {
		case <-checked:
		case <-time.After(10 * time.Second):
			t.Fatal("no health check with a token arrived")
		}
	}
	if _, _, unauthorized := as.count(); unauthorized != 0 {
		t.Errorf("%d health checks without a token", unauthorized)
	}
}

func TestUpstreamIsNotMarkedDownByHealthChecksBeforeTheFirstToken(t *testing.T) {
	as := newRotating(t)
	as.answer = func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusInternalServerError); return true }
	s := newSidecar(t, as)
	s.load(s.config("wait 15s", "health_uri /health\nhealth_interval 20ms\nhealth_timeout 50ms\nhealth_status 2xx"))
	eventually(t, "failed token requests", func() bool { n, _, _ := as.count(); return n > 1 })
	if _, _, unauthorized := as.count(); unauthorized != 0 {
		t.Errorf("%d requests without a token", unauthorized)
	}
	as.mu.Lock()
	as.answer = nil
	as.mu.Unlock()
	if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestWebSocketPassesWithATokenAtItsHandshake(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	as.handler = func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	}
	s.load(s.config("", ""))
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	reply := make([]byte, 0, 4096)
	for !strings.Contains(string(reply), "\r\n\r\n") {
		part := make([]byte, 1024)
		n, err := conn.Read(part)
		if err != nil {
			t.Fatalf("%v after %q", err, reply)
		}
		reply = append(reply, part[:n]...)
	}
	if !strings.HasPrefix(string(reply), "HTTP/1.1 101 ") {
		t.Fatalf("got %q", reply)
	}
	if _, err := io.WriteString(conn, "ping"); err != nil {
		t.Fatal(err)
	}
	echo := make([]byte, 4)
	if _, err := io.ReadFull(conn, echo); err != nil || string(echo) != "ping" {
		t.Errorf("echo %q, %v", echo, err)
	}
}

func TestNothingSecretIsLoggedAtDebugLevel(t *testing.T) {
	as := newRotating(t)
	as.lifetime = 3
	s := newSidecar(t, as)
	s.load(s.config("", ""))
	s.do("GET", "/a", "")
	eventually(t, "a refresh", func() bool { n, _, _ := as.count(); return n > 1 })
	s.do("GET", "/b", "")
	as.tokens.Close()
	eventually(t, "a failed refresh in the log", func() bool {
		log, _ := os.ReadFile(s.log)
		return strings.Contains(string(log), "token request failed")
	})
	log, err := os.ReadFile(s.log)
	if err != nil || !strings.Contains(string(log), `"level":"debug"`) || !strings.Contains(string(log), "upstream roundtrip") {
		t.Fatalf("there is no debug log: %v", err)
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	for _, secret := range append(as.everything, "client_secret=", "oG4%2Bq") {
		if strings.Contains(string(log), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestAnUpstreamThatAlwaysSays401CostsOneForcedRefresh(t *testing.T) {
	as := newRotating(t)
	as.handler = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	s := newSidecar(t, as)
	s.load(s.config("min_refresh_interval 10ms", ""))
	for i := range 1000 {
		if res, body := s.do("GET", "/", ""); res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("request %d: got %d %s", i, res.StatusCode, body)
		}
	}
	if requests, spent, _ := as.count(); requests != 2 || spent != 0 {
		t.Errorf("%d token requests, want the first and a forced one; %d spent", requests, spent)
	}
}

func TestABodyLargerThanTheReplayBufferStreamsThrough(t *testing.T) {
	as := newRotating(t)
	as.handler = func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, n, " ", err, " ", r.Header.Get("Expect"))
		w.Header().Set("X-Sum", fmt.Sprint(n))
	}
	s := newSidecar(t, as)
	s.load(s.config("replay_buffer 1KiB", ""))
	const size = 1 << 20
	for name, length := range map[string]int64{"with a length": size, "chunked": -1} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.address+"/", io.LimitReader(zeros{}, size))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		req.Header.Set("Expect", "100-continue")
		res, err := (&http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: 5 * time.Second}).RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 || !strings.HasPrefix(string(body), fmt.Sprint(size, " <nil>")) || res.Trailer.Get("X-Sum") != fmt.Sprint(size) {
			t.Errorf("%s: got %d %s, trailer %v, %v", name, res.StatusCode, body, res.Trailer, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
