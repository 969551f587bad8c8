package proxy_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"lamplighter/module/moduletest"
)

func TestA401WhileTheBodyIsStillSentIsReplayedWithTheWholeBody(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("min_refresh_interval 10ms", ""))
	s.Do("GET", "/", "")
	time.Sleep(20 * time.Millisecond) // a forced refresh obeys min_refresh_interval
	refused := as.RefuseOnce()
	res, body := s.SendInTwo("PUT", "hello ", func() { <-refused }, "world")
	if res.StatusCode != 200 || !strings.HasSuffix(body, " /orders hello world") {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	if requests, spent, _ := as.Count(); requests != 2 || spent != 0 {
		t.Errorf("%d token requests, %d spent", requests, spent)
	}
}

// A caller may wait for an answer to its first half before it sends the second, as
// streams of gRPC do.
func TestA401WhileTheCallerIsSilentIsReplayedWithWhatItSentSoFar(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("min_refresh_interval 10ms", ""))
	s.Do("GET", "/", "")
	time.Sleep(20 * time.Millisecond) // a forced refresh obeys min_refresh_interval
	replayed, echo := make(chan string, 1), as.Handler
	as.Handler = func(w http.ResponseWriter, r *http.Request) {
		first := make([]byte, len("hello "))
		n, _ := io.ReadFull(r.Body, first)
		replayed <- string(first[:n])
		echo(w, r)
	}
	refused := as.RefuseOnce()
	res, body := s.SendInTwo("PUT", "hello ", func() {
		<-refused
		moduletest.Eventually(t, "a second attempt", func() bool { return len(replayed) > 0 })
		if first := <-replayed; first != "hello " {
			t.Errorf("the second attempt began with %q", first)
		}
	}, "world")
	if res.StatusCode != 200 || !strings.HasSuffix(body, " /orders world") {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
}

func TestA401WhileABodyTooLongToKeepIsStillSentPassesThrough(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("replay_buffer 4\nmin_refresh_interval 10ms", ""))
	s.Do("GET", "/", "")
	time.Sleep(20 * time.Millisecond)
	refused := as.RefuseOnce()
	res, _ := s.SendInTwo("PUT", "hello ", func() { <-refused }, "world")
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d", res.StatusCode)
	}
	// The token was refreshed for the next request.
	moduletest.Eventually(t, "a forced refresh", func() bool { n, _, _ := as.Count(); return n == 2 })
	if res, body := s.Do("PUT", "/orders", "again"); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestAPOSTThatTheCurrentTokenWasRefusedForIsNotRepeated(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("min_refresh_interval 10ms", ""))
	s.Do("GET", "/", "")
	time.Sleep(20 * time.Millisecond)
	as.RefuseOnce()
	if res, _ := s.Do("POST", "/orders", "once"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d", res.StatusCode)
	}
	if res, body := s.Do("POST", "/orders", "twice"); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if requests, _, _ := as.Count(); requests != 2 {
		t.Errorf("%d token requests", requests)
	}
}

func TestRetriesOfTheLoadBalancerCarryTheTokenAndTheBody(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
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
	config := s.Config("", "lb_policy first\nlb_try_duration 5s\nlb_try_interval 10ms\nlb_retry_match {\n method PUT\n}\nfail_duration 30s\nrequest_buffers 1MiB")
	config = strings.Replace(config, "upstream_oauth ", "upstream_oauth http://"+dead.Addr().String()+" ", 1)
	s.Load(config)
	for range 5 {
		if res, body := s.Do("PUT", "/orders", "hello"); res.StatusCode != 200 || !strings.HasSuffix(body, " /orders hello") {
			t.Fatalf("got %d %q", res.StatusCode, body)
		}
	}
	if requests, _, unauthorized := as.Count(); requests != 1 || unauthorized != 0 {
		t.Errorf("%d token requests, %d unauthorized", requests, unauthorized)
	}
}

func TestAnUpstreamThatAlwaysSays401DoesNotRotateTheTokenOfAnother(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	strict := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(strict.Close)
	config := s.Config("min_refresh_interval 10ms", "")
	config = strings.Replace(config, "upstream_oauth ", fmt.Sprintf(`upstream_oauth /strict %s {
		client erp
	}
	upstream_oauth `, strict.URL), 1)
	settings := config[strings.LastIndex(config, "client erp {")+len("client erp ") : strings.LastIndex(config, "}\n\t\t\n")]
	config = strings.Replace(config, settings+"}", "", 1)
	config = strings.Replace(config, "admin off", "admin off\noauth2_client erp "+settings+"}", 1)
	s.Load(config)
	for i := range 1000 {
		if res, _ := s.Do("GET", "/strict", ""); res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("request %d: got %d", i, res.StatusCode)
		}
		if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
			t.Fatalf("request %d: got %d %s", i, res.StatusCode, body)
		}
	}
	// Forced at once, and then after pauses of one second, two, four, …
	if requests, spent, _ := as.Count(); requests > 8 || spent != 0 {
		t.Errorf("%d token requests, %d spent", requests, spent)
	}
}
