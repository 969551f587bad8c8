package proxy_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"lamplighter/module/moduletest"
)

// forwardProxy passes on what it is asked to, all of it to one address, and keeps
// what it can read.
type forwardProxy struct {
	*httptest.Server
	mu  sync.Mutex
	got []string
}

func newForwardProxy(t *testing.T, to string) *forwardProxy {
	p := new(forwardProxy)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", to)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) {}, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.got = append(p.got, fmt.Sprintf("%s %s %v", r.Method, r.RequestURI, r.Header))
		p.mu.Unlock()
		if r.Method != http.MethodConnect {
			pass.ServeHTTP(w, r)
			return
		}
		there, err := dial(r.Context(), "", "")
		if err != nil {
			t.Error(err)
			return
		}
		defer there.Close()
		w.WriteHeader(http.StatusOK)
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer here.Close()
		go func() { _, _ = io.Copy(there, buffered) }()
		_, _ = io.Copy(here, there)
	}))
	t.Cleanup(p.Close)
	return p
}

// read returns what the proxy read since the last time.
func (p *forwardProxy) read() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := strings.Join(p.got, "\n")
	p.got = nil
	return all
}

// Fault D1.
func TestAProxyThatTheRequestChoosesIsRefused(t *testing.T) {
	for name, block := range map[string]string{
		"network_proxy":                 "transport http {\nnetwork_proxy url {http.request.header.X-P}\n}",
		"its deprecated name":           "transport http {\nforward_proxy_url http://{http.request.header.X-P}\n}",
		"a part of it":                  "transport http {\nnetwork_proxy url http://user:{http.request.header.X-P}@127.0.0.1:3128\n}",
		"a shorthand":                   "transport http {\nnetwork_proxy url http://{header.X-P}\n}",
		"a variable":                    "transport http {\nnetwork_proxy url http://{vars.proxy}\n}",
		"something that is no proxy":    "transport http {\nnetwork_proxy url proxy.internal:3128\n}",
		"something without a host":      "transport http {\nnetwork_proxy url http://:3128\n}",
		"a variable that is not there":  "transport http {\nnetwork_proxy url {env.LAMPLIGHTER_TEST_NOTHING}\n}",
		"a variable that holds another": "transport http {\nnetwork_proxy url {env.LAMPLIGHTER_TEST_PLACEHOLDER}\n}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("LAMPLIGHTER_TEST_PLACEHOLDER", "http://{http.request.header.X-P}:3128")
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			for _, upstream := range []string{"http://127.0.0.2:9001", "https://api.example.com"} {
				err := moduletest.Validate(t, s.Upstreams(upstream, "", block))
				if err == nil || !strings.Contains(err.Error(), "client erp") || !strings.Contains(err.Error(), "Caddyfile:") ||
					!strings.Contains(err.Error(), "network_proxy") && !strings.Contains(err.Error(), "forward_proxy_url") {
					t.Errorf("%s: got %v", upstream, err)
				}
			}
		})
	}
}

// Fault D1. The deprecated field is read by JSON alone.
func TestAProxyThatTheRequestChoosesIsRefusedInJSONToo(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	config := string(moduletest.Adapt(t, s.Config("", "")))
	for _, member := range []string{
		`"forward_proxy_url":"http://{http.request.header.X-P}"`,
		`"network_proxy":{"from":"url","url":"http://{http.request.header.X-P}"}`,
	} {
		altered := strings.Replace(config, `"protocol":"oauth2"`, member+`,"protocol":"oauth2"`, 1)
		if altered == config {
			t.Fatal("the transport is not there")
		}
		if err := moduletest.ValidateJSON(altered); err == nil || !strings.Contains(err.Error(), "a value of a request") {
			t.Errorf("%s: got %v", member, err)
		}
	}
}

