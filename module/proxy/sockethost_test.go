package proxy_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/module/moduletest"
)

// listenAt serves an API on a unix socket, HTTP/2 without TLS too.
func listenAt(t *testing.T, socket string, handler http.HandlerFunc) {
	t.Helper()
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
}

// Fault D10. A unix socket has no name of its own: the Host is what a plain
// reverse_proxy sends, the caller's.
func TestHostOfAUnixSocketIsTheCallers(t *testing.T) {
	as := moduletest.NewRotating(t)
	dir, err := os.MkdirTemp("", "lamp-") // short enough for a socket address
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket, abstract := filepath.Join(dir, "api.sock"), "@"+filepath.Base(dir)
	listenAt(t, socket, as.ServeAPI)
	listenAt(t, abstract, as.ServeAPI)
	host := strings.TrimPrefix(as.API.URL, "http://")
	t.Setenv("LAMPLIGHTER_TEST_UPSTREAM", "unix/"+socket)
	s := moduletest.NewSidecar(t, as)
	for name, tc := range map[string]struct{ upstreams, settings, block, want string }{
		"a socket":                        {"unix/" + socket, "", "", "erp.internal:8080"},
		"an abstract one":                 {"unix/" + abstract, "", "", "erp.internal:8080"},
		"HTTP/2 without TLS":              {"unix+h2c/" + socket, "", "", "erp.internal:8080"},
		"of the environment":              {"{env.LAMPLIGHTER_TEST_UPSTREAM}", "", "", "erp.internal:8080"},
		"of the request's choice":         {"unix/{http.request.header.X-Socket}", "allow unix/" + socket, "", "erp.internal:8080"},
		"header_up says another":          {"unix/" + socket, "", "header_up Host api.example.com", "api.example.com"},
		"header_up says the upstream's":   {"unix/" + socket, "", "header_up Host {upstream_hostport}", "erp.internal:8080"},
		"behind one that is down":         {"127.0.0.1:1 unix/" + socket, "", "lb_policy first\nlb_retries 2\nfail_duration 10s", "erp.internal:8080"},
		"no socket, with its own as ever": {as.API.URL, "", "", host},
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			s.Load(s.Upstreams(tc.upstreams, tc.settings, tc.block))
			res, body := s.Raw("GET /a HTTP/1.1\nHost: erp.internal:8080\nX-Socket: " + socket + "\nConnection: close\n\n")
			if res.StatusCode != 200 || body != "GET "+tc.want+" /a " {
				t.Errorf("got %d %q, want the Host %s", res.StatusCode, body, tc.want)
			}
		})
	}
	s.T = t
	// What a plain reverse_proxy sends, to compare with.
	_, port, _ := net.SplitHostPort(s.Address)
	as.Lock()
	as.AccessToken = "none"
	as.Unlock()
	s.Load("{\nadmin off\n}\nhttp://:" + port + " {\nbind 127.0.0.1\nreverse_proxy unix/" + socket + " {\nheader_up Authorization \"Bearer none\"\n}\n}")
	if res, body := s.Raw("GET /a HTTP/1.1\nHost: erp.internal:8080\nConnection: close\n\n"); res.StatusCode != 200 || body != "GET erp.internal:8080 /a " {
		t.Errorf("a plain reverse_proxy: %d %q", res.StatusCode, body)
	}
}
