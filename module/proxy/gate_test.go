package proxy_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/moduletest"
)

func TestPassiveHealthChecksDoNotCountAnswersOfOurOwn(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Answer = func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusInternalServerError); return true }
	s := moduletest.NewSidecar(t, as)
	passive := "fail_duration 1m\nmax_fails 1\nunhealthy_status 5xx\nunhealthy_latency 3s"
	s.Load(s.Config("wait 50ms", passive))
	moduletest.Eventually(t, "a failed token request", func() bool { n, _, _ := as.Count(); return n > 0 })
	for range 5 {
		res, body := s.Do("GET", "/", "")
		if res.StatusCode != 503 || res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("Retry-After") == "" {
			t.Fatalf("got %d %v %s", res.StatusCode, res.Header, body)
		}
	}

	// The token comes, and the upstream is still up.
	as.Lock()
	as.Answer = nil
	as.Unlock()
	s.Load(s.Config("wait 15s", passive))
	for range 3 {
		if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
	}
}

func TestPassiveHealthChecksThatWouldCountOurAnswersAreWarnedAbout(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	plain := strings.Replace(s.Config("", ""), "upstream_oauth "+as.API.URL, "reverse_proxy "+as.API.URL, 1)
	client := plain[strings.Index(plain, "client erp {"):strings.Index(plain, "}\n\t\t\n")]
	plain = strings.Replace(plain, client+"}", "transport oauth2 erp\nfail_duration 1m\nunhealthy_status 5xx", 1)
	plain = strings.Replace(plain, "admin off", "admin off\noauth2_client erp {"+strings.TrimPrefix(client, "client erp {")+"}", 1)
	s.Load(plain)
	log, err := os.ReadFile(s.Log)
	if err != nil || !strings.Contains(string(log), "unhealthy_status") || !strings.Contains(string(log), "upstream_oauth") {
		t.Errorf("no warning: %v\n%s", err, log)
	}
}

func TestACallerThatGoesAwayWhileItWaitsIsFreed(t *testing.T) {
	as := moduletest.NewRotating(t)
	release := make(chan struct{})
	defer close(release)
	as.Answer = func(http.ResponseWriter) bool { <-release; return true }
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("wait 15s", ""))
	client := &http.Client{Timeout: 200 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	if res, err := client.Get("http://" + s.Address + "/"); err == nil {
		res.Body.Close()
		t.Fatalf("got %d", res.StatusCode)
	}
	// The request is gone: the server's shutdown does not wait for it.
	began := time.Now()
	as.Tokens.CloseClientConnections()
	if err := caddy.Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the shutdown took %v", took)
	}
}

func TestAGateForAClientThatIsNotDeclaredDoesNotStart(t *testing.T) {
	moduletest.NewSidecar(t, moduletest.NewRotating(t))
	err := caddy.Load([]byte(`{
		"admin": {"disabled": true},
		"apps": {"http": {"servers": {"s": {"listen": ["127.0.0.1:0"], "routes": [
			{"handle": [{"handler": "oauth2_gate", "client": "crm"}]}
		]}}}}}`), true)
	if err == nil || !strings.Contains(err.Error(), "client crm is not declared") || !strings.Contains(err.Error(), "oauth2_client crm") {
		t.Errorf("got %v", err)
	}
}
