package proxy_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"lamplighter/module/moduletest"
)

// thief is a server that a token must never reach.
type thief struct {
	*httptest.Server
	mu  sync.Mutex
	got []string
}

func newThief(t *testing.T) *thief {
	s := new(thief)
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got = append(s.got, fmt.Sprintf("%s %s %v", r.Method, r.URL, r.Header))
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, request := range s.got {
			t.Errorf("the thief got: %s", request)
		}
	})
	return s
}

func (s *thief) hostport() string { return strings.TrimPrefix(s.URL, "http://") }

func deniedDestination(t *testing.T, res *http.Response, body string) {
	t.Helper()
	var problem struct {
		Status                int
		Client, Cause, Remedy string
	}
	err := json.Unmarshal([]byte(body), &problem)
	if err != nil || res.StatusCode != 502 || res.Header.Get("Content-Type") != "application/problem+json" ||
		problem.Status != 502 || problem.Cause != "token_destination_denied" || problem.Client != "erp" || !strings.Contains(problem.Remedy, "'allow http") ||
		!strings.HasPrefix(res.Header.Get("Proxy-Status"), "lamplighter; error=") {
		t.Errorf("got %d %v %s (%v)", res.StatusCode, res.Header, body, err)
	}
}

func TestTokenThatCouldGoAnywhereIsRefusedWithTheLineToAdd(t *testing.T) {
	for name, tc := range map[string]struct{ upstreams, settings, block, want string }{
		"plain http beyond loopback":            {"http://api.example.com:8080", "", "", "add 'allow http://api.example.com:8080'"},
		"plain http to an address":              {"http://10.0.0.7", "", "", "add 'allow http://10.0.0.7'"},
		"plain http to an IPv6 address":         {"http://[fd00::7]:80", "", "", "add 'allow http://[fd00::7]'"},
		"an upstream of the request's choice":   {"{http.request.host}:443", "", "", "add 'allow https://<host>'"},
		"dynamic upstreams":                     {"", "", "dynamic a api.example.com 443", "add 'allow https://<host>'"},
		"a server name of the request's choice": {"https://api.example.com", "", "transport http {\ntls_server_name {http.request.host}\n}", "add 'allow https://<host>'"},
		"an upstream that is not allowed":       {"https://a.example.com https://b.example.com", "allow https://a.example.com", "", "add 'allow https://b.example.com'"},
		"another port":                          {"https://a.example.com:8443", "allow https://a.example.com", "", "add 'allow https://a.example.com:8443'"},
		"another server name":                   {"https://a.example.com", "allow https://a.example.com", "transport http {\ntls_server_name b.example.com\n}", "add 'allow https://b.example.com'"},
		"loopback, when others are allowed":     {"http://127.0.0.1:1", "allow https://a.example.com", "", "add 'allow http://127.0.0.1:1'"},
		"health checks of another host":         {"https://a.example.com", "", "health_uri /\nhealth_upstream b.example.com:443", "add 'allow https://a.example.com' and 'allow https://b.example.com'"},
		"health checks in the clear":            {"https://a.example.com", "", "health_uri /\nhealth_port 8080\ntransport http {\ntls_except_ports 8080\n}", "'allow http://a.example.com:8080'"},
		"a certificate that nobody checks":      {"https://a.example.com", "", "transport http {\ntls_insecure_skip_verify\n}", "add 'allow_insecure_tls'"},
		// Fault D3: a name that nobody checks proves nothing.
		"a name that is not proven":                    {"https://evil.example.net", "allow https://a.example.com", "allow_insecure_tls\ntransport http {\ntls_insecure_skip_verify\ntls_server_name a.example.com\n}", "add 'allow https://evil.example.net'"},
		"a name without TLS":                           {"https://evil.example.net:8080", "allow http://a.example.com:8080", "transport http {\ntls_server_name a.example.com\ntls_except_ports 8080\n}", "add 'allow http://evil.example.net:8080'"},
		"health checks with a name that is not proven": {"https://a.example.com", "allow https://a.example.com", "health_uri /\nhealth_upstream evil.example.net:443\nallow_insecure_tls\ntransport http {\ntls_insecure_skip_verify\ntls_server_name a.example.com\n}", "add 'allow https://evil.example.net'"},
		"an environment variable to another host":      {"{env.LAMPLIGHTER_TEST_UPSTREAM}", "", "", "add 'allow http://api.example.com:8080'"},
	} {
		t.Run(name, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			t.Setenv("LAMPLIGHTER_TEST_UPSTREAM", "api.example.com:8080")
			err := moduletest.Validate(t, s.Upstreams(tc.upstreams, tc.settings, tc.block))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "client erp") || !strings.Contains(err.Error(), "Caddyfile:") {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestDestinationsThatAreCertainNeedNoLine(t *testing.T) {
	for name, tc := range map[string]struct{ upstreams, settings, block string }{
		"https":                           {"https://a.example.com https://b.example.com", "", ""},
		"loopback":                        {"http://127.0.0.1:1 http://[::1]:2 http://localhost:3", "", ""},
		"a unix socket":                   {"unix//run/api.sock", "", ""},
		"plain http with consent":         {"http://api.example.com:8080", "allow http://api.example.com:8080", ""},
		"a network of a mesh":             {"http://10.0.0.7:8080", "allow http://10.0.0.0/8", ""},
		"an environment variable":         {"{env.LAMPLIGHTER_TEST_UPSTREAM}", "allow http://api.example.com:8080", ""},
		"dynamic upstreams":               {"", "allow https://*.example.com", "dynamic a api.example.com 443"},
		"a server name":                   {"10.0.0.7:443", "allow https://a.example.com", "transport http {\ntls\ntls_server_name a.example.com\n}"},
		"health checks on another port":   {"https://a.example.com", "", "health_uri /\nhealth_port 8443"},
		"health checks of another host":   {"https://a.example.com", "allow https://a.example.com https://b.example.com", "health_uri /\nhealth_upstream b.example.com:443"},
		"a certificate that is not read":  {"https://a.example.com", "", "allow_insecure_tls\ntransport http {\ntls_insecure_skip_verify\n}"},
		"the same, said in the transport": {"https://a.example.com", "", "transport http {\ntls_insecure_skip_verify\nallow_insecure_tls\ndial_timeout 1s\n}"},
	} {
		t.Run(name, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			t.Setenv("LAMPLIGHTER_TEST_UPSTREAM", "api.example.com:8080")
			if err := moduletest.Validate(t, s.Upstreams(tc.upstreams, tc.settings, tc.block)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTokenGoesWhereARequestSaysOnlyIfThatIsAllowed(t *testing.T) {
	as, evil := moduletest.NewRotating(t), newThief(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Upstreams("{http.request.header.X-Upstream}", "allow "+as.API.URL, ""))
	host := strings.TrimPrefix(as.API.URL, "http://")
	for range 2 {
		if res, body := s.Do("GET", "/a", "", "X-Upstream", host); res.StatusCode != 200 {
			t.Errorf("got %d %s", res.StatusCode, body)
		}
		res, body := s.Do("POST", "/a", "hello", "X-Upstream", evil.hostport())
		deniedDestination(t, res, body)
	}
	if requests, _, unauthorized := as.Count(); requests != 1 || unauthorized != 0 {
		t.Errorf("%d token requests, %d unauthorized", requests, unauthorized)
	}
}

func TestALoadBalancersRetryGoesNowhereElse(t *testing.T) {
	as, evil := moduletest.NewRotating(t), newThief(t)
	s := moduletest.NewSidecar(t, as)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	s.Load(s.Upstreams("{http.request.header.X-First} {http.request.header.X-Second}", "allow http://"+dead.Addr().String(),
		"lb_policy first\nlb_retries 2\nfail_duration 10s"))
	res, body := s.Do("GET", "/a", "", "X-First", dead.Addr().String(), "X-Second", evil.hostport())
	if res.StatusCode != 502 || !strings.Contains(body, "token_destination_denied") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestHealthCheckThatIsRedirectedDoesNotTakeTheTokenAlong(t *testing.T) {
	as, evil := moduletest.NewRotating(t), newThief(t)
	s := moduletest.NewSidecar(t, as)
	redirected := make(chan struct{}, 1000)
	as.Handler = func(w http.ResponseWriter, r *http.Request) {
		if r.Host != strings.TrimPrefix(as.API.URL, "http://") {
			t.Errorf("a request for %s with a token", r.Host)
		}
		redirected <- struct{}{}
		http.Redirect(w, r, evil.URL+"/steal", http.StatusFound)
	}
	s.Load(s.Config("", "health_uri /health\nhealth_interval 20ms\nhealth_follow_redirects"))
	for range 3 {
		<-redirected
	}
	if _, _, unauthorized := as.Count(); unauthorized != 0 {
		t.Errorf("%d requests without a token", unauthorized)
	}
}

func TestHealthChecksOnAnotherPortOfTheUpstreamCarryTheToken(t *testing.T) {
	as := moduletest.NewRotating(t)
	checked := make(chan string, 1000)
	health := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		checked <- r.Header.Get("Authorization")
	}))
	defer health.Close()
	s := moduletest.NewSidecar(t, as) // after it: its port is free, and might be taken
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(health.URL, "http://"))
	s.Load(s.Config("", "health_uri /health\nhealth_interval 20ms\nhealth_port "+port))
	if got := <-checked; !strings.HasPrefix(got, "Bearer access-token-") {
		t.Errorf("Authorization %q", got)
	}
}

func TestServerMustProveTheNameThatTheTokenIsFor(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	api := httptest.NewUnstartedServer(http.HandlerFunc(as.ServeAPI))
	api.EnableHTTP2 = true
	api.StartTLS()
	defer api.Close()
	as.Handler = func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto, " ", r.Method) }
	authority := filepath.Join(s.Dir, "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	tls := func(serverName string) string {
		return "transport http {\ntls_trust_pool file " + authority + "\ntls_server_name " + serverName + "\n}"
	}
	hostport := strings.TrimPrefix(api.URL, "https://")
	_, port, _ := net.SplitHostPort(hostport)

	s.Load(s.Upstreams(api.URL, "allow https://example.com:"+port, tls("example.com")))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 || body != "HTTP/2.0 GET" {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	// Another name would be another server, however it is reached.
	s.Load(s.Upstreams(api.URL, "allow https://example.com:"+port, tls("{http.request.header.X-Name}")))
	if res, body := s.Do("GET", "/", "", "X-Name", "example.com"); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	res, body := s.Do("GET", "/", "", "X-Name", "127.0.0.1")
	deniedDestination(t, res, body)
	// A name that its certificate does not have.
	s.Load(s.Upstreams(api.URL, "", tls("other.example.net")))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 502 || strings.Contains(body, "access-token") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if _, _, unauthorized := as.Count(); unauthorized != 0 {
		t.Errorf("%d requests without a token", unauthorized)
	}
}

// Fault D3.
func TestANameThatNobodyChecksIsNoProof(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	api := httptest.NewTLSServer(http.HandlerFunc(as.ServeAPI))
	defer api.Close()
	hostport := strings.TrimPrefix(api.URL, "https://")
	_, port, _ := net.SplitHostPort(hostport)
	for _, name := range []string{"api.example.com", "{http.request.header.X-Name}"} {
		block := "allow_insecure_tls\ntransport http {\ntls_insecure_skip_verify\ntls_server_name " + name + "\n}"
		s.Load(s.Upstreams("{http.request.header.X-Upstream}", "allow https://api.example.com:"+port, block))
		res, body := s.Do("GET", "/", "", "X-Upstream", hostport, "X-Name", "api.example.com")
		deniedDestination(t, res, body)
		if requests, _, _ := as.Count(); requests > 1 {
			t.Errorf("%d token requests", requests)
		}
		s.Load(s.Upstreams("{http.request.header.X-Upstream}", "allow https://127.0.0.1:"+port, block))
		if res, body := s.Do("GET", "/", "", "X-Upstream", hostport, "X-Name", "api.example.com"); res.StatusCode != 200 {
			t.Errorf("got %d %s", res.StatusCode, body)
		}
	}
}

func TestHandlersThatShareAClientReachTheirOwnUpstreams(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	other := httptest.NewServer(http.HandlerFunc(as.ServeAPI))
	defer other.Close()
	config := s.Config("", "")
	client := config[strings.Index(config, "client erp {"):]
	client = client[:strings.Index(client, "}\n\t\t\n")+1]
	config = strings.Replace(config, client, "client erp", 1)
	config = strings.Replace(config, "admin off", "admin off\noauth2_client "+strings.TrimPrefix(client, "client "), 1)
	config = strings.Replace(config, "upstream_oauth ", "upstream_oauth /other/* "+other.URL+" {\nclient erp\n}\nupstream_oauth ", 1)
	s.Load(config)
	for path, host := range map[string]string{"/a": as.API.URL, "/other/a": other.URL} {
		if res, body := s.Do("GET", path, ""); res.StatusCode != 200 || !strings.Contains(body, strings.TrimPrefix(host, "http://")) {
			t.Errorf("%s: got %d %s", path, res.StatusCode, body)
		}
	}
}
