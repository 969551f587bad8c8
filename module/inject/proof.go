package inject

import "net/http"

// ProofHeader is where a request has its proof of possession (RFC 9449 section 4.1).
const ProofHeader = "DPoP"

// PutProof sets the proof of a request that Into returned, in place of any that is there.
func PutProof(out *http.Request, proof string) {
	deleteAlike(out.Header, ProofHeader)
	out.Header[ProofHeader] = []string{proof}
}

// WithoutProof takes the caller's own proof out of such a request: it is of a key that is none of
// ours, and two are an error.
func WithoutProof(out *http.Request) { deleteAlike(out.Header, ProofHeader) }
