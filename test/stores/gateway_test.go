package stores

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

const replicaHeader = "X-Replica"

// gateway stands before the authorization server. It knows which replica asks, and when
// the server has done what it was asked.
type gateway struct {
	url  string
	mu   sync.Mutex
	log  []asking
	next func(replica string) (forward bool) // called once, as soon as somebody asks
}

// asking is one token request.
type asking struct {
	replica      string
	begun, ended time.Time // the server has answered
	status       int       // 0 if it was not forwarded
}

func newGateway(t *testing.T, upstream string) *gateway {
	t.Helper()
	to, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	g := new(gateway)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorLog = nil
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.serve(proxy, w, r)
	}))
	t.Cleanup(s.Close)
	g.url = s.URL
	return g
}

func (g *gateway) serve(proxy *httputil.ReverseProxy, w http.ResponseWriter, r *http.Request) {
	a := asking{replica: r.Header.Get(replicaHeader), begun: time.Now()}
	g.mu.Lock()
	next := g.next
	g.next = nil
	g.mu.Unlock()
	if next != nil && !next(a.replica) {
		g.note(a)
		panic(http.ErrAbortHandler)
	}
	answer := httptest.NewRecorder()
	// Who has sent it may be gone, and the server does it all the same.
	proxy.ServeHTTP(answer, r.Clone(context.WithoutCancel(r.Context())))
	a.status = answer.Code
	g.note(a)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (g *gateway) note(a asking) {
	a.ended = time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.log = append(g.log, a)
}

// once has something done as soon as somebody asks.
func (g *gateway) once(do func(replica string) (forward bool)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = do
}

// since returns what was asked from a moment on, as far as it is answered.
func (g *gateway) since(begin time.Time) (all []asking) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range g.log {
		if !a.ended.Before(begin) {
			all = append(all, a)
		}
	}
	return all
}