// Faults D1 and D2.
func TestATokenInClearPassesNoProxyThatAllowDoesNotName(t *testing.T) {
	for name, tc := range map[string]struct{ upstream, settings, proxy, want string }{
		"on loopback":                    {"http://127.0.0.2:9001", "", "http://proxy.internal:3128", "add 'allow http://proxy.internal:3128'"},
		"with the consent to plain http": {"http://erp.internal", "allow http://erp.internal\nallow_http", "http://proxy.internal:3128", "add 'allow http://proxy.internal:3128'"},
		"on another port":                {"http://erp.internal", "allow http://erp.internal http://proxy.internal", "http://proxy.internal:3128", "add 'allow http://proxy.internal:3128'"},
		"with the consent to a network":  {"http://10.0.0.7", "allow http://10.0.0.0/8", "http://10.0.0.9:80", "add 'allow http://10.0.0.9'"},
		"with the consent to a domain":   {"http://erp.internal", "allow http://*.internal:*", "http://proxy.internal:3128", "add 'allow http://proxy.internal:3128'"},
		"over https to the proxy":        {"http://erp.internal", "allow http://erp.internal", "https://proxy.internal", "add 'allow https://proxy.internal'"},
		"of SOCKS":                       {"http://erp.internal", "allow http://erp.internal", "socks5h://proxy.internal", "add 'allow socks5://proxy.internal'"},
		"with a password":                {"http://erp.internal", "allow http://erp.internal", "http://user:hush-hush@proxy.internal", "add 'allow http://proxy.internal'"},
		"of the environment":             {"http://erp.internal", "allow http://erp.internal", "{env.LAMPLIGHTER_TEST_FORWARD}", "add 'allow http://proxy.internal:8080'"},
		"of a file":                      {"http://erp.internal", "allow http://erp.internal", "{file./%s/forward}", "add 'allow http://proxy.internal:8081'"},
		"on a port without TLS":          {"https://erp.internal:8080", "allow http://erp.internal:8080", "http://proxy.internal", "add 'allow http://proxy.internal'"},
	} {
		t.Run(name, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			t.Setenv("LAMPLIGHTER_TEST_FORWARD", "http://proxy.internal:8080")
			moduletest.Write(t, s, "forward", "http://proxy.internal:8081")
			options := "network_proxy url " + strings.Replace(tc.proxy, "/%s", s.Dir, 1)
			if strings.HasPrefix(tc.upstream, "https:") {
				options += "\ntls_except_ports 8080"
			}
			err := moduletest.Validate(t, s.Upstreams(tc.upstream, tc.settings, "transport http {\n"+options+"\n}"))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "client erp") || strings.Contains(err.Error(), "hush") {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			line := tc.want[strings.Index(tc.want, "'")+1 : strings.LastIndex(tc.want, "'")]
			if !strings.Contains(tc.settings, "allow http") {
				tc.settings += "\nallow " + tc.upstream
			}
			if err := moduletest.Validate(t, s.Upstreams(tc.upstream, tc.settings+"\n"+line, "transport http {\n"+options+"\n}")); err != nil {
				t.Errorf("with that line: %v", err)
			}
		})
	}
}

func TestProxiesThatReadNothingNeedNoLine(t *testing.T) {
	for name, tc := range map[string]struct{ upstream, options string }{
		"https":             {"https://api.example.com", "network_proxy url http://proxy.internal:3128"},
		"https by SOCKS":    {"https://api.example.com", "network_proxy url socks5://proxy.internal"},
		"no proxy at all":   {"http://127.0.0.2:9001", "network_proxy none"},
		"a unix socket":     {"unix//run/api.sock", "network_proxy url http://proxy.internal:3128"},
		"the deprecated":    {"https://api.example.com", "forward_proxy_url http://proxy.internal:3128"},
		"with a trailing /": {"https://api.example.com", "network_proxy url http://proxy.internal:3128/"},
	} {
		t.Run(name, func(t *testing.T) {
			s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
			if err := moduletest.Validate(t, s.Upstreams(tc.upstream, "", "transport http {\n"+tc.options+"\n}")); err != nil {
				t.Error(err)
			}
		})
	}
}

// Fault D2. Where a request goes may only be known with it.
func TestARequestInClearIsNotSentThroughAProxyThatAllowDoesNotName(t *testing.T) {
	as := moduletest.NewRotating(t)
	host := strings.TrimPrefix(as.API.URL, "http://")
	proxy := newForwardProxy(t, host)
	s := moduletest.NewSidecar(t, as)
	moduletest.Write(t, s, "password", "hush-hush")
	block := "transport http {\nnetwork_proxy url http://user:{file." + s.Dir + "/password}@" + strings.TrimPrefix(proxy.URL, "http://") + "\n}"
	s.Load(s.Upstreams("{http.request.header.X-Upstream}", "allow http://erp.internal", block))
	for range 20 {
		res, body := s.Do("GET", "/a", "", "X-Upstream", "erp.internal:80")
		deniedDestination(t, res, body)
		if !strings.Contains(body, "'allow "+proxy.URL+"'") || strings.Contains(body, "hush") {
			t.Errorf("got %s", body)
		}
	}
	if got := proxy.read(); got != "" {
		t.Errorf("the proxy read %s", got)
	}
	log, err := os.ReadFile(s.Log)
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(log, []byte(`"cause":"token_destination_denied"`)); lines < 5 || lines > 19 {
		t.Errorf("%d lines of the log for 20 requests", lines)
	}
	if bytes.Contains(log, []byte("hush")) {
		t.Errorf("the log has the proxy's password: %s", log)
	}

	s.Load(s.Upstreams("{http.request.header.X-Upstream}", "allow http://erp.internal "+proxy.URL, block))
	res, body := s.Do("GET", "/a", "", "X-Upstream", "erp.internal:80")
	if res.StatusCode != 200 || !strings.Contains(body, "GET erp.internal") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if got := proxy.read(); !strings.Contains(got, "GET http://erp.internal:80/a ") || !strings.Contains(got, "access-token-") {
		t.Errorf("the proxy read %q", got)
	}
}

