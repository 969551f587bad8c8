package clients

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lamplighter/test/internal/rig"
)

// TestNginxAsUpstream calls nginx on a unix socket, where it wants a Host as
// everywhere else, with HTTP/2 over TLS, and with connections that it closes after
// every other request. Fault D10.
func TestNginxAsUpstream(t *testing.T) {
	t.Parallel()
	nginx := rig.Need(t, "nginx", "install nginx")
	dir := rig.Home(t)
	socket, secure, brief := filepath.Join(dir, "api.sock"), quietAddress(t), quietAddress(t)
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	certificate.Close()
	writeKeyPair(t, dir, certificate.TLS.Certificates[0])

	var sites []*site
	var servers strings.Builder
	for _, s := range []struct{ name, listen, upstream, block, proto string }{
		{"unix socket", "listen unix:" + socket, "unix/" + socket, "", "HTTP/1.1"},
		{"HTTP/2 over TLS", "ssl_certificate server.pem; ssl_certificate_key server.key; listen " + secure + " ssl http2", "https://" + secure, strings.Replace(trusting(t, certificate), "\n", "\n\t\t\ttls_server_name example.com\n", 1), "HTTP/2.0"},
		{"brief connections", "keepalive_requests 2; listen " + brief, "http://" + brief, "", "HTTP/1.1"},
	} {
		is := newIssuer(t, false)
		app := serve(t, httptest.NewUnstartedServer(is.protect(newAPI())))
		fmt.Fprintf(&servers, nginxServer, s.listen, s.proto, app.URL)
		sites = append(sites, &site{name: s.name, upstream: s.upstream, block: s.block, issuer: is, overlap: "none"})
	}
	startNginx(t, nginx, dir, servers.String(), socket, secure, brief)
	runSites(t, sites...)
	upload := strings.Repeat("a line of an upload\n", 1000)
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			client := &http.Client{Transport: new(http.Transport)}
			rounds, done := 0, rotated(s)
			for ; !done(); rounds++ {
				want(t, client, s, "GET /hello", "", nil, 200, "hello")
				want(t, client, s, "GET /file", "", nil, 200, "0123456789\n")
				want(t, client, s, "GET /file", "", http.Header{"Range": {"bytes=2-4"}}, 206, "234")
				want(t, client, s, "GET /file", "", http.Header{"If-None-Match": {"*"}}, 304, "")
				want(t, client, s, "HEAD /file", "", nil, 200, "")
				want(t, client, s, "POST /digest", upload, nil, 200, digestOf(upload))
				want(t, client, s, "GET /zipped", "", nil, 200, strings.Repeat("zipped ", 1000))
			}
			t.Logf("%d rounds of 7 calls\n%s", rounds, rejections(s))
		})
	}
}

// nginxServer asks its application whether a token is good before it answers with
// a file of its own.
const nginxServer = `
	server {
		%s;
		if ($server_protocol != %s) { return 505; }
		location = /check { internal; proxy_pass %[3]s/hello; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
		location = /file { auth_request /check; root .; }
		location / { proxy_pass %[3]s; proxy_http_version 1.1; proxy_request_buffering off; }
	}`

// startNginx starts one with servers, and waits until it listens.
func startNginx(t *testing.T, nginx, dir, servers string, addresses ...string) {
	t.Helper()
	rig.Write(t, dir, "file", "0123456789\n")
	rig.Write(t, dir, "nginx.conf", `daemon off; master_process off; pid nginx.pid; error_log stderr notice; events { }
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;`+servers+"\n}\n")
	p := rig.StartBinary(t, nginx, dir, rig.Environment(dir), "-p", dir, "-c", "nginx.conf")
	for _, address := range addresses {
		rig.Eventually(t, "nginx listens at "+address, func() bool {
			if p.Ended() {
				t.Fatalf("nginx ended: %v\n%s", p.Err, p.Output)
			}
			if filepath.IsAbs(address) {
				_, err := os.Stat(address)
				return err == nil
			}
			return rig.Listens(address)
		})
	}
}

func writeKeyPair(t *testing.T, dir string, pair tls.Certificate) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	rig.Write(t, dir, "server.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	rig.Write(t, dir, "server.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
}
