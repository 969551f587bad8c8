package percaller

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"lamplighter/module/internal/tokenendpoint"
)

// Pauses of a whole client double from the first to the last, ±20 %.
const (
	pauseMin    = time.Second
	pauseMax    = 30 * time.Second
	pauseJitter = 0.2

	// downAfter is how many subject tokens must fail, with none between them that
	// the server answers, before it is taken to be down: the exchange of a single
	// one may fail for a reason of its own, and must not cost the others theirs.
	downAfter = 3

	// failingKept is how many of them are remembered.
	failingKept = 16
)

// pause keeps a client from asking its authorization server: until it wants to be
// asked again (Retry-After), and with growing pauses while it is down. A subject
// token that is refused says nothing about the server but that it answers, and
// pauses no one else's exchange.
//
// It holds for the settings that it was brought about with: others, of a
// configuration that comes or goes, may name another server.
type pause struct {
	mu     sync.Mutex
	of     map[string]*setback // by settings
	random func() float64      // replaces the jitter in tests
}

// setback is what is known of a server that is not to be asked now.
type setback struct {
	why     *Failure
	ordered time.Time // by the server: until then nothing is asked, whatever happens
	down    time.Time // until then nothing is asked, unless it answers
	began   time.Time
	length  time.Duration // of the last pause since the server answered, 0 if there was none
	failing []Key         // subject tokens that failed since then
}

// end is when it may be asked again.
func (s *setback) end() time.Time {
	if s.down.After(s.ordered) {
		return s.down
	}
	return s.ordered
}

// over returns why nothing may be asked now, nil if it may.
func (p *pause) over(settings string, now time.Time) *Failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.of[settings]
	if s == nil || !now.Before(s.end()) {
		return nil
	}
	return s.why.later(s.end(), now)
}

// atOnce returns how many exchanges may be under way: after a pause, one that
// shows whether the server is back.
func (p *pause) atOnce(settings string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.of[settings]; s != nil && s.length > 0 {
		return 1
	}
	return maxUnderWay
}

// answered ends the pauses for a server that is down. What it ordered holds.
func (p *pause) answered(settings string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.of[settings]; s != nil {
		*s = setback{why: s.why, ordered: s.ordered}
	}
}

// failed is told of an exchange that was asked for at some time and failed.
func (p *pause) failed(x *Exchange, a *tokenendpoint.Answer, why *Failure, asked, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.setback(x.Settings, now)
	if until := now.Add(a.RetryAfter); a.RetryAfter > 0 && until.After(s.ordered) {
		s.ordered, s.why = until, why
	}
	again := slices.Contains(s.failing, x.Key)
	if !again {
		s.failing = append(s.failing[max(0, len(s.failing)+1-failingKept):], x.Key)
	}
	switch {
	case asked.Before(s.began): // and so it tells of what is known
	case a.Status == http.StatusTooManyRequests,
		!again && (s.length > 0 || len(s.failing) >= downAfter):
		s.why = why
		s.lengthen(now, p.jitter())
	}
}

// setback returns what is known of a server, and forgets others that may be asked
// again. Called with p.mu held.
func (p *pause) setback(settings string, now time.Time) *setback {
	if s := p.of[settings]; s != nil {
		return s
	}
	maps.DeleteFunc(p.of, func(_ string, s *setback) bool { return !now.Before(s.end()) })
	if p.of == nil {
		p.of = make(map[string]*setback)
	}
	s := new(setback)
	p.of[settings] = s
	return s
}

func (s *setback) lengthen(now time.Time, jitter float64) {
	s.length = min(max(pauseMin, 2*s.length), pauseMax)
	s.began, s.down = now, now.Add(time.Duration(float64(s.length)*jitter))
}

func (p *pause) jitter() float64 {
	random := rand.Float64
	if p.random != nil {
		random = p.random
	}
	return 1 + pauseJitter*(2*random()-1)
}
