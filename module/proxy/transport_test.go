package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"lamplighter/module/moduletest"
)

func TestRequestsReachTheUpstreamWithATokenAndItsOwnHost(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("", ""))
	host := strings.TrimPrefix(as.API.URL, "http://")

	res, body := s.Do("GET", "/orders?page=2&access_token=evil", "", "Authorization", "Bearer evil", "Connection", "close, Authorization")
	if res.StatusCode != 200 || body != "GET "+host+" /orders?page=2 " {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	res, body = s.Do("POST", "/orders", "hello")
	if res.StatusCode != 200 || body != "POST "+host+" /orders hello" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	if requests, spent, unauthorized := as.Count(); requests != 1 || spent != 0 || unauthorized != 0 {
		t.Errorf("%d token requests, %d spent refresh tokens, %d unauthorized", requests, spent, unauthorized)
	}
}

func TestFirstTokenThatIsLateIsExplained(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Answer = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("wait 50ms", ""))
	moduletest.Eventually(t, "a failed token request", func() bool { n, _, _ := as.Count(); return n > 0 })
	res, body := s.Do("GET", "/", "")
	if res.StatusCode != 503 || res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
	if status := res.Header.Get("Proxy-Status"); !strings.HasPrefix(status, "lamplighter; error=") {
		t.Errorf("Proxy-Status %q", status)
	}
	var problem struct {
		Status                        int
		Client, Cause, Detail, Remedy string
	}
	if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Client != "erp" || problem.Status != 503 || problem.Cause == "" || problem.Detail == "" || problem.Remedy == "" {
		t.Errorf("problem %s: %v", body, err)
	}

	// It comes after all: requests that wait for it are answered.
	as.Lock()
	as.Answer = nil
	as.Unlock()
	s.Load(s.Config("wait 15s", ""))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestHealthChecksCarryTheToken(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	checked := make(chan string, 100)
	as.Handler = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			select {
			case checked <- r.Host:
			default:
			}
		}
	}
	s.Load(s.Config("", "health_uri /health\nhealth_interval 20ms"))
	for range 3 {
		select {
		case <-checked:
		case <-time.After(10 * time.Second):
			t.Fatal("no health check with a token arrived")
		}
	}
	if _, _, unauthorized := as.Count(); unauthorized != 0 {
		t.Errorf("%d health checks without a token", unauthorized)
	}
}

func TestUpstreamIsNotMarkedDownByHealthChecksBeforeTheFirstToken(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Answer = func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusInternalServerError); return true }
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("wait 15s", "health_uri /health\nhealth_interval 20ms\nhealth_timeout 50ms\nhealth_status 2xx"))
	moduletest.Eventually(t, "failed token requests", func() bool { n, _, _ := as.Count(); return n > 1 })
	if _, _, unauthorized := as.Count(); unauthorized != 0 {
		t.Errorf("%d requests without a token", unauthorized)
	}
	as.Lock()
	as.Answer = nil
	as.Unlock()
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestWebSocketPassesWithATokenAtItsHandshake(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	as.Handler = func(w http.ResponseWriter, r *http.Request) { echo(t, w, r) }
	s.Load(s.Config("", ""))
	conn, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	reply := make([]byte, 0, 4096)
	for !strings.Contains(string(reply), "\r\n\r\n") {
		part := make([]byte, 1024)
		n, err := conn.Read(part)
		if err != nil {
			t.Fatalf("%v after %q", err, reply)
		}
		reply = append(reply, part[:n]...)
	}
	if !strings.HasPrefix(string(reply), "HTTP/1.1 101 ") {
		t.Fatalf("got %q", reply)
	}
	if _, err := io.WriteString(conn, "ping"); err != nil {
		t.Fatal(err)
	}
	echo := make([]byte, 4)
	if _, err := io.ReadFull(conn, echo); err != nil || string(echo) != "ping" {
		t.Errorf("echo %q, %v", echo, err)
	}
}

func TestAnUpstreamThatAlwaysSays401CostsOneForcedRefresh(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Handler = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("min_refresh_interval 10ms", ""))
	for i := range 1000 {
		if res, body := s.Do("GET", "/", ""); res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("request %d: got %d %s", i, res.StatusCode, body)
		}
	}
	if requests, spent, _ := as.Count(); requests != 2 || spent != 0 {
		t.Errorf("%d token requests, want the first and a forced one; %d spent", requests, spent)
	}
}

func TestABodyLargerThanTheReplayBufferStreamsThrough(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Handler = func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprint(w, n, " ", err, " ", r.Header.Get("Expect"))
		w.Header().Set("X-Sum", fmt.Sprint(n))
	}
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("replay_buffer 1KiB", ""))
	const size = 1 << 20
	for name, length := range map[string]int64{"with a length": size, "chunked": -1} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.Address+"/", io.LimitReader(zeros{}, size))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		req.Header.Set("Expect", "100-continue")
		res, err := (&http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: 5 * time.Second}).RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 || !strings.HasPrefix(string(body), fmt.Sprint(size, " <nil>")) || res.Trailer.Get("X-Sum") != fmt.Sprint(size) {
			t.Errorf("%s: got %d %s, trailer %v, %v", name, res.StatusCode, body, res.Trailer, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
