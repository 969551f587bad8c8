package module_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/moduletest"
)

// busyServer answers token requests when it is let, and counts them.
type busyServer struct {
	*httptest.Server
	let chan struct{}

	mu      sync.Mutex
	asking  int
	busiest int
	asked   []string
}

func newBusyServer(t *testing.T) *busyServer {
	t.Setenv("XDG_DATA_HOME", t.TempDir()) // each configuration has the same refresh tokens
	s := &busyServer{let: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _, _ := r.BasicAuth()
		s.mu.Lock()
		s.asking++
		s.busiest = max(s.busiest, s.asking)
		s.asked = append(s.asked, id)
		s.mu.Unlock()
		<-s.let
		s.mu.Lock()
		s.asking--
		s.mu.Unlock()
		fmt.Fprint(w, `{"access_token":"token-of-`+id+`","token_type":"Bearer","expires_in":3600,"refresh_token":"next"}`)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *busyServer) requests() (asking, busiest, asked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asking, s.busiest, len(s.asked)
}

func TestTokenRequestsOfManyClientsGoInTurns(t *testing.T) {
	for name, set := range map[string]func(cfg map[string]any){
		"of the app": func(cfg map[string]any) {
			cfg["apps"].(map[string]any)["oauth2_client"].(map[string]any)["max_concurrent_refreshes"] = 3
		},
		"of the global option": func(cfg map[string]any) {
			cfg["apps"].(map[string]any)["oauth2_client_limits"] = map[string]any{"max_concurrent_refreshes": 3}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newBusyServer(t)
			cfg := make(map[string]any)
			if err := json.Unmarshal(moduletest.ManyClients(20, server.URL, t.TempDir()), &cfg); err != nil {
				t.Fatal(err)
			}
			set(cfg)
			loadJSON(t, cfg)
			moduletest.Eventually(t, "three ask", func() bool { asking, _, _ := server.requests(); return asking == 3 })
			close(server.let)
			moduletest.Eventually(t, "all have asked", func() bool { _, _, asked := server.requests(); return asked == 20 })
			if _, busiest, _ := server.requests(); busiest != 3 {
				t.Errorf("%d asked at a time, want 3", busiest)
			}
		})
	}
}

func TestNegativeLimitIsRefused(t *testing.T) {
	err := caddy.Validate(&caddy.Config{AppsRaw: caddy.ModuleMap{
		"oauth2_client": json.RawMessage(`{"max_concurrent_refreshes": -1}`),
	}})
	if err == nil || !strings.Contains(err.Error(), "max_concurrent_refreshes") {
		t.Errorf("error %v", err)
	}
}

func loadJSON(t *testing.T, cfg map[string]any) {
	t.Helper()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(text, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
}
