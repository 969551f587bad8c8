package moduletest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Rotating is an authorization server with EIAM's rules and no grace, and the
// API that accepts its current access token.
type Rotating struct {
	Tokens *httptest.Server
	API    *httptest.Server

	sync.Mutex   // for what follows
	RefreshToken string
	AccessToken  string
	Generation   int
	requests     int
	spent        int // refresh tokens presented that were not the current one
	unauthorized int
	Lifetime     float64
	Answer       func(w http.ResponseWriter) bool // answers a token request instead, if it returns true
	Everything   []string                         // every secret there ever was
	Handler      http.HandlerFunc                 // serves authorized requests
	Refuse       http.HandlerFunc                 // answers others in place of a 401
}

// What the client of Sidecar.Config is called, and its secrets.
const (
	ClientID          = "cid-0123456789"
	clientSecret      = "oG4+q/x=&%25 é"
	firstRefreshToken = "seed-refresh-token-0123456789"
)

// NewRotating starts both, until the test ends.
func NewRotating(t *testing.T) *Rotating {
	s := &Rotating{RefreshToken: firstRefreshToken, Lifetime: 3600, Everything: []string{clientSecret, firstRefreshToken}}
	s.Handler = func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.URL.RequestURI(), body)
	}
	s.Tokens = httptest.NewServer(http.HandlerFunc(s.serveToken))
	s.API = httptest.NewServer(http.HandlerFunc(s.ServeAPI))
	t.Cleanup(s.Tokens.Close)
	t.Cleanup(s.API.Close)
	return s
}

func (s *Rotating) serveToken(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	s.requests++
	q := r.URL.Query()
	if s.Answer != nil && s.Answer(w) {
		return
	}
	if q.Get("client_id") != ClientID || q.Get("client_secret") != clientSecret {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_request","error_description":"invalid client"}`)
		return
	}
	if q.Get("refresh_token") != s.RefreshToken {
		s.spent++
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":"invalid_request","error_description":"invalid_token"}`)
		return
	}
	s.Generation++
	s.RefreshToken = fmt.Sprintf("refresh-token-%d-abcdefghij", s.Generation)
	s.AccessToken = fmt.Sprintf("access-token-%d-abcdefghij", s.Generation)
	s.Everything = append(s.Everything, s.RefreshToken, s.AccessToken)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": s.AccessToken, "refresh_token": s.RefreshToken, "id_token": "id", "expires_in": s.Lifetime,
	})
}

// ServeAPI is the handler of the API.
func (s *Rotating) ServeAPI(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	values := r.Header.Values("Authorization")
	ok := len(values) == 1 && values[0] == "Bearer "+s.AccessToken
	if !ok {
		s.unauthorized++
	}
	handler, refuse := s.Handler, s.Refuse
	s.Unlock()
	if !ok && refuse != nil {
		refuse(w, r)
		return
	}
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	handler(w, r)
}

// Count returns how many token requests there were, how many of them with a spent
// refresh token, and how many requests to the API without the current access token.
func (s *Rotating) Count() (requests, spent, unauthorized int) {
	s.Lock()
	defer s.Unlock()
	return s.requests, s.spent, s.unauthorized
}

// KillToken lets the current access token die, as a rotation does that somebody
// else brought about a moment ago.
func (s *Rotating) KillToken() {
	s.Lock()
	defer s.Unlock()
	s.AccessToken = "nobody has it"
}

// onItsWay is how long a request may be, on a machine that is busy, between the moment in which
// its token was chosen and the API. Who kept a token for longer has not looked.
const onItsWay = 500 * time.Millisecond

// ShortLived counts requests whose token was dead, by the server's own clock, before they
// were on their way.
func (s *Rotating) ShortLived(seconds float64) (late func() int) {
	var mu sync.Mutex
	dies := make(map[string]time.Time)
	n := 0
	s.Lifetime = seconds
	s.Answer = func(http.ResponseWriter) bool { // called with s.mu held, as the token after it is issued
		next := fmt.Sprintf("Bearer access-token-%d-abcdefghij", s.Generation+1)
		mu.Lock()
		defer mu.Unlock()
		dies[next] = time.Now().Add(time.Duration(seconds * float64(time.Second)))
		return false
	}
	served := s.Handler
	judge := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		end, known := dies[r.Header.Get("Authorization")]
		if !known || time.Since(end) > onItsWay {
			n++
		}
		mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body) // Caddy races with itself over a body that is not read
		served(w, r)
	}
	s.Handler, s.Refuse = judge, judge
	return func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// RefuseOnce answers the next request 401 without reading its body, and tells
// when it has.
func (s *Rotating) RefuseOnce() (refused chan struct{}) {
	refused = make(chan struct{})
	var done atomic.Bool
	s.Lock()
	defer s.Unlock()
	echo := s.Handler
	s.Handler = func(w http.ResponseWriter, r *http.Request) {
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

// Echoing is an API that answers with everything that it got.
func Echoing(t *testing.T) *Rotating {
	as := NewRotating(t)
	as.Handler = func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s\n%v\n%s\ntrailer %v", r.Method, r.URL, r.Header, body, r.Trailer)
	}
	return as
}
