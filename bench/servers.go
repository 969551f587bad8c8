package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"lamplighter/bench/program"
)

const (
	secret = "bench-secret"                                                      // of every client
	fixed  = "fixed-token-of-sixty-four-characters-0123456789-0123456789-012345" // what proxies without OAuth send
)

// authServer is an authorization server that answers at once, and an API that
// accepts only its tokens.
type authServer struct {
	// Lifetime is expires_in.
	lifetime time.Duration
	// Delay is how long a token request takes.
	delay time.Duration
	// OneToken makes every answer the same token.
	oneToken bool

	token, api string // addresses

	mu      sync.Mutex
	valid   map[string]time.Time // access tokens, with their end
	refresh map[string]string    // client: its refresh token
	issued  []time.Time
	refused int
	flying  int // token requests that run now
	most    int // the most there were at once
	servers []*http.Server
}

// serve starts both servers.
func (a *authServer) serve(ctx context.Context) error {
	a.valid = make(map[string]time.Time)
	a.refresh = make(map[string]string)
	for address, handler := range map[*string]http.HandlerFunc{&a.token: a.serveToken, &a.api: a.serveAPI} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			a.close()
			return err
		}
		*address = l.Addr().String()
		server := &http.Server{Handler: handler, ReadHeaderTimeout: program.Patience}
		a.servers = append(a.servers, server)
		go func() { _ = server.Serve(l) }()
	}
	return nil
}

func (a *authServer) close() {
	for _, s := range a.servers {
		_ = s.Close()
	}
}

func (a *authServer) endpoint() string { return "http://" + a.token + "/token" }

func (a *authServer) serveToken(w http.ResponseWriter, r *http.Request) {
	id, password, ok := r.BasicAuth()
	if !ok || password != secret || r.ParseForm() != nil {
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
		return
	}
	a.enter()
	time.Sleep(a.delay)
	status, body := a.grant(id, r.PostForm.Get("grant_type"), r.PostForm.Get("refresh_token"))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func (a *authServer) enter() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flying++
	a.most = max(a.most, a.flying)
}

// seed is the first refresh token of a client.
func seed(id string) string { return pad("seed-" + id) }

// pad makes a token of 64 characters.
func pad(text string) string {
	return fmt.Sprintf("%s-%s", text, strings.Repeat("0", max(0, 63-len(text))))
}

func (a *authServer) grant(id, grant, presented string) (status int, body string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flying--
	if grant == "refresh_token" {
		current, known := a.refresh[id]
		if !known {
			current = seed(id)
		}
		if presented != current {
			a.refused++
			return http.StatusBadRequest, `{"error":"invalid_grant"}`
		}
	}
	now := time.Now()
	a.issued = append(a.issued, now)
	access := pad(fmt.Sprintf("access-%s-%d", id, len(a.issued)))
	if a.oneToken {
		access = fixed
	}
	a.valid[access] = now.Add(a.lifetime)
	more := ""
	if grant == "refresh_token" {
		next := pad(fmt.Sprintf("refresh-%s-%d", id, len(a.issued)))
		a.refresh[id] = next
		more = fmt.Sprintf(`,"refresh_token":%q`, next)
	}
	return http.StatusOK, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer","expires_in":%.0f%s}`, access, a.lifetime.Seconds(), more)
}

// page is what the API answers.
var page = []byte(strings.Repeat("0123456789abcdef", 16))

func (a *authServer) serveAPI(w http.ResponseWriter, r *http.Request) {
	values := r.Header["Authorization"]
	if len(values) != 1 || !a.accepts(values[0]) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = w.Write(page)
}

func (a *authServer) accepts(authorization string) bool {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	if !ok {
		return false
	}
	if a.oneToken {
		return token == fixed
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.valid[token])
}

// counted is what the authorization server saw.
type counted struct {
	issued        []time.Time
	refused, most int
}

// count returns what was seen, and forgets it.
func (a *authServer) count() counted {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := counted{slices.Clone(a.issued), a.refused, a.most}
	a.refused, a.most = 0, a.flying
	return c
}
