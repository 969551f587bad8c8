// Package prover answers how a request shows an upstream that its sender holds the key to which
// the access token is bound (RFC 9449 section 7), and what an answer says of that.
//
// It knows requests that are about to be written, their answers, and tokens. It must not know
// clients, bodies, nor whether a request is sent again.
package prover

import (
	"cmp"
	"net/http"
	"strings"

	"lamplighter/module/inject"
	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/keeper"
)

// Prover makes the proofs of requests to upstreams, and remembers what those want of them.
type Prover struct {
	base    string // by which the API knows itself, "" for where a request is sent
	origins dpop.Origins
}

// New returns a prover whose proofs name a base URL in place of where requests are sent, unless
// that is "".
func New(base string) *Prover { return &Prover{base: strings.TrimSuffix(base, "/")} }

// AskFirst reports whether an upstream may well answer the first request with a demand for a
// nonce, so that one which cannot be sent again is better not sent before it gave one.
func (p *Prover) AskFirst(req *http.Request) bool { return p.of(req).AskFirst() }

func (p *Prover) of(req *http.Request) *dpop.Origin {
	return p.origins.Of(req.URL.Scheme + "://" + strings.ToLower(req.URL.Host))
}

// target is what a proof says that a request is for.
func (p *Prover) target(req *http.Request) string {
	path := req.URL.EscapedPath()
	if p.base != "" {
		return p.base + cmp.Or(path, "/")
	}
	return dpop.Target(req.URL.Scheme, cmp.Or(req.Host, req.URL.Host), path)
}

// maxRepeats is how often a request is sent again because an answer says what its proof is to
// say.
const maxRepeats = 2

// Proofs are those of one request, in all the attempts to send it.
type Proofs struct {
	prover  *Prover
	repeats int
	nonce   string // that an answer demanded, for the next proof
	used    string // in the last one
	skewed  bool   // the clock of the upstream was taken over
}

// Begin returns the proofs of a request.
func (p *Prover) Begin() *Proofs { return &Proofs{prover: p} }

// Put puts a proof into a request whose connection is there, for this one writing of it. A bearer
// token goes without one, and so does a request that is about no resource (OPTIONS *).
func (p *Proofs) Put(out *http.Request, t *keeper.Token) error {
	if t.Key == nil || out.URL.Path == "*" {
		inject.WithoutProof(out)
		return nil
	}
	origin := p.prover.of(out)
	p.used = cmp.Or(p.nonce, origin.Nonce())
	proof, err := t.Key.Sign(dpop.Proof{
		Method: cmp.Or(out.Method, http.MethodGet), URL: p.prover.target(out), At: origin.Now(), Nonce: p.used, TokenHash: t.Hash,
	})
	if err != nil {
		return err
	}
	inject.PutProof(out, proof)
	return nil
}
