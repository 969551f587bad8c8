package module_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// refuseOnce answers the next request 401 without reading its body, and tells
// when it has.
func (s *rotating) refuseOnce() (refused chan struct{}) {
	refused = make(chan struct{})
	var done atomic.Bool
	s.mu.Lock()
	defer s.mu.Unlock()
	echo := s.handler
	s.handler = func(w http.ResponseWriter, r *http.Request) {
		if !done.CompareAndSwap(false, true) {
			echo(w, r)
			return
		}
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusUnauthorized)
		_ = http.NewResponseController(w).Flush()
		close(refused)
	}
	return refused
}

// sendInTwo sends a chunked request whose second half follows when between is
// done, and returns the answer.
func (s *sidecar) sendInTwo(method, first string, between func(), second string) (*http.Response, string) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "%s /orders HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", method, len(first), first)
	between()
	fmt.Fprintf(conn, "%x\r\n%s\r\n0\r\n\r\n", len(second), second)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, string(body)
}

func TestA401WhileTheBodyIsStillSentIsReplayedWithTheWholeBody(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	s.load(s.config("min_refresh_interval 10ms", ""))
	s.do("GET", "/", "")
	time.Sleep(20 * time.Millisecond) // a forced refresh obeys min_refresh_interval
	refused := as.refuseOnce()
	res, body := s.sendInTwo("PUT", "hello ", func() { <-refused }, "world")
	if res.StatusCode != 200 || !strings.HasSuffix(body, " /orders hello world") {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	if requests, spent, _ := as.count(); requests != 2 || spent != 0 {
		t.Errorf("%d token requests, %d spent", requests, spent)
	}
}

// A caller may wait for an answer to its first half before it sends the second, as
// streams of gRPC do.
func TestA401WhileTheCallerIsSilentIsReplayedWithWhatItSentSoFar(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	s.load(s.config("min_refresh_interval 10ms", ""))
	s.do("GET", "/", "")
	time.Sleep(20 * time.Millisecond) // a forced refresh obeys min_refresh_interval
	replayed, echo := make(chan string, 1), as.handler
	as.handler = func(w http.ResponseWriter, r *http.Request) {
		first := make([]byte, len("hello "))
		n, _ := io.ReadFull(r.Body, first)
		replayed <- string(first[:n])
		echo(w, r)
	}
	refused := as.refuseOnce()
	res, body := s.sendInTwo("PUT", "hello ", func() {
		<-refused
		eventually(t, "a second attempt", func() bool { return len(replayed) > 0 })
		if first := <-replayed; first != "hello " {
			t.Errorf("the second attempt began with %q", first)
		}
	}, "world")
	if res.StatusCode != 200 || !strings.HasSuffix(body, " /orders world") {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
}

func TestA401WhileABodyTooLongToKeepIsStillSentPassesThrough(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	s.load(s.config("replay_buffer 4\nmin_refresh_interval 10ms", ""))
	s.do("GET", "/", "")
	time.Sleep(20 * time.Millisecond)
	refused := as.refuseOnce()
	res, _ := s.sendInTwo("PUT", "hello ", func() { <-refused }, "world")
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d", res.StatusCode)
	}
	// The token was refreshed for the next request.
	eventually(t, "a forced refresh", func() bool { n, _, _ := as.count(); return n == 2 })
	if res, body := s.do("PUT", "/orders", "again"); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestAPOSTThatTheCurrentTokenWasRefusedForIsNotRepeated(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	s.load(s.config("min_refresh_interval 10ms", ""))
	s.do("GET", "/", "")
	time.Sleep(20 * time.Millisecond)
	as.refuseOnce()
	if res, _ := s.do("POST", "/orders", "once"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d", res.StatusCode)
	}
	if res, body := s.do("POST", "/orders", "twice"); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if requests, _, _ := as.count(); requests != 2 {
		t.Errorf("%d token requests", requests)
	}
}

func TestRetriesOfTheLoadBalancerCarryTheTokenAndTheBody(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// It accepts and hangs up: the request may have been written by then.
	go func() {
		for {
			conn, err := dead.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = dead.Close() })
	config := s.config("", "lb_policy first\nlb_try_duration 5s\nlb_try_interval 10ms\nlb_retry_match {\n method PUT\n}\nfail_duration 30s\nrequest_buffers 1MiB")
	config = strings.Replace(config, "upstream_oauth ", "upstream_oauth http://"+dead.Addr().String()+" ", 1)
	s.load(config)
	for range 5 {
		if res, body := s.do("PUT", "/orders", "hello"); res.StatusCode != 200 || !strings.HasSuffix(body, " /orders hello") {
			t.Fatalf("got %d %q", res.StatusCode, body)
		}
	}
	if requests, _, unauthorized := as.count(); requests != 1 || unauthorized != 0 {
		t.Errorf("%d token requests, %d unauthorized", requests, unauthorized)
	}
}

func TestAnUpstreamThatAlwaysSays401DoesNotRotateTheTokenOfAnother(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	strict := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(strict.Close)
	config := s.config("min_refresh_interval 10ms", "")
	config = strings.Replace(config, "upstream_oauth ", fmt.Sprintf(`upstream_oauth /strict %s {
		client erp
	}
	upstream_oauth `, strict.URL), 1)
	settings := config[strings.LastIndex(config, "client erp {")+len("client erp ") : strings.LastIndex(config, "}\n\t\t\n")]
	config = strings.Replace(config, settings+"}", "", 1)
	config = strings.Replace(config, "admin off", "admin off\noauth2_client erp "+settings+"}", 1)
	s.load(config)
	for i := range 1000 {
		if res, _ := s.do("GET", "/strict", ""); res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("request %d: got %d", i, res.StatusCode)
		}
		if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
			t.Fatalf("request %d: got %d %s", i, res.StatusCode, body)
		}
	}
	// Forced at once, and then after pauses of one second, two, four, …
	if requests, spent, _ := as.count(); requests > 8 || spent != 0 {
		t.Errorf("%d token requests, %d spent", requests, spent)
	}
}
