package observe

import "sync/atomic"

// proofCauses are why a proof of possession (RFC 9449) is refused, by an upstream and by the
// authorization server: rows of the table of causes.
var proofCauses = [...]string{
	"dpop_nonce_refused", "dpop_proof_refused", "dpop_not_understood", "dpop_credentials_doubled",
	"use_dpop_nonce", "invalid_dpop_proof",
}

// Proofs counts the proofs of a client that were refused: those in whose place another one was
// sent at once, and those that this did not help. The zero value is ready.
type Proofs struct {
	repeated, failed [len(proofCauses)]atomic.Uint64
}

// Refused counts a proof that was refused for a cause, and whether another one is sent. Of other
// causes it counts nothing.
func (p *Proofs) Refused(cause string, again bool) {
	for i, known := range proofCauses {
		switch {
		case known != cause:
		case again:
			p.repeated[i].Add(1)
		default:
			p.failed[i].Add(1)
		}
	}
}

// each yields the numbers with the values of their labels, those that are zero too.
func (p *Proofs) each(yield func(n *atomic.Uint64, outcome, cause string)) {
	for i, cause := range proofCauses {
		yield(&p.repeated[i], "repeated", cause)
		yield(&p.failed[i], "failed", cause)
	}
}
