package authserver

import "sync"

// secretChoice says which of a client's two secrets is presented. Requests of
// several callers may be under way at once.
type secretChoice struct {
	mu      sync.Mutex
	next    bool // client_secret_next
	refused bool // the other one was refused, and nothing succeeded since
}

func (s *secretChoice) useNext() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// accepted notes that the secret was not refused.
func (s *secretChoice) accepted(next bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == next {
		s.refused = false
	}
}

// turn goes over to the other secret, unless another request already did. It
// reports whether that one may be better.
func (s *secretChoice) turn(next bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != next {
		return true
	}
	s.next = !next
	first := !s.refused
	s.refused = true
	return first
}
