package module_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// shortLived lets the API accept a token only while it lives, by the server's own
// clock, and counts those that came too late.
func (s *rotating) shortLived(seconds float64) (late func() int) {
	var mu sync.Mutex
	dies := make(map[string]time.Time)
	n := 0
	s.lifetime = seconds
	s.answer = func(http.ResponseWriter) bool { // called with s.mu held, as the token after it is issued
		next := fmt.Sprintf("Bearer access-token-%d-abcdefghij", s.generation+1)
		mu.Lock()
		defer mu.Unlock()
		dies[next] = time.Now().Add(time.Duration(seconds * float64(time.Second)))
		return false
	}
	served := s.handler
	judge := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		end, known := dies[r.Header.Get("Authorization")]
		if !known || time.Now().After(end) {
			n++
		}
		mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body) // Caddy races with itself over a body that is not read
		served(w, r)
	}
	s.handler, s.refuse = judge, judge
	return func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// Fault D4.
func TestARequestThatWaitsForAConnectionTakesTheTokenOfThen(t *testing.T) {
	for _, kind := range []string{"http/1.1", "https with http/1.1", "https with http/2", "h2c", "unix socket"} {
		t.Run(kind, func(t *testing.T) {
			as := newRotating(t)
			as.handler = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					time.Sleep(3 * time.Second)
				}
				fmt.Fprint(w, r.Header.Get("Authorization"))
			}
			late := as.shortLived(2)
			s := newSidecar(t, as)
			options := s.serveOver(kind)
			s.load(s.config("rotation_overlap until_expiry\nallow "+s.allowed(), "transport http {\n"+options+"\nmax_conns_per_host 1\n}"))
			var requests sync.WaitGroup
			for _, path := range []string{"/slow", "/a", "/b", "/c"} {
				requests.Go(func() {
					if res, body := s.do("POST", path, "x"); res.StatusCode != 200 {
						t.Errorf("%s: got %s %s", path, res.Status, body)
					}
				})
				time.Sleep(100 * time.Millisecond) // so that the slow one is the first
			}
			requests.Wait()
			if n := late(); n != 0 {
				t.Errorf("%d requests carried a token that had expired", n)
			}
		})
	}
}

// Fault D4.
func TestARequestWhoseHandshakeIsSlowTakesTheTokenOfThen(t *testing.T) {
	as := newRotating(t)
	late := as.shortLived(2)
	s := newSidecar(t, as)
	options := s.serveOver("https with http/2")
	address := strings.TrimPrefix(as.api.URL, "https://")
	slow := listenAnd(t, func(conn net.Conn) {
		time.Sleep(3 * time.Second)
		to, err := net.Dial("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = to.Close() })
		go pipe(to, conn)
		go pipe(conn, to)
	})
	as.api.URL = "https://" + slow
	s.load(s.config("rotation_overlap until_expiry", "transport http {\n"+options+"\n}"))
	if res, body := s.do("GET", "/", ""); res.StatusCode != 200 {
		t.Errorf("got %s %s", res.Status, body)
	}
	if n := late(); n != 0 {
		t.Errorf("%d requests carried a token that had expired", n)
	}
}

func pipe(to, from net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// Fault D4: without a token nothing is sent, and that is not the upstream's fault.
func TestARequestWhoseTokenExpiresWhileItWaitsIsAnswered503(t *testing.T) {
	for _, kind := range []string{"http/1.1", "https with http/2", "h2c"} {
		t.Run(kind, func(t *testing.T) {
			as := newRotating(t)
			as.handler = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					time.Sleep(3 * time.Second)
				}
			}
			late := as.shortLived(1)
			s := newSidecar(t, as)
			options := s.serveOver(kind)
			s.load(s.config("rotation_overlap until_expiry\nwait 50ms\nallow "+s.allowed(), "fail_duration 1m\ntransport http {\n"+options+"\nmax_conns_per_host 1\n}"))
			eventually(t, "the first token", func() bool { n, _, _ := as.count(); return n > 0 })
			as.mu.Lock()
			as.answer = func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusInternalServerError); return true }
			as.mu.Unlock()
			var requests sync.WaitGroup
			requests.Go(func() { s.do("GET", "/slow", "") })
			time.Sleep(200 * time.Millisecond)
			requests.Go(func() {
				res, body := s.do("POST", "/", "x")
				switch {
				case kind != "http/1.1" && res.StatusCode == 200: // the connection had room for it
				case res.StatusCode != 503, !strings.Contains(body, `"cause":`), res.Header.Get("Retry-After") == "":
					t.Errorf("got %s %v %q", res.Status, res.Header, body)
				}
			})
			requests.Wait()
			if n := late(); n != 0 {
				t.Errorf("%d requests carried a token that had expired", n)
			}
			if log, _ := os.ReadFile(s.log); strings.Contains(string(log), "the upstream gave no answer") {
				t.Error("it is taken for a failure of the upstream")
			}
		})
	}
}
