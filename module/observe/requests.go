package observe

import (
	"sync"
	"sync/atomic"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/cause"
)

// Outcome is what became of a request that wants a token of a client.
type Outcome uint8

// The outcomes. A request has one of them for each attempt of its handler.
const (
	Undecided   Outcome = iota // nobody is told of it
	Sent                       // it went to its upstream with a token, whatever came of that
	Replayed                   // it went there once more, with another token
	Unavailable                // there was no token for it
	Refused                    // it was not sent: the guard, or a rule about its token, is against it
)

// outcomes are the words for them in metrics and access logs.
var outcomes = [...]string{Sent: "sent", Replayed: "replayed", Unavailable: "unavailable", Refused: "refused"}

// outcomeValues are the words as values, which costs no request an allocation.
var outcomeValues = func() (values [len(outcomes)]any) {
	for o, word := range outcomes {
		values[o] = word
	}
	return values
}()

// Requests counts the requests of a client by their outcome, and those that were not sent
// by their cause: [CountsOf] has those of each client, and the guard's, too. The zero value
// is ready.
type Requests struct {
	sent, replayed atomic.Uint64

	mu      sync.Mutex
	others  map[unsent]uint64
	refused adminapi.Refusal // the last one
}

// unsent is how requests were not sent.
type unsent struct {
	outcome Outcome
	cause   string
}

// otherCause stands for causes that a server has invented: there may be any number.
const otherCause = "other"

// Count counts a request. The cause is that of one that was not sent.
func (r *Requests) Count(o Outcome, why string) {
	switch o {
	case Undecided:
	case Sent:
		r.sent.Add(1)
	case Replayed:
		r.replayed.Add(1)
	default:
		r.mu.Lock()
		defer r.mu.Unlock()
		if o == Refused {
			r.refused = adminapi.Refusal{At: time.Now(), Cause: why}
		}
		if !cause.Known(why) {
			why = otherCause
		}
		if r.others == nil {
			r.others = make(map[unsent]uint64)
		}
		r.others[unsent{o, why}]++
	}
}

// Shown are the numbers as the admin API has them, and the last refusal, nil if there
// was none.
func (r *Requests) Shown() (n adminapi.RequestCounts, last *adminapi.Refusal) {
	n.Sent, n.Replayed = r.sent.Load(), r.replayed.Load()
	r.mu.Lock()
	defer r.mu.Unlock()
	for of, count := range r.others {
		if of.outcome == Refused {
			n.Refused += count
		} else {
			n.Unavailable += count
		}
	}
	if !r.refused.At.IsZero() {
		refused := r.refused
		last = &refused
	}
	return n, last
}

// each yields the numbers with the values of their labels: those of what was sent are
// there from the beginning, so that the first increase is seen as one.
func (r *Requests) each(yield func(n uint64, outcome, why string)) {
	yield(r.sent.Load(), outcomes[Sent], "")
	yield(r.replayed.Load(), outcomes[Replayed], "")
	r.mu.Lock()
	defer r.mu.Unlock()
	for of, n := range r.others {
		yield(n, outcomes[of.outcome], of.cause)
	}
}

// any reports whether anything was counted.
func (r *Requests) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.others) > 0 || r.sent.Load() > 0 || r.replayed.Load() > 0
}
