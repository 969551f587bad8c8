package proxy_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/module/moduletest"
)

// Fault D4.
func TestARequestThatWaitsForAConnectionTakesTheTokenOfThen(t *testing.T) {
	for _, kind := range []string{"http/1.1", "https with http/1.1", "https with http/2", "h2c", "unix socket"} {
		t.Run(kind, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			as.Handler = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					time.Sleep(3 * time.Second)
				}
				fmt.Fprint(w, r.Header.Get("Authorization"))
			}
			late := as.ShortLived(2)
			s := moduletest.NewSidecar(t, as)
			options := s.ServeOver(kind)
			s.Load(s.Config("rotation_overlap until_expiry\nallow "+s.Allowed(), "transport http {\n"+options+"\nmax_conns_per_host 1\n}"))
			var requests sync.WaitGroup
			for _, path := range []string{"/slow", "/a", "/b", "/c"} {
				requests.Go(func() {
					if res, body := s.Do("POST", path, "x"); res.StatusCode != 200 {
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
	as := moduletest.NewRotating(t)
	late := as.ShortLived(2)
	s := moduletest.NewSidecar(t, as)
	options := s.ServeOver("https with http/2")
	address := strings.TrimPrefix(as.API.URL, "https://")
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
	as.API.URL = "https://" + slow
	s.Load(s.Config("rotation_overlap until_expiry", "transport http {\n"+options+"\n}"))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
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
			as := moduletest.NewRotating(t)
			arrived, over := make(chan struct{}), make(chan struct{})
			arrives := sync.OnceFunc(func() { close(arrived) })
			as.Handler = func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					arrives()
					<-over
				}
			}
			late := as.ShortLived(1)
			s := moduletest.NewSidecar(t, as)
			options := s.ServeOver(kind)
			s.Load(s.Config("rotation_overlap until_expiry\nwait 50ms\nallow "+s.Allowed(), "fail_duration 1m\ntransport http {\n"+options+"\nmax_conns_per_host 1\n}"))
			var requests sync.WaitGroup
			moduletest.Eventually(t, "a slow request is on its way", func() bool {
				requests.Go(func() { s.Do("GET", "/slow", "") }) // the first may find no token
				select {
				case <-arrived:
					return true
				case <-time.After(time.Second):
					return false
				}
			})
			as.Lock()
			as.Answer = func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusInternalServerError); return true }
			as.Unlock()
			lastDies := time.Now().Add(time.Second)
			requests.Go(func() {
				res, body := s.Do("POST", "/", "x")
				switch {
				case kind != "http/1.1" && res.StatusCode == 200: // the connection had room for it
				case res.StatusCode != 503, !strings.Contains(body, `"cause":`), res.Header.Get("Retry-After") == "":
					t.Errorf("got %s %v %q", res.Status, res.Header, body)
				}
			})
			time.Sleep(time.Until(lastDies) + time.Second)
			close(over)
			requests.Wait()
			if n := late(); n != 0 {
				t.Errorf("%d requests carried a token that had expired", n)
			}
			if log, _ := os.ReadFile(s.Log); strings.Contains(string(log), "the upstream gave no answer") {
				t.Error("it is taken for a failure of the upstream")
			}
		})
	}
}
