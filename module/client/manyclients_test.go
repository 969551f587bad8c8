package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/moduletest"
)

// BenchmarkLoadManyClients loads and stops a configuration with many clients,
// whose tokens are on disk.
func BenchmarkLoadManyClients(b *testing.B) {
	for _, n := range []int{100, 2_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var issued atomic.Int64
			tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"access_token":"a%d","token_type":"Bearer","expires_in":3600,"refresh_token":"r%[1]d"}`, issued.Add(1))
			}))
			defer tokens.Close()
			b.Setenv("XDG_DATA_HOME", b.TempDir()) // each configuration has the same refresh tokens
			cfg := moduletest.ManyClients(n, tokens.URL, b.TempDir())
			b.ReportAllocs()
			for b.Loop() {
				if err := caddy.Load(cfg, true); err != nil {
					b.Fatal(err)
				}
				if err := caddy.Stop(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/client")
		})
	}
}
