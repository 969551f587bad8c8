package dpop

import (
	"sync"
	"sync/atomic"
	"time"
)

// Origins are what servers want of proofs, by scheme, host and port: a nonce of theirs, and the
// time by their clock. The zero value is ready.
type Origins struct {
	mu    sync.Mutex
	known map[string]*Origin
}

// maxOrigins bounds how many are remembered: where requests go may depend on the caller.
const maxOrigins = 1024

// Of returns what is known of an origin.
func (o *Origins) Of(name string) *Origin {
	o.mu.Lock()
	defer o.mu.Unlock()
	if known := o.known[name]; known != nil {
		return known
	}
	if o.known == nil {
		o.known = make(map[string]*Origin)
	}
	for other := range o.known {
		if len(o.known) < maxOrigins {
			break
		}
		delete(o.known, other) // any one: it tells again
	}
	made := new(Origin)
	o.known[name] = made
	return made
}

// Origin is what one server wants of proofs. Its methods may be called concurrently.
type Origin struct {
	nonce  atomic.Pointer[nonce]
	ahead  atomic.Int64 // of our clock, in ns
	met    atomic.Bool
	demand atomic.Bool
}

type nonce struct {
	text string
	at   time.Time
}

// Nonce is the newest nonce that the server has given, "" if it gave none.
func (o *Origin) Nonce() string {
	if n := o.nonce.Load(); n != nil {
		return n.text
	}
	return ""
}

// Now is the time by the server's clock.
func (o *Origin) Now() time.Time { return time.Now().Add(o.Ahead()) }

// Ahead is how far the server's clock is ahead of ours, as far as that is known.
func (o *Origin) Ahead() time.Duration { return time.Duration(o.ahead.Load()) }

// maxNonce bounds a nonce: it goes into each proof.
const maxNonce = 1024

// Answered notes the nonce that an answer gives, "" for none. It returns the nonce if it can be
// used (RFC 9449 section 8.1), and "" otherwise.
func (o *Origin) Answered(given string) string {
	if !o.met.Load() {
		o.met.Store(true)
	}
	if given == "" || !isNonce(given) {
		return ""
	}
	o.nonce.Store(&nonce{given, time.Now()})
	return given
}

// Demands notes that the server answers no request whose proof has no nonce, or an old one.
func (o *Origin) Demands() { o.demand.Store(true) }

// nonceFresh is how old a nonce may be that is likely still to be taken.
const nonceFresh = time.Minute

// AskFirst reports whether a request that cannot be sent again may well be answered with the
// demand for a nonce: nothing is known of the server, or it wants nonces and the last one is old.
func (o *Origin) AskFirst() bool {
	if !o.met.Load() {
		return true
	}
	if !o.demand.Load() {
		return false
	}
	n := o.nonce.Load()
	return n == nil || time.Since(n.at) > nonceFresh
}

// isNonce reports whether a text is one: NQCHAR of RFC 6749, appendix A.
func isNonce(text string) bool {
	if len(text) > maxNonce {
		return false
	}
	for i := range len(text) {
		if c := text[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

const (
	skewCounts = 5 * time.Second // less may be the way that the answer took
	maxSkew    = time.Hour
)

// Differs takes over the time that the server named when it refused a proof, and reports whether
// that changes what the next one says.
func (o *Origin) Differs(date time.Time) bool {
	ahead := time.Until(date)
	if ahead.Abs() > maxSkew || (ahead-o.Ahead()).Abs() <= skewCounts {
		return false
	}
	o.ahead.Store(int64(ahead))
	return true
}
