package keeper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"lamplighter/module/internal/tokenendpoint"
)

type answer = tokenendpoint.Answer

// server is a model of an authorization server that rotates refresh tokens.
type server struct {
	disk     *disk // its log takes the requests too
	strict   bool  // a new access token is the end of the one before
	lifetime time.Duration
	latency  time.Duration // of an answer
	dialing  time.Duration // of a connection
	grace    time.Duration // in which a replaced token is forgiven
	revokes  bool          // a replayed token ends its whole grant
	reuses   bool          // refresh tokens are not replaced
	omits    bool          // the answer holds no refresh token
	swaps    bool          // from the third answer on, the refresh token before is given again
	constant bool          // the access token stays the same

	// next says what goes wrong with the n-th request, counted from 1.
	next func(n int) fault

	// about says what goes wrong with requests that present a token.
	about map[string]fault

	onSent func(p *machine, token string)

	mu       sync.Mutex
	grants   map[string]*authorization // by every refresh token that they had
	access   map[string]*issued
	heard    map[string]*machine // who got an answer with that refresh token
	shift    time.Duration       // how much longer than ours its time is: we were suspended
	consumed map[string]bool     // refresh tokens that were exchanged
	serial   int
	tries    int // requests, with those that were never sent
	asked    []request
	inFlight int
	busiest  int

	abandoned int // requests that were called off after they were written
}

// authorization is what an operator obtained by logging in.
type authorization struct {
	current, previous string
	rotated           time.Time
	dead              bool
	unclear           bool   // nobody can know why its token is refused
	access            string // the newest access token
}

// issued is an access token as the server knows it.
type issued struct {
	expires time.Time
	by      *machine
	revoked bool
}

// request is a token request that reached the server.
type request struct {
	at    time.Time
	token string
	by    *machine
}

func newServer(d *disk) *server {
	return &server{
		disk: d, lifetime: time.Hour, latency: 50 * time.Millisecond, dialing: 10 * time.Millisecond,
		grants: make(map[string]*authorization), access: make(map[string]*issued), heard: make(map[string]*machine),
		consumed: make(map[string]bool),
	}
}

// edit changes a server while requests are under way.
func (s *server) edit(change func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// login makes a new grant and returns its refresh token, the seed.
func (s *server) login() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.grants {
		g.unclear = true // only one attempt is journaled
	}
	s.serial++
	seed := fmt.Sprintf("secret-seed-%d", s.serial)
	s.grants[seed] = &authorization{current: seed}
	return seed
}

// firstThatAsks waits for the next request that is sent, and returns whose it is. do is
// called before it is answered.
func (s *server) firstThatAsks(do func(p *machine)) *machine {
	var first atomic.Pointer[machine]
	s.mu.Lock()
	s.onSent = func(p *machine, _ string) {
		if first.CompareAndSwap(nil, p) {
			do(p)
		}
	}
	s.mu.Unlock()
	for first.Load() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	return first.Load()
}

// ask is what a keeper's Inputs.Ask does.
func (s *server) ask(ctx context.Context, p *machine, token string, beforeSend func() error) answer {
	s.mu.Lock()
	s.tries++
	n, next, dialing := s.tries, s.next, s.dialing
	s.mu.Unlock()
	var f fault
	if next != nil {
		f = next(n)
	}
	s.mu.Lock()
	if special, ok := s.about[token]; ok {
		f = special
	}
	s.mu.Unlock()
	if f.notSent {
		return answerNotSent(tokenendpoint.CauseUnreachable)
	}
	if !pass(ctx, dialing) {
		return answerNotSent(tokenendpoint.CauseCanceled)
	}
	if err := beforeSend(); err != nil {
		return answerNotSent(tokenendpoint.CauseCanceled)
	}
	s.disk.at(p, "before-send")
	if p.dead.Load() {
		return answerUnanswered()
	}
	s.record(p, token)
	s.mu.Lock()
	onSent := s.onSent
	s.mu.Unlock()
	if onSent != nil {
		onSent(p, token)
	}
	p.asking.Store(true)
	defer p.answered()
	s.disk.at(p, "sent")
	return s.serve(ctx, p, token, f)
}

