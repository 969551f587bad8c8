package keeper

import (
	"time"

	"lamplighter/module/internal/record"
)

// revoke ends a grant.
func (s *server) revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.grants[token]; g != nil {
		g.dead = true
	}
}

// exchanged reports whether a refresh token was exchanged for another.
func (s *server) exchanged(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.consumed[token]
}

// revokeAccess ends all access tokens.
func (s *server) revokeAccess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.access {
		a.revoked = true
	}
}

// trace finds what a fingerprint stands for: the token, its grant as it is now,
// and who was given the newest token of that.
func (s *server) trace(fp record.Fingerprint) (token string, g authorization, heardBy *machine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, g := range s.grants {
		if record.FingerprintOf(token) == fp {
			return token, *g, s.heard[g.current]
		}
	}
	return "", authorization{}, nil
}

// lastMinute counts how often a process presented a token in the last minute.
func (s *server) lastMinute(p *machine, token string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.asked) - 1; i >= 0 && time.Since(s.asked[i].at) < time.Minute; i-- {
		if s.asked[i].by == p && s.asked[i].token == token {
			n++
		}
	}
	return n
}
