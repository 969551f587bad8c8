package tokenendpoint

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/redact"
	"lamplighter/module/internal/tokenendpoint/asking"
	"lamplighter/module/internal/tokenendpoint/reading"
)

// Prover makes the proofs of possession of a request's key (RFC 9449 section 5).
type Prover struct {
	Key     *dpop.Key
	Origins *dpop.Origins // what servers want of proofs

	// BearerAllowed says that an access token that is not bound to the key is used all the
	// same.
	BearerAllowed bool

	// Refused is told of each proof that an answer refuses: the error code, and whether another
	// one is sent. nil for nobody.
	Refused func(code string, again bool)

	// NoToken says that what an answer brings is no access token, and bound to nothing: the
	// reference of a pushed request (RFC 9126).
	NoToken bool
}

const (
	proofHeader = "DPoP"
	nonceHeader = "DPoP-Nonce"

	// The errors of proofs (RFC 9449 section 12.2). Neither says anything of the grant.
	wantsNonce   = "use_dpop_nonce"
	invalidProof = "invalid_dpop_proof"
)

// isOfProof reports whether an error is about the proof of a request.
func (e answerError) isOfProof() bool { return e.code == wantsNonce || e.code == invalidProof }

// maxProofs is how often one attempt is written at most. It is written anew only if the answer
// says what its proof is to say, which is no word about the refresh token.
const maxProofs = 3

// proving is what is known of proofs while one attempt is made.
type proving struct {
	*Prover
	origin  *dpop.Origin
	nonce   string // of the next proof
	written int    // proofs
	skewed  bool   // the server's clock was taken over
}

// proves begins the proofs of an attempt, nil if it has none.
func (p *Prover) proves(endpoint string) *proving {
	if p == nil {
		return nil
	}
	origin := endpoint
	if u, err := url.Parse(endpoint); err == nil {
		origin = u.Scheme + "://" + strings.ToLower(u.Host)
	}
	known := p.Origins.Of(origin)
	return &proving{Prover: p, origin: known, nonce: known.Nonce()}
}

// sign has an exchange put a proof into its request when that is written, and nothing else than
// that is left to be done.
func (p *proving) sign(x *asking.Exchange, req *http.Request, secrets *redact.Secrets) {
	if p == nil {
		return
	}
	x.Sign = func(h http.Header) error {
		proof, err := p.Key.Sign(dpop.Proof{Method: req.Method, URL: target(req), At: p.origin.Now(), Nonce: p.nonce})
		if err != nil {
			return err
		}
		secrets.Add(proof)
		h[proofHeader] = []string{proof}
		p.written++
		return nil
	}
}

// target is what a proof says that a request is for.
func target(req *http.Request) string {
	return dpop.Target(req.URL.Scheme, cmp.Or(req.Host, req.URL.Host), req.URL.EscapedPath())
}

// explain adds to what is said of a refused proof what it was.
func (p *proving) explain(a *Answer, req *http.Request) {
	if p == nil || a.Cause != invalidProof {
		return
	}
	a.Detail += fmt.Sprintf("; the proof was signed with %s, for %s %s", p.Key.Alg(), req.Method, redact.Text(target(req)))
	if ahead := p.origin.Ahead().Round(time.Second); ahead != 0 {
		a.Detail += fmt.Sprintf(", by the clock of the server, which differs from ours by %s", ahead)
	}
}

// again takes over what an answer says of proofs, and reports whether the request is worth
// another one: with a nonce that the answer demands, or by the clock that it tells.
func (p *proving) again(r *reading.Reply, code string) bool {
	if p == nil {
		return false
	}
	given := p.origin.Answered(r.Header.Get(nonceHeader))
	if r.Status < 400 || r.Status >= 500 {
		return false
	}
	again := p.written < maxProofs && p.differs(r, code, given)
	if p.Refused != nil && (code == wantsNonce || code == invalidProof) {
		p.Refused(code, again)
	}
	return again
}

// differs takes over what an answer that refuses a proof says, and reports whether the next one
// says something else than the last.
func (p *proving) differs(r *reading.Reply, code, given string) bool {
	switch code {
	case wantsNonce:
		p.origin.Demands()
		if given == "" || given == p.nonce {
			return false
		}
		p.nonce = given
		return true
	case invalidProof:
		date, err := http.ParseTime(r.Header.Get("Date"))
		if p.skewed || err != nil || !p.origin.Differs(date) {
			return false
		}
		p.skewed = true
		if given != "" {
			p.nonce = given
		}
		return true
	}
	return false
}

// bind finds out whether the access token of an answer is bound to the key of the request's
// proof, and withholds it otherwise: it would be of use to whoever steals it.
func (p *proving) bind(a *Answer, secrets *redact.Secrets) {
	if p == nil || p.NoToken || a.Outcome != Granted || !fitsHeader(a.AccessToken) {
		return
	}
	var why string
	jkt, bound := boundTo(a.AccessToken)
	switch {
	case !strings.EqualFold(a.TokenType, "DPoP") && p.BearerAllowed && isBearer(a.TokenType):
		a.Unusable = ""
		return
	case !strings.EqualFold(a.TokenType, "DPoP"):
		why = fmt.Sprintf("its token_type is %s, not DPoP", secrets.Quote(a.TokenType))
		if a.TokenType == "" {
			why = "it has no token_type"
		}
	case bound && jkt != p.Key.Thumbprint():
		why = "it is bound to another key"
	default:
		a.Unusable, a.BoundTo = "", p.Key
		return
	}
	a.Unusable, a.Cause = why, CauseNotBound
}

// boundTo reads to which key an access token is bound, if it is one that anybody can read (RFC
// 9449 section 6.1).
func boundTo(token string) (jkt string, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return "", false
	}
	var claims struct {
		Confirmation struct {
			Thumbprint string `json:"jkt"`
		} `json:"cnf"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Confirmation.Thumbprint == "" {
		return "", false
	}
	return claims.Confirmation.Thumbprint, true
}