func (s *server) serve(ctx context.Context, p *machine, token string, f fault) answer {
	if f.during != nil {
		f.during()
	}
	done := make(chan answer, 1)
	s.mu.Lock()
	latency := s.latency
	s.mu.Unlock()
	go func() { // acts even when nobody listens any more
		time.Sleep(latency + f.before)
		var a answer
		if f.answer == nil || f.commit {
			a = s.act(p, token)
		}
		if f.twice > 0 {
			s.edit(func(s *server) { s.grants[token].unclear = true })
			if again := s.act(p, token); f.twice == 2 {
				a = again
			}
		}
		time.Sleep(f.after)
		if f.answer != nil {
			recovered := a.RefreshToken
			a = *f.answer
			if a.RefreshToken == "recovered" {
				a.RefreshToken = recovered
			}
		}
		if f.tamper != nil {
			f.tamper(&a)
		}
		done <- a
	}()
	select {
	case a := <-done:
		s.disk.at(p, "answered")
		if p.dead.Load() {
			return answerUnanswered()
		}
		if f.panics {
			panic("cannot read " + a.AccessToken + " and " + a.RefreshToken)
		}
		s.hear(p, a.RefreshToken)
		p.learn(token, a)
		return a
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) && !p.dead.Load() {
			s.edit(func(s *server) { s.abandoned++ })
		}
		return answerUnanswered()
	}
}

// act rotates the token or refuses it.
func (s *server) act(p *machine, token string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.grants[token]
	if token != "" {
		forgiven := g != nil && token == g.previous && s.now().Sub(g.rotated) <= s.grace && s.grace > 0
		if g == nil || g.dead || token != g.current && !forgiven {
			if g != nil && s.revokes {
				g.dead = true
			}
			return answer{
				Outcome: tokenendpoint.Refused, Status: 400, Cause: "invalid_grant", Detail: "status 400, invalid_grant",
			}
		}
	}
	s.serial++
	a := answer{
		Outcome: tokenendpoint.Granted, Status: 200, TokenType: "Bearer",
		AccessToken: fmt.Sprintf("secret-access-%d", s.serial), ExpiresIn: s.lifetime,
	}
	if s.constant {
		a.AccessToken = "secret-access-constant"
	}
	if g != nil {
		if s.strict && g.access != "" {
			s.access[g.access].revoked = true
		}
		g.access = a.AccessToken
	}
	s.access[a.AccessToken] = &issued{expires: s.now().Add(s.lifetime), by: p}
	if g == nil || s.omits {
		return a
	}
	a.RefreshToken = g.current
	if !s.reuses {
		s.consumed[token] = true
		a.RefreshToken = fmt.Sprintf("secret-refresh-%d", s.serial)
		if s.swaps && s.serial > 2 && token == g.current {
			a.RefreshToken = g.previous
			delete(s.consumed, a.RefreshToken)
		}
		if token == g.current {
			g.previous, g.rotated = token, s.now()
		}
		g.current = a.RefreshToken
		s.grants[a.RefreshToken] = g
	}
	return a
}

// now is the server's time. Called with s.mu held.
func (s *server) now() time.Time { return time.Now().Add(s.shift) }

func (s *server) hear(p *machine, refreshToken string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refreshToken != "" {
		s.heard[refreshToken] = p
	}
}

// accepts reports whether an API would accept an access token now.
func (s *server) accepts(accessToken string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.access[accessToken]
	return a != nil && !a.revoked && s.now().Before(a.expires)
}

// record counts a request that was sent.
func (s *server) record(p *machine, token string) {
	s.mu.Lock()
	s.asked = append(s.asked, request{at: time.Now(), token: token, by: p})
	for _, g := range s.grants {
		if g != s.grants[token] {
			g.unclear = true // this attempt's journal replaces that of another seed
		}
	}
	s.inFlight++
	s.busiest = max(s.busiest, s.inFlight)
	s.mu.Unlock()
	s.disk.mu.Lock()
	s.disk.note("send")
	s.disk.mu.Unlock()
}

func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.asked...)
}

func (s *server) count() int { return len(s.requests()) }

// current returns the living refresh token of the grant that a token belongs to.
func (s *server) current(token string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.grants[token]; g != nil && !g.dead {
		return g.current
	}
	return ""
}

// pass lets time pass, or reports that ctx ended first.
func pass(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
