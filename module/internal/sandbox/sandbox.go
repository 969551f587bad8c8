// Package sandbox is an authorization server with the rules of Tencent EIAM, and
// an API that accepts nothing but its current access tokens: for the demo, and
// for tests that talk to a process. Its faults are switched on over HTTP.
//
// It knows the rules and who breaks them. It must not know who calls it: it
// imports nothing of Caddy or of Lamplighter, so that no mistake of theirs can be
// made here too.
package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Options configures a Server.
type Options struct {
	// ClientID and ClientSecret are of the one client that is registered.
	ClientID     string
	ClientSecret string

	// Lifetime is how long access tokens live, in whole seconds.
	Lifetime time.Duration

	// StateFile keeps grants and counters over a restart. Without it they are
	// forgotten.
	StateFile string

	// RevokeOnReuse kills the grant whose spent refresh token is presented, as
	// RFC 9700 section 4.14.2 wants it. EIAM only refuses that token.
	RevokeOnReuse bool

	// DPoP binds access tokens to the key of a proof (RFC 9449), which each token request and
	// each request of the API must have, with a nonce. There is a new one every NonceEvery, a
	// second unless given; the one before is still good.
	DPoP       bool
	NonceEvery time.Duration

	// OnEvent, if set, is called for everything that befalls a grant, perhaps
	// from several goroutines at once.
	OnEvent func(Event)
}

// Event is something that a spectator would want to be told.
type Event struct {
	Time       time.Time `json:"time"`
	Kind       string    `json:"event"`
	Generation int       `json:"generation"`
	Detail     string    `json:"detail"`
}

// What events there are.
const (
	EventRefreshed    = "refreshed"    // a refresh token was exchanged
	EventRefused      = "refused"      // a token request was refused
	EventSpent        = "spent"        // it was, for a refresh token that had been exchanged before
	EventFault        = "fault"        // a fault was applied
	EventGranted      = "granted"      // somebody logged in: there is a new seed
	EventRevoked      = "revoked"      // every grant is dead
	EventUnauthorized = "unauthorized" // the API refused a request
)

// saveDelay is how much counting a kill may undo.
const saveDelay = 100 * time.Millisecond

// Server is the authorization server and the API.
type Server struct {
	options Options

	mu     sync.Mutex
	state  state
	later  *time.Timer // to write counters, nil if they are written
	faults []Fault     // still to be applied, in this order
	codes  map[string]code
	proofs proofs
}

// New makes a server with the grants of its state file. If there are none it
// issues the first one, whose refresh token is Seed.
func New(options Options) (*Server, error) {
	if options.ClientID == "" || options.ClientSecret == "" {
		return nil, errors.New("the client needs an id and a secret")
	}
	if options.Lifetime < time.Second || options.Lifetime%time.Second != 0 {
		return nil, fmt.Errorf("the lifetime of access tokens must be whole seconds, one at least: %v", options.Lifetime)
	}
	if options.NonceEvery <= 0 {
		options.NonceEvery = time.Second
	}
	st, err := loadState(options.StateFile)
	if err != nil {
		return nil, err
	}
	s := &Server{options: options, state: st}
	if len(st.Grants) > 0 {
		return s, nil
	}
	return s, s.update(func(st *state) error {
		st.login()
		return nil
	})
}

// AuthorizationServer serves the token endpoint, /auth/oauth2/token, the
// authorization endpoint, /auth/oauth2/authorize, and below /_sandbox/ the
// controls:
//
//	GET    /_sandbox/stats    Stats
//	GET    /_sandbox/faults   the faults still to be applied
//	POST   /_sandbox/faults   appends a Fault, or a list of them
//	DELETE /_sandbox/faults   removes all
//	POST   /_sandbox/revoke   kills every grant
//	POST   /_sandbox/grant    issues a new one, and answers its refresh token
func (s *Server) AuthorizationServer() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/auth/oauth2/token", s.serveToken)
	mux.HandleFunc("GET /auth/oauth2/authorize", s.serveAuthorize)
	mux.HandleFunc("GET /_sandbox/stats", s.serveStats)
	mux.HandleFunc("GET /_sandbox/faults", s.serveFaults)
	mux.HandleFunc("POST /_sandbox/faults", s.addFaults)
	mux.HandleFunc("DELETE /_sandbox/faults", s.clearFaults)
	mux.HandleFunc("POST /_sandbox/revoke", s.serveRevoke)
	mux.HandleFunc("POST /_sandbox/grant", s.serveGrant)
	// A web page that is open in a browser must not press these buttons.
	return http.NewCrossOriginProtection().Handler(mux)
}

// API serves the protected API, on any path.
func (s *Server) API() http.Handler {
	return http.HandlerFunc(s.serveAPI)
}

// Seed returns the first refresh token of the newest grant, spent or not.
func (s *Server) Seed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.seed()
}

// Close writes what is not in the state file yet.
func (s *Server) Close() error {
	return s.update(func(*state) error { return nil })
}

// update makes a change if it can be saved: what is answered must not be
// forgotten by a restart.
func (s *Server) update(change func(*state) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.state.clone()
	if err := change(&next); err != nil {
		return err
	}
	if err := next.save(s.options.StateFile); err != nil {
		return fmt.Errorf("the state cannot be saved: %w", err)
	}
	s.state = next
	if s.later != nil {
		s.later.Stop()
		s.later = nil
	}
	return nil
}

// count changes counters, and writes them at once or soon: to write for every
// request of the API would be a brake.
func (s *Server) count(atOnce bool, change func(*Counters)) {
	s.mu.Lock()
	change(&s.state.Counters)
	if !atOnce && s.later == nil {
		s.later = time.AfterFunc(saveDelay, func() { _ = s.Close() })
	}
	s.mu.Unlock()
	if atOnce {
		_ = s.Close() // a failure is reported by what issues tokens
	}
}

func (s *Server) report(kind string, generation int, format string, args ...any) {
	if s.options.OnEvent == nil {
		return
	}
	s.options.OnEvent(Event{Time: time.Now(), Kind: kind, Generation: generation, Detail: fmt.Sprintf(format, args...)})
}
