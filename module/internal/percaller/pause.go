package percaller

import (
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
// It holds for the settings that it was brought about with: others may name
// another server.
type pause struct {
	mu     sync.Mutex
	random func() float64 // replaces the jitter in tests

	settings string
	why      *Failure
	ordered  time.Time // by the server: until then nothing is asked, whatever happens
	down     time.Time // until then nothing is asked, unless it answers
	began    time.Time
	length   time.Duration // of the last pause since the server answered, 0 if there was none
	failing  []Key         // subject tokens that failed since then
}

// over returns why nothing may be asked now, nil if it may.
func (p *pause) over(settings string, now time.Time) *Failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	end := p.ordered
	if p.down.After(end) {
		end = p.down
	}
	if p.settings != settings || !now.Before(end) {
		return nil
	}
	return p.why.later(end, now)
}

// atOnce returns how many exchanges may be under way: after a pause, one that
// shows whether the server is back.
func (p *pause) atOnce() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.length > 0 {
		return 1
	}
	return maxUnderWay
}

// answered ends the pauses for a server that is down. What it ordered holds.
func (p *pause) answered(settings string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settings != settings {
		return
	}
	p.calm()
}

func (p *pause) calm() {
	p.down, p.began, p.length, p.failing = time.Time{}, time.Time{}, 0, nil
}

// failed is told of an exchange that was asked for at some time and failed.
func (p *pause) failed(x *Exchange, a *tokenendpoint.Answer, why *Failure, asked, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settings != x.Settings {
		p.settings, p.ordered = x.Settings, time.Time{}
		p.calm()
	}
	if until := now.Add(a.RetryAfter); a.RetryAfter > 0 && until.After(p.ordered) {
		p.ordered, p.why = until, why
	}
	again := slices.Contains(p.failing, x.Key)
	if !again {
		p.failing = append(p.failing[max(0, len(p.failing)+1-failingKept):], x.Key)
	}
	switch {
	case asked.Before(p.began): // and so it tells of what is known
	case a.Status == http.StatusTooManyRequests:
		p.lengthen(why, now)
	case !again && (p.length > 0 || len(p.failing) >= downAfter):
		p.lengthen(why, now)
	}
}

func (p *pause) lengthen(why *Failure, now time.Time) {
	p.length = min(max(pauseMin, 2*p.length), pauseMax)
	random := rand.Float64
	if p.random != nil {
		random = p.random
	}
	jitter := 1 + pauseJitter*(2*random()-1)
	p.began, p.down, p.why = now, now.Add(time.Duration(float64(p.length)*jitter)), why
}
