package guard

import (
	"net/http"
	"net/url"
	"testing"
)

// Browsers open WebSockets over HTTP/2 and HTTP/3 by CONNECT (RFC 8441, RFC 9220). Any
// other protocol that CONNECT may name is a tunnel.
func TestAWebSocketOverHTTP2IsNoTunnel(t *testing.T) {
	for name, test := range map[string]struct {
		major           int
		proto, protocol string
		fits            bool
	}{
		"over HTTP/2":               {2, "HTTP/2.0", "websocket", true},
		"over HTTP/3":               {3, "websocket", "", true},
		"another one over HTTP/2":   {2, "HTTP/2.0", "connect-udp", false},
		"another one over HTTP/3":   {3, "connect-udp", "", false},
		"none over HTTP/2":          {2, "HTTP/2.0", "", false},
		"none over HTTP/3":          {3, "HTTP/3.0", "", false},
		"what is none in HTTP/1.1":  {1, "HTTP/1.1", "websocket", false},
		"HTTP/3's name over HTTP/2": {2, "websocket", "", false},
	} {
		req := &http.Request{Method: http.MethodConnect, ProtoMajor: test.major, Proto: test.proto, URL: &url.URL{Path: "/"}, Header: http.Header{}}
		if test.protocol != "" {
			req.Header[":protocol"] = []string{test.protocol}
		}
		if p := Unfit(req); (p == nil) != test.fits {
			t.Errorf("%s: got %+v", name, p)
		}
	}
}
