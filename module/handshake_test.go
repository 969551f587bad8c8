package module_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// handshake sends a request that offers an upgrade, and returns its answer.
func (s *sidecar) handshake(method, upgrade, body string) *http.Response {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "%s /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: %s\r\nContent-Length: %d\r\n\r\n%s", method, upgrade, len(body), body)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}

// killToken lets the current access token die, as a rotation does that somebody
// else brought about a moment ago.
func (s *rotating) killToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accessToken = "nobody has it"
}

func TestAHandshakeThatMeetsADeadTokenIsReplayed(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	as.handler = func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		_ = rw.Flush()
	}
	s.load(s.config("min_refresh_interval 10ms", ""))
	if res := s.handshake("GET", "echo", ""); res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %s", res.Status)
	}
	time.Sleep(20 * time.Millisecond) // a forced refresh obeys min_refresh_interval
	as.killToken()
	if res := s.handshake("GET", "echo", ""); res.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("got %s, want the handshake replayed", res.Status)
	}
	if _, spent, unauthorized := as.count(); spent != 0 || unauthorized != 1 {
		t.Errorf("%d spent refresh tokens, %d answers 401, want 0 and 1", spent, unauthorized)
	}
}

func TestAnOfferOfH2CIsNoReasonToFail(t *testing.T) {
	as := newRotating(t)
	s := newSidecar(t, as)
	s.load(s.config("min_refresh_interval 10ms", ""))
	if res := s.handshake("PUT", "h2c", "hello"); res.StatusCode != http.StatusOK {
		t.Fatalf("got %s", res.Status)
	}
	time.Sleep(20 * time.Millisecond)
	as.killToken()
	if res := s.handshake("PUT", "h2c", "hello"); res.StatusCode != http.StatusOK {
		t.Errorf("got %s, want the request replayed", res.Status)
	}
}

func TestTheHoldOfARotationDoesNotCountAgainstTheUpstream(t *testing.T) {
	as := newRotating(t)
	as.lifetime = 3
	s := newSidecar(t, as)
	s.load(s.config("min_refresh_interval 10ms", "fail_duration 1m\nmax_fails 1\nunhealthy_latency 500ms"))
	if res, body := s.do("GET", "/", ""); res.StatusCode != http.StatusOK {
		t.Fatalf("got %s %s", res.Status, body)
	}
	asked := make(chan struct{}, 100)
	as.mu.Lock()
	as.answer = func(http.ResponseWriter) bool {
		asked <- struct{}{}
		time.Sleep(time.Second)
		return false
	}
	as.mu.Unlock()
	select {
	case <-asked: // the rotation begins, and with it the hold
	case <-time.After(15 * time.Second):
		t.Fatal("there was no rotation")
	}
	answers := make(chan string, 4)
	for range cap(answers) {
		go func() {
			res, body := s.do("GET", "/", "")
			answers <- fmt.Sprint(res.StatusCode, " ", body)
		}()
	}
	for range cap(answers) {
		if got := <-answers; got[:3] != "200" {
			t.Errorf("got %s", got)
		}
	}
}
