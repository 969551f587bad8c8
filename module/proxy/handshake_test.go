package proxy_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"lamplighter/module/moduletest"
)

func TestAHandshakeThatMeetsADeadTokenIsReplayed(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	as.Handler = func(w http.ResponseWriter, r *http.Request) { echo(t, w, r) }
	s.Load(s.Config("min_refresh_interval 10ms", ""))
	if res := s.Handshake("GET", "echo", ""); res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %s", res.Status)
	}
	time.Sleep(20 * time.Millisecond) // a forced refresh obeys min_refresh_interval
	as.KillToken()
	if res := s.Handshake("GET", "echo", ""); res.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("got %s, want the handshake replayed", res.Status)
	}
	if _, spent, unauthorized := as.Count(); spent != 0 || unauthorized != 1 {
		t.Errorf("%d spent refresh tokens, %d answers 401, want 0 and 1", spent, unauthorized)
	}
}

func TestAnOfferOfH2CIsNoReasonToFail(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("min_refresh_interval 10ms", ""))
	if res := s.Handshake("PUT", "h2c", "hello"); res.StatusCode != http.StatusOK {
		t.Fatalf("got %s", res.Status)
	}
	time.Sleep(20 * time.Millisecond)
	as.KillToken()
	if res := s.Handshake("PUT", "h2c", "hello"); res.StatusCode != http.StatusOK {
		t.Errorf("got %s, want the request replayed", res.Status)
	}
}

func TestTheHoldOfARotationDoesNotCountAgainstTheUpstream(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Lifetime = 3
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("min_refresh_interval 10ms", "fail_duration 1m\nmax_fails 1\nunhealthy_latency 500ms"))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != http.StatusOK {
		t.Fatalf("got %s %s", res.Status, body)
	}
	asked := make(chan struct{}, 100)
	as.Lock()
	as.Answer = func(http.ResponseWriter) bool {
		asked <- struct{}{}
		time.Sleep(time.Second)
		return false
	}
	as.Unlock()
	select {
	case <-asked: // the rotation begins, and with it the hold
	case <-time.After(15 * time.Second):
		t.Fatal("there was no rotation")
	}
	answers := make(chan string, 4)
	for range cap(answers) {
		go func() {
			res, body := s.Do("GET", "/", "")
			answers <- fmt.Sprint(res.StatusCode, " ", body)
		}()
	}
	for range cap(answers) {
		if got := <-answers; got[:3] != "200" {
			t.Errorf("got %s", got)
		}
	}
}
