package rig

import (
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Rotating is an authorization server that replaces the refresh token with each refresh, and
// the API that its access tokens are for. It fails a test in which a spent one is presented.
type Rotating struct {
	*httptest.Server
	API *httptest.Server

	// Lenient says that an access token lives until it expires, and not until the next one is
	// issued.
	Lenient bool
	// Seed is the first refresh token.
	Seed string

	lifetime time.Duration // of an access token
	size     int           // of an access token, if it is large

	mu      sync.Mutex
	away    bool // no token request is answered
	refresh string
	access  []issued
	spent   int // refresh tokens that were presented again
	seen    Seen
}

type issued struct {
	token   string
	expires time.Time
}

// Seen is what the API was sent.
type Seen struct {
	Accepted []int // requests with each of the access tokens, in their order
	Replaced int   // requests that it refused, with the token before the newest one
	Refused  int   // and with any other, or none
}

// StartRotating starts both. Access tokens live so long, and are that large if size is not 0.
func StartRotating(t *testing.T, lenient bool, lifetime time.Duration, size int) *Rotating {
	t.Helper()
	s := &Rotating{Lenient: lenient, lifetime: lifetime, size: size, Seed: rand.Text()}
	s.refresh = s.Seed
	s.Server = httptest.NewServer(http.HandlerFunc(s.serveToken))
	s.API = httptest.NewServer(http.HandlerFunc(s.serveAPI))
	t.Cleanup(func() {
		s.Close()
		s.API.Close()
		if s.spent > 0 {
			t.Errorf("%d spent refresh tokens were presented", s.spent)
		}
	})
	return s
}

// Overlap is what a client has to be told of it.
func (s *Rotating) Overlap() string {
	if s.Lenient {
		return "until_expiry"
	}
	return "none"
}

func (s *Rotating) serveToken(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if s.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.FormValue("refresh_token") != s.refresh {
		s.spent++
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	s.refresh = rand.Text()
	token := rand.Text() + strings.Repeat("x", max(0, s.size-26))
	s.access = append(s.access, issued{token, time.Now().Add(s.lifetime)})
	s.seen.Accepted = append(s.seen.Accepted, 0)
	fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%v,"refresh_token":%q}`, token, s.lifetime.Seconds(), s.refresh)
}

// serveAPI echoes what it is sent with a token that it accepts. A path below /status is
// answered with that status, /metrics with one for Prometheus, /headers with the headers of
// the query, and TRACE with what it was sent.
func (s *Rotating) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !s.accepts(r) {
		w.Header().Set("Www-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "the access token is not valid", http.StatusUnauthorized)
		return
	}
	if r.URL.Path == "/metrics" {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, "orders_total 1\n")
		return
	}
	if strings.EqualFold(r.Method, http.MethodTrace) || strings.EqualFold(r.Method, "TRACK") { // RFC 9110 section 9.3.8
		w.Header().Set("Content-Type", "message/http")
		_ = r.Write(w)
		return
	}
	if r.URL.Path == "/headers" {
		maps.Copy(w.Header(), r.URL.Query())
	}
	status := http.StatusOK
	if _, err := fmt.Sscanf(r.URL.Path, "/status/%d", &status); err == nil {
		w.WriteHeader(status)
	}
	fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
}

func (s *Rotating) accepts(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	credentials, newest := r.Header.Values("Authorization"), len(s.access)-1
	which := newest
	for which >= 0 && (len(credentials) != 1 || credentials[0] != "Bearer "+s.access[which].token) {
		which--
	}
	if which >= 0 && (s.Lenient || which == newest) && time.Now().Before(s.access[which].expires) {
		s.seen.Accepted[which]++
		return true
	}
	if which >= 0 && which == newest-1 {
		s.seen.Replaced++
	} else {
		s.seen.Refused++
	}
	return false
}

// Seen returns what the API was sent so far.
func (s *Rotating) Seen() Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	seen.Accepted = append([]int(nil), seen.Accepted...)
	return seen
}

// Rotations is how many access tokens there were.
func (s *Rotating) Rotations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.access)
}

// Tokens are all access tokens that there were.
func (s *Rotating) Tokens() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.access {
		list = append(list, a.token)
	}
	return list
}

// Kill ends every access token there is, as a log-in elsewhere does.
func (s *Rotating) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.access {
		s.access[i].expires = time.Now()
	}
}

// SetAway lets no token request be answered.
func (s *Rotating) SetAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}
