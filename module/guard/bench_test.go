package guard

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkGuard is what upstream_oauth adds to the transport.
func BenchmarkGuard(b *testing.B) {
	g := new(Guard)
	for _, compile := range []func() error{g.compileCallers, g.compileSecret, g.compileOrigins} {
		if err := compile(); err != nil {
			b.Fatal(err)
		}
	}
	req := httptest.NewRequest(http.MethodGet, "/orders?page=2", nil)
	req.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {"legacy/1.0"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Request-Id": {"42"}}
	req.RemoteAddr, req.Host = "127.0.0.1:54321", "localhost:8080"
	b.ReportAllocs()
	for b.Loop() {
		if p := g.refusal(req); p != nil {
			b.Fatal(p)
		}
	}
}
