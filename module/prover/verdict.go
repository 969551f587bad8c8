package prover

import (
	"net/http"
	"strings"
	"time"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/rejection"
)

// Verdict is what an answer says of the proof of its request.
type Verdict struct {
	// Again says that another proof may be accepted, which says what the answer wants. The
	// request was not acted on, whatever its method.
	Again bool

	// Cause names what is wrong, a row of the table; "" if nothing is. It is no word about the
	// token, which the answer neither accepts nor rejects.
	Cause string

	// Target, Alg, Algs and Ahead are what the proof said it was for, its algorithm, those that
	// the upstream names, and how far the upstream's clock is ahead of ours.
	Target, Alg, Algs string
	Ahead             time.Duration
}

// Causes of answers that are about proofs.
const (
	causeNonce    = "dpop_nonce_refused"
	causeProof    = "dpop_proof_refused"
	causeUnknown  = "dpop_not_understood"
	causeMultiple = "dpop_credentials_doubled"
)

const nonceHeader = "Dpop-Nonce"

// WithoutNonce takes what is not for the caller out of headers of an answer: those of an early one,
// or its trailers, of which nothing is taken over.
func WithoutNonce(h http.Header) { delete(h, nonceHeader) }

// Read takes over what an answer says of proofs: its nonce, which is taken out of it, since it
// is not for the caller, and the time by the upstream's clock.
func (p *Proofs) Read(out *http.Request, res *http.Response, t *keeper.Token) Verdict {
	origin := p.prover.of(out)
	given := ""
	if values := res.Header[nonceHeader]; len(values) == 1 {
		given = values[0]
	}
	given = origin.Answered(given)
	WithoutNonce(res.Header)
	WithoutNonce(res.Trailer)
	if t.Key == nil || res.StatusCode/100 != 4 {
		return Verdict{}
	}
	said := readChallenges(res.Header["Www-Authenticate"])
	v := Verdict{}
	switch {
	case said.wants == "use_dpop_nonce":
		origin.Demands()
		v.Cause, v.Again = causeNonce, p.repeats < maxRepeats && given != "" && given != p.used
		p.nonce = given
	case said.wants == "invalid_dpop_proof":
		date, err := http.ParseTime(res.Header.Get("Date"))
		moved := !p.skewed && err == nil && origin.Differs(date)
		p.skewed = p.skewed || moved
		v.Cause, v.Again = causeProof, moved && p.repeats < maxRepeats
		p.nonce = given
	case res.StatusCode == http.StatusBadRequest && said.wants == "invalid_request":
		v.Cause = causeMultiple
	case res.StatusCode == http.StatusUnauthorized && said.bearer && !said.dpop:
		v.Cause = causeUnknown
	}
	if v.Again {
		p.repeats++
	}
	if v.Cause != "" {
		v.Target, v.Alg, v.Algs, v.Ahead = p.prover.target(out), t.Key.Alg(), said.algs, origin.Ahead()
	}
	return v
}

// challenges are what an upstream wants (RFC 9449 section 7.1).
type challenges struct {
	dpop, bearer bool   // the schemes
	wants, algs  string // of DPoP: the error, and the algorithms
}

func readChallenges(fields []string) (c challenges) {
	for challenge := range rejection.Challenges(fields) {
		switch {
		case strings.EqualFold(challenge.Scheme, "Bearer"):
			c.bearer = true
		case !strings.EqualFold(challenge.Scheme, "DPoP"):
		case strings.EqualFold(challenge.Param, "error"):
			c.dpop, c.wants = true, challenge.Value
		case strings.EqualFold(challenge.Param, "algs"):
			c.dpop, c.algs = true, challenge.Value
		default:
			c.dpop = true
		}
	}
	return c
}
