package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"lamplighter/module/moduletest"
)

// behind is the API of a rotating server, with a clock that is behind: it refuses
// access tokens until they are old enough. Fault B8.
type behind struct {
	*moduletest.Rotating
	by time.Duration

	mu     sync.Mutex
	issued map[string]time.Time // by the credentials that requests bring
	seen   []string             // credentials, in their order
}

func newBehind(t *testing.T, by time.Duration) *behind {
	b := &behind{Rotating: moduletest.NewRotating(t), by: by, issued: make(map[string]time.Time)}
	b.Lifetime = 3 // refreshed after 1.05 to 1.2 s
	b.API.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.accepts(r.Header.Get("Authorization")) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.Method, body)
	})
	issue := b.Tokens.Config.Handler
	b.Tokens.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		issue.ServeHTTP(w, r)
		b.Rotating.Lock()
		token := "Bearer " + b.AccessToken
		b.Rotating.Unlock()
		b.mu.Lock()
		b.issued[token] = time.Now()
		b.mu.Unlock()
	})
	return b
}

func (b *behind) accepts(credentials string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, credentials)
	issued, known := b.issued[credentials]
	age := time.Since(issued)
	return known && age >= b.by && age < 4*time.Second
}

// kill ends every access token there is.
func (b *behind) kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = nil
	clear(b.issued)
}

func (b *behind) newest() int {
	b.Rotating.Lock()
	defer b.Rotating.Unlock()
	return b.Generation
}

// brought are the tokens that requests came with since, by generation.
func (b *behind) brought() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []string
	for _, credentials := range b.seen {
		list = append(list, strings.TrimSuffix(strings.TrimPrefix(credentials, "Bearer access-token-"), "-abcdefghij"))
	}
	return strings.Join(list, " ")
}

const overlapping = "rotation_overlap until_expiry\nrefresh_window_ratio 0.6\nmin_refresh_interval 10ms\n"

func TestAnAPIWhoseClockIsBehindFailsNoRequestAndForcesNothing(t *testing.T) {
	as := newBehind(t, 0)
	s := moduletest.NewSidecar(t, as.Rotating)
	s.Load(s.Config(overlapping, ""))
	s.Do("GET", "/", "") // the very first token has no predecessor
	as.mu.Lock()
	as.by = 800 * time.Millisecond
	for token := range as.issued {
		as.issued[token] = as.issued[token].Add(-as.by)
	}
	as.mu.Unlock()
	began, before := time.Now(), as.newest()
	var sent sync.WaitGroup
	for _, method := range []string{"GET", "POST", "PUT"} {
		sent.Go(func() {
			body := ""
			if method != "GET" {
				body = "all of the body"
			}
			for time.Since(began) < 4*time.Second {
				if res, got := s.Do(method, "/", body); res.StatusCode != 200 || got != method+" "+body {
					t.Errorf("%s after %v: %d %q", method, time.Since(began), res.StatusCode, got)
				}
			}
		})
	}
	sent.Wait()
	most := int(time.Since(began)/(1050*time.Millisecond)) + 1
	if n := as.newest() - before; n < 2 || n > most {
		t.Errorf("%d token requests in %v, want those that are due, at most %d", n, time.Since(began), most)
	}
	if !strings.Contains(as.brought(), "3 2 ") {
		t.Error("no young token was refused")
	}
}

// young returns when the second token has just taken the place of the first.
func (b *behind) young(s *moduletest.Sidecar) {
	s.Do("GET", "/", "")
	moduletest.Eventually(s.T, "a refresh", func() bool { return b.newest() == 2 })
	moduletest.Eventually(s.T, "its token in use", func() bool {
		s.Do("GET", "/", "")
		return strings.Contains(b.brought(), "2")
	})
	time.Sleep(20 * time.Millisecond) // a forced refresh obeys min_refresh_interval
}

func TestARequestWhoseTokenAndItsPredecessorAreDeadGetsANewOne(t *testing.T) {
	for method, want := range map[string]int{"GET": 200, "PUT": 200, "POST": 401} {
		t.Run(method, func(t *testing.T) {
			as := newBehind(t, 0)
			s := moduletest.NewSidecar(t, as.Rotating)
			s.Load(s.Config(overlapping, ""))
			as.young(s)
			as.kill()
			body := ""
			if method != "GET" {
				body = "all of the body"
			}
			res, got := s.Do(method, "/", body)
			if res.StatusCode != want || want == 200 && got != method+" "+body {
				t.Errorf("got %d %q", res.StatusCode, got)
			}
			if tokens := as.brought(); want == 200 && tokens != "2 1 3" || want == 401 && tokens != "2 1" {
				t.Errorf("sent with the tokens %s", tokens)
			}
			if n := as.newest(); n != 3 {
				t.Errorf("%d token requests, want one that was forced", n)
			}
		})
	}
}

func TestAPredecessorThatDiedWithTheNewTokenIsNotSent(t *testing.T) {
	as := newBehind(t, 0)
	s := moduletest.NewSidecar(t, as.Rotating)
	s.Load(s.Config(strings.Replace(overlapping, "until_expiry", "none", 1), ""))
	as.young(s)
	as.kill()
	if res, _ := s.Do("GET", "/", ""); res.StatusCode != 200 || as.brought() != "2 3" {
		t.Errorf("got %d, with the tokens %s", res.StatusCode, as.brought())
	}
}

func TestABodyTooLongToKeepIsNotSentWithAPredecessorAndForcesNothing(t *testing.T) {
	as := newBehind(t, 0)
	s := moduletest.NewSidecar(t, as.Rotating)
	s.Load(s.Config(overlapping+"replay_buffer 4", ""))
	as.young(s)
	as.kill()
	if res, _ := s.Do("PUT", "/", "longer"); res.StatusCode != 401 || as.brought() != "2" || as.newest() != 2 {
		t.Errorf("got %d, with the tokens %s of %d", res.StatusCode, as.brought(), as.newest())
	}
}

// What cannot be sent again is sent with the token that an upstream has accepted, once
// one has shown that its clock is behind.
func TestABodyThatIsNotKeptMeetsNoTokenThatIsTooYoung(t *testing.T) {
	as := newBehind(t, 0)
	s := moduletest.NewSidecar(t, as.Rotating)
	s.Load(s.Config(overlapping+"replay_buffer 1KiB\n", ""))
	s.Do("GET", "/", "")
	as.mu.Lock()
	as.by = 800 * time.Millisecond
	for token := range as.issued {
		as.issued[token] = as.issued[token].Add(-as.by)
	}
	as.mu.Unlock()
	refused := func() (n int) {
		as.mu.Lock()
		defer as.mu.Unlock()
		for _, credentials := range as.seen {
			if issued, known := as.issued[credentials]; known && time.Since(issued) < as.by {
				n++
			}
		}
		return n
	}
	moduletest.Eventually(t, "a young token is refused", func() bool {
		if res, _ := s.Do("GET", "/", ""); res.StatusCode != 200 {
			t.Errorf("got %d", res.StatusCode)
		}
		return refused() > 0
	})
	began, before, long := time.Now(), as.newest(), strings.Repeat("all of the body ", 10_000)
	for as.newest() < before+2 && time.Since(began) < 20*time.Second {
		if res, got := s.Do("PUT", "/", long); res.StatusCode != 200 || got != "PUT "+long {
			t.Fatalf("after %v: %d %.50q", time.Since(began), res.StatusCode, got)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if as.newest() < before+2 {
		t.Error("no token was replaced meanwhile")
	}
}