// What passes a proxy by CONNECT it cannot read.
func TestHTTPSPassesAProxyUnread(t *testing.T) {
	as := moduletest.NewRotating(t)
	api := httptest.NewTLSServer(http.HandlerFunc(as.ServeAPI))
	defer api.Close()
	s := moduletest.NewSidecar(t, as)
	authority := filepath.Join(s.Dir, "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: api.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := newForwardProxy(t, strings.TrimPrefix(api.URL, "https://"))
	options := "transport http {\ntls_trust_pool file " + authority + "\nnetwork_proxy url " + proxy.URL + "\n}"
	s.Load(s.Upstreams("https://example.com", "", options))
	if res, body := s.Do("GET", "/a", ""); res.StatusCode != 200 || body != "GET example.com:443 /a " {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if got := proxy.read(); !strings.HasPrefix(got, "CONNECT example.com:443 ") || strings.Contains(got, "access-token") {
		t.Errorf("the proxy read %q", got)
	}
	// The proxy leads elsewhere than it was told to: nothing proves that name there.
	s.Load(s.Upstreams("https://other.example.net", "", options))
	if res, body := s.Do("GET", "/a", ""); res.StatusCode != 502 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if _, _, unauthorized := as.Count(); unauthorized != 0 {
		t.Errorf("%d requests without a token", unauthorized)
	}
}

// Fault D2. net/http reads the environment once, so this needs a process of its own.
func TestProxiesOfTheEnvironmentAreHeldToTheSameRule(t *testing.T) {
	proxyURL := os.Getenv("LAMPLIGHTER_TEST_PROXY")
	if proxyURL == "" {
		as := moduletest.NewRotating(t)
		proxy := newForwardProxy(t, strings.TrimPrefix(as.API.URL, "http://"))
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), "LAMPLIGHTER_TEST_PROXY="+proxy.URL, "HTTP_PROXY="+proxy.URL, "NO_PROXY=", "no_proxy=")
		out, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v: %s", err, out)
		}
		if got := proxy.read(); !strings.HasPrefix(got, "POST http://erp.internal:80/named ") || strings.Contains(got, "\n") {
			t.Errorf("the proxy read %q", got)
		}
		return
	}

	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	want := "'allow " + proxyURL + "'"
	for _, upstream := range []string{"http://erp.internal", "http://erp.localhost:9001"} {
		if err := moduletest.Validate(t, s.Upstreams(upstream, "allow "+upstream, "")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", upstream, err)
		}
		if err := moduletest.Validate(t, s.Upstreams(upstream, "allow "+upstream, "transport http {\nnetwork_proxy none\n}")); err != nil {
			t.Errorf("%s without a proxy: %v", upstream, err)
		}
	}
	if err := moduletest.Validate(t, s.Upstreams("http://127.0.0.2:9001", "", "")); err != nil {
		t.Errorf("on loopback: %v", err)
	}
	s.Load(s.Upstreams("{http.request.header.X-Upstream}", "allow http://erp.internal", ""))
	denied, body := s.Do("GET", "/denied", "", "X-Upstream", "erp.internal:80")
	deniedDestination(t, denied, body)
	// Loopback stays loopback with the PROXY protocol, though the URL says otherwise.
	s.Load(s.Config("", "transport http {\nproxy_protocol v1\n}"))
	res, err := http.Get("http://" + s.Address + "/loopback")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	// The API knows no PROXY protocol, and may cut its answer to it.
	if body, _ := io.ReadAll(res.Body); strings.Contains(string(body), "token_destination_denied") {
		t.Errorf("got %d %s", res.StatusCode, body)
	}

	// The proxy's own API has another token than this one.
	s.Load(s.Upstreams("http://erp.internal", "allow http://erp.internal "+proxyURL, ""))
	if res, _ := s.Do("POST", "/named", ""); res.StatusCode != 401 {
		t.Errorf("got %d", res.StatusCode)
	}
}

