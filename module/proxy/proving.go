package proxy

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"lamplighter/module/cause"
	"lamplighter/module/client"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/redact"
	"lamplighter/module/prover"
	"lamplighter/module/replay"
)

// newProver returns who makes the proofs of requests, if tokens are bound to a key.
func (t *Transport) newProver() (*prover.Prover, error) {
	d := t.client.Settings().DPoP
	if d == nil { // tokens of before may be bound all the same
		return prover.New(""), nil
	}
	if slices.Contains(t.Versions, "3") {
		return nil, errors.New("dpop: with 'versions 3' nobody is shown when a request is written, and each writing needs a proof of its own: leave 3 out")
	}
	return prover.New(d.HTU), nil
}

// proofsOf begins the proofs of a request with a token, nil if neither that nor one that takes its
// place needs any.
func (t *Transport) proofsOf(token *keeper.Token) *prover.Proofs {
	if token.Key == nil && t.client.Settings().DPoP == nil {
		return nil
	}
	return t.prover.Begin()
}

// askFirst obtains a nonce for a request whose body cannot be sent again, where the upstream may
// well want one: it would refuse the whole upload for the lack of it. The request that is sent for
// that has no body and changes nothing, and what it is answered does not matter.
func (t *Transport) askFirst(req *http.Request, p *client.Pass, body *replay.Body) {
	kept := body != nil && req.ContentLength >= 0
	if p.Token().Key == nil || !replay.HasBody(req) || kept {
		return
	}
	ask := new(http.Request)
	*ask = *req
	ask.Method, ask.Body, ask.GetBody, ask.ContentLength, ask.TransferEncoding, ask.Trailer = http.MethodHead, nil, nil, 0, nil, nil
	ask.Header = maps.Clone(req.Header)
	for name := range ask.Header {
		if strings.HasPrefix(name, "Content-") || name == "Expect" || name == "Trailer" || name == "Te" || name == "Upgrade" || name == "Connection" {
			delete(ask.Header, name)
		}
	}
	to := *req.URL
	ask.URL = &to
	t.SetScheme(ask)
	if !t.prover.AskFirst(ask) {
		return
	}
	if res, _, err := t.once(ask, p, t.prover.Begin()); err == nil {
		_ = res.Body.Close()
	}
}

// tellOfProof logs what an upstream says of proofs that nobody here can mend.
func (t *Transport) tellOfProof(v prover.Verdict) {
	why := cause.Of(v.Cause).With("client", t.Client)
	t.refusals.Log(zap.WarnLevel, why.Name, why.Sentence, zap.String("client", t.Client), zap.String("remedy", why.Remedy),
		zap.String("htu", redact.Text(v.Target)), zap.String("alg", v.Alg), zap.String("algs", redact.Text(v.Algs)), zap.Duration("clock_ahead", v.Ahead))
}
