package module_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// manyClients is a configuration with n clients of one authorization server.
func manyClients(n int, tokens, dir string) []byte {
	clients := make(map[string]any, n)
	for i := range n {
		clients[fmt.Sprintf("client-%06d", i)] = map[string]any{
			"token_endpoint": tokens,
			"client_id":      fmt.Sprintf("id-%06d", i),
			"client_secret":  "secret",
			"refresh_token":  fmt.Sprintf("seed-%06d", i),
			"store":          map[string]any{"kind": "file", "path": filepath.Join(dir, "records")},
		}
	}
	cfg, _ := json.Marshal(map[string]any{
		"admin":   map[string]any{"disabled": true, "config": map[string]any{"persist": false}},
		"logging": map[string]any{"logs": map[string]any{"default": map[string]any{"level": "PANIC"}}},
		"apps":    map[string]any{"oauth2_client": map[string]any{"clients": clients}},
	})
	return cfg
}

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
			cfg := manyClients(n, tokens.URL, b.TempDir())
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
