package keeper

import (
	"strings"
	"time"

	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

// check checks what must hold at any moment. It is called at every step of a
// refresh and of the driver.
func (s *simulation) check(p *machine) {
	published := p.keeper.Current()
	st := p.keeper.Status()
	stored := s.disk.stored()
	if published != nil && !st.Unsaved {
		switch {
		case stored.Generation < published.Generation:
			s.wrong("%s published generation %d, and the record has %d", p.name(), published.Generation, stored.Generation)
		case stored.Generation == published.Generation && stored.Token == nil: // revoked
			s.checkNoticed(p, st)
		case stored.Generation == published.Generation && stored.Token.AccessToken != published.AccessToken:
			s.wrong("%s published another token than the record has", p.name())
		}
	}
	if st.Unsaved && s.soundFor(time.Minute) {
		s.wrong("%s has not written what it could have written", p.name())
	}
	s.server.mu.Lock()
	busiest, abandoned := s.server.busiest, s.server.abandoned
	s.server.mu.Unlock()
	if busiest > 1 {
		s.wrong("%d token requests at once", busiest)
	}
	if abandoned > 0 {
		s.wrong("a token request was called off after it was written")
	}
}

// checkRequest checks a token request that is being sent.
func (s *simulation) checkRequest(p *machine, token string) {
	s.note("%s presents %s", p.name(), token)
	s.book.Lock()
	revived := s.revived[token]
	s.book.Unlock()
	for _, other := range s.processes {
		other.mu.Lock()
		known := other.known[token]
		other.mu.Unlock()
		if known && !revived && !other.dead.Load() && !other.ended.Load() {
			s.wrong("%s presents %s after an answer consumed or refused it", p.name(), token)
		}
	}
	stored, fp := s.disk.stored(), record.FingerprintOf(token)
	for _, spent := range stored.Spent {
		if spent == fp && !revived {
			s.wrong("%s presents %s, which the record says is spent", p.name(), token)
		}
	}
	excused := p.keeper.Status().Unsaved && !strings.Contains(token, "seed") // it is spent already
	if stored.rec.Open(fp) == nil && !excused {
		s.wrong("%s presents %s without a journal", p.name(), token)
	}
	if n := s.server.lastMinute(p, token); n > 9 {
		s.wrong("%s presents %s %d times in a minute", p.name(), token, n)
	}
}

// checkToken checks a token that was handed out for a request.
func (s *simulation) checkToken(p *machine, t *Token) {
	s.server.mu.Lock()
	issued := s.server.access[t.AccessToken]
	left := issued.expires.Sub(s.server.now())
	since := issued.expires.Add(-s.server.lifetime - s.server.shift)
	s.server.mu.Unlock()
	s.book.Lock()
	// Another process cannot know that the clock was set back meanwhile, nor
	// can the same one if it slept.
	unknowable := s.setBack.After(since)
	s.book.Unlock()
	if left <= 0 && !unknowable {
		s.wrong("%s hands out a token that expired %v ago", p.name(), -left)
	}
}

// hear checks an event.
func (s *simulation) hear(p *machine, e Event) {
	s.note("%s tells %s %s, generation %d", p.name(), explain.Event(e.Kind), e.Trouble.Cause, e.Generation)
	if strings.Contains(e.Trouble.Cause+p.saidOf(e).Detail+p.saidOf(e).Remedy, "secret-") {
		s.wrong("event with a secret: %+v", e)
	}
	if e.Kind == finding.GrantLost || e.Kind == finding.SeedRefused {
		s.checkLoss(p, e)
	}
}

// checkLoss checks that it was not our doing that a refresh token was refused.
func (s *simulation) checkLoss(p *machine, e Event) {
	p.keeper.mu.Lock()
	refused := lastRefused(p.keeper.state.Record())
	p.keeper.mu.Unlock()
	token, g, heardBy := s.server.trace(refused)
	s.note("%s was refused; the server has %s, dead %v", token, g.current, g.dead)
	if e.Kind == finding.GrantLost && s.server.exchanged(token) && !g.unclear && e.Trouble.Cause != finding.CauseResponseLost && e.Trouble.Cause != finding.CauseRevoked {
		s.wrong("%s does not know that an answer was lost: %+v", p.name(), e)
	}
	switch {
	case g.dead:
	case g.current == token:
		s.wrong("%s gave a living grant up: %+v", p.name(), e)
	case s.disk.everSaved(g.current):
		s.wrong("%s forgot %s: %+v", p.name(), g.current, e)
	case heardBy == nil, heardBy.dead.Load():
		// The answer was lost, or the process died with it.
	case heardBy.ended.Load() && heardBy.keeper.Status().Unsaved:
		// The store refused to take it until the end.
	default:
		s.wrong("%s lost %s, which %s was given: %+v", p.name(), g.current, heardBy.name(), e)
	}
}

// soundFor reports whether the store has accepted everything for that long.
func (s *simulation) soundFor(d time.Duration) bool {
	s.book.Lock()
	defer s.book.Unlock()
	return time.Since(s.healthy) > d
}
