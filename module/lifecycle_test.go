package module_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/goleak"

	"lamplighter/module/moduletest"
)

func TestRestartGoesOnWithTheRecordAndNotWithTheSeed(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Lifetime = 3 // refreshed after about two seconds
	s := moduletest.NewSidecar(t, as)
	for range 3 {
		s.Load(s.Config("", ""))
		before, _, _ := as.Count()
		moduletest.Eventually(t, "a refresh", func() bool { n, _, _ := as.Count(); return n > before })
		if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if _, spent, unauthorized := as.Count(); spent != 0 || unauthorized != 0 {
		t.Errorf("%d spent refresh tokens presented, %d unauthorized requests", spent, unauthorized)
	}
}

func TestReloadsCostNoTokenRequest(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	before := goleak.IgnoreCurrent()
	for i := range 100 {
		s.Load(s.Config(fmt.Sprintf("wait %ds", i+1), ""))
		if i%10 == 0 {
			if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
				t.Fatalf("got %d %s", res.StatusCode, body)
			}
		}
	}
	if requests, spent, _ := as.Count(); requests != 1 || spent != 0 {
		t.Errorf("%d token requests, %d spent refresh tokens", requests, spent)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	as.Tokens.Close()
	as.API.Close()
	// Caddy's own: a log file's roller, and a lock of CertMagic's that ends within
	// seconds.
	goleak.VerifyNone(t, before,
		goleak.IgnoreAnyFunction("github.com/DeRuina/timberjack.(*Logger).millRun"),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh"))
}

func TestConfigurationThatFailsLeavesTheRunningOneAlone(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("", ""))
	s.Do("GET", "/", "")
	// The same client, and a second server that cannot listen.
	broken := s.Config("wait 1s", "") + "\nhttp://:1 {\n\tbind 192.0.2.1\n}\n"
	if err := caddy.Load(moduletest.Adapt(t, broken), true); err == nil {
		t.Fatal("the broken configuration was loaded")
	}
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if requests, _, _ := as.Count(); requests != 1 {
		t.Errorf("%d token requests", requests)
	}
}

func TestValidateMakesNoCallAndWritesNothing(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	called := make(chan struct{}, 100)
	as.Handler = func(http.ResponseWriter, *http.Request) { called <- struct{}{} }
	config := strings.Replace(s.Config("", "health_uri /health\nhealth_interval 20ms\nhealth_timeout 100ms"), "output file "+s.Dir+"/log", "output discard", 1)
	var cfg caddy.Config
	if err := json.Unmarshal(moduletest.Adapt(t, config), &cfg); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&cfg); err != nil {
		t.Fatal(err)
	}
	if requests, _, unauthorized := as.Count(); requests != 0 || unauthorized != 0 || len(called) != 0 {
		t.Errorf("%d token requests, %d+%d API requests", requests, unauthorized, len(called))
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "data")); !os.IsNotExist(err) {
		t.Errorf("the data directory was made: %v", err)
	}
}

func TestNothingSecretIsLoggedAtDebugLevel(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Lifetime = 3
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("", ""))
	s.Do("GET", "/a", "")
	moduletest.Eventually(t, "a refresh", func() bool { n, _, _ := as.Count(); return n > 1 })
	s.Do("GET", "/b", "")
	as.Tokens.Close()
	moduletest.Eventually(t, "a failed refresh in the log", func() bool {
		log, _ := os.ReadFile(s.Log)
		return strings.Contains(string(log), "token request failed")
	})
	log, err := os.ReadFile(s.Log)
	if err != nil || !strings.Contains(string(log), `"level":"debug"`) || !strings.Contains(string(log), "upstream roundtrip") {
		t.Fatalf("there is no debug log: %v", err)
	}
	as.Lock()
	defer as.Unlock()
	for _, secret := range append(as.Everything, "client_secret=", "oG4%2Bq") {
		if strings.Contains(string(log), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