func TestTheProxyOfAClient(t *testing.T) {
	as := moduletest.NewRotating(t)
	tokens := strings.TrimPrefix(as.Tokens.URL, "http://")
	proxy := newForwardProxy(t, tokens)
	s := moduletest.NewSidecar(t, as)
	t.Setenv("LAMPLIGHTER_TEST_PASSWORD", "hush-hush")
	named := strings.Replace(proxy.URL, "http://", "http://user:{env.LAMPLIGHTER_TEST_PASSWORD}@", 1)

	err := moduletest.Validate(t, s.Config("proxy "+named, ""))
	if err == nil || !strings.Contains(err.Error(), "'allow "+proxy.URL+"'") || !strings.Contains(err.Error(), "token_endpoint") || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
	s.Load(s.Config("proxy "+named+"\nallow "+as.API.URL+" "+proxy.URL, ""))
	if res, body := s.Do("GET", "/a", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	got := proxy.read()
	credentials := base64.StdEncoding.EncodeToString([]byte("user:hush-hush"))
	if !strings.Contains(got, "POST http://"+tokens+"/auth/oauth2/token?") || !strings.Contains(got, "Proxy-Authorization:[Basic "+credentials+"]") {
		t.Errorf("the proxy read %q", got)
	}
	for _, setting := range []string{"proxy none", "proxy from_environment"} {
		if err := moduletest.Validate(t, s.Config(setting, "")); err != nil {
			t.Errorf("%s: %v", setting, err)
		}
	}
	if log, err := os.ReadFile(s.Log); err != nil || bytes.Contains(log, []byte("hush")) {
		t.Errorf("the log has the proxy's password (%v)", err)
	}
}

func TestTheProxyOfAClientThatCannotWorkIsRefused(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	for _, value := range []string{"proxy.internal:3128", "ftp://proxy", "http://", "http://user:hush-hush@", "http://proxy/path", "http://proxy?a", "http://proxy#a", "default"} {
		if err := moduletest.ValidateJSON(strings.Replace(string(moduletest.Adapt(t, s.Config("proxy none", ""))), `"proxy":"none"`, `"proxy":"`+value+`"`, 1)); err == nil || !strings.Contains(err.Error(), "proxy: ") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %v", value, err)
		}
	}
	for _, value := range []string{"{http.request.header.X-P}", "http://{http.request.header.X-P}", "{env.LAMPLIGHTER_TEST_NOTHING}", "{file./nowhere/to/be}"} {
		if err := moduletest.Validate(t, s.Config("proxy "+value, "")); err == nil || !strings.Contains(err.Error(), "proxy: ") {
			t.Errorf("%s: got %v", value, err)
		}
	}
}

// Fault D2, for what the client asks: its secret counts as the token does.
func TestAClientSecretInClearPassesNoProxyThatAllowDoesNotName(t *testing.T) {
	s := moduletest.NewSidecar(t, moduletest.NewRotating(t))
	const clear = "token_endpoint http://idp.internal/token\nallow_http\n"
	for settings, want := range map[string]string{
		clear + "proxy http://proxy.internal:3128":                                                                                 "'allow http://proxy.internal:3128'",
		clear + "proxy socks5://proxy.internal\nallow http://127.0.0.0/8:*":                                                        "'allow socks5://proxy.internal'",
		clear + "proxy https://10.0.0.9\nallow https://10.0.0.0/8 http://127.0.0.0/8:*":                                            "'allow https://10.0.0.9'",
		"allow_http\nrevocation_endpoint http://idp.internal/revoke\nproxy http://proxy.internal:3128\nallow http://127.0.0.0/8:*": "'allow http://proxy.internal:3128'",
		clear + "proxy http://proxy.internal:3128\nallow http://127.0.0.0/8:* http://proxy.internal:3128":                          "",
		clear + "proxy none": "",
		"token_endpoint https://idp.internal/token\nproxy http://proxy.internal:3128": "",
	} {
		err := moduletest.Validate(t, s.Config(settings, ""))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v", settings, err)
		}
	}
}
