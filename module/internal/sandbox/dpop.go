package sandbox

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Proofs of possession (RFC 9449), as strict servers read them: each names a nonce that is good
// for a moment, and none is read twice.

const (
	proofHeader = "DPoP"
	nonceHeader = "DPoP-Nonce"

	// Who gives a nonce, and takes no other's.
	atTokenEndpoint = "token endpoint"
	atAPI           = "api"
)

// proofAlgs are the algorithms of proofs that are read.
var proofAlgs = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256}

// Errors of proofs, in the words of RFC 9449.
var (
	errWantsNonce = errors.New("use_dpop_nonce")
	errProof      = errors.New("invalid_dpop_proof")
	errReplayed   = errors.New("the proof was used before")
)

// proofs remembers which were read.
type proofs struct {
	mu   sync.Mutex
	seen map[string]time.Time // by identity, until when
}

// proofKept is how long a proof is remembered: far longer than its nonce is good.
const proofKept = 10 * time.Minute

// first notes a proof, and reports whether it was never seen before.
func (p *proofs) first(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = make(map[string]time.Time)
	}
	now := time.Now()
	if len(p.seen)%10_000 == 9_999 {
		for known, until := range p.seen {
			if now.After(until) {
				delete(p.seen, known)
			}
		}
	}
	_, known := p.seen[id]
	p.seen[id] = now.Add(proofKept)
	return !known
}

// nonce is the nonce of a moment, by its distance from the newest.
func (s *Server) nonce(of string, before int64) string {
	s.mu.Lock()
	key := s.state.Key
	s.mu.Unlock()
	step := time.Now().UnixNano()/int64(s.options.NonceEvery) - before
	mac := hmac.New(sha256.New, key)
	mac.Write(binary.BigEndian.AppendUint64([]byte("nonce of the "+of), uint64(step))) //nolint:gosec // all that counts is that they differ
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// giveNonce puts the newest nonce into an answer.
func (s *Server) giveNonce(w http.ResponseWriter, of string) {
	if s.options.DPoP {
		w.Header().Set(nonceHeader, s.nonce(of, 0))
	}
}

// proof is what a proof says.
type proof struct {
	ID        string `json:"jti"`
	Method    string `json:"htm"`
	URL       string `json:"htu"`
	At        int64  `json:"iat"`
	Nonce     string `json:"nonce"`
	TokenHash string `json:"ath"`

	thumbprint string
}

// proven reads the proof of a request, and returns the thumbprint of its key. token is the
// access token that goes with it, "" at the token endpoint.
func (s *Server) proven(r *http.Request, of, token string) (thumbprint string, err error) {
	values := r.Header.Values(proofHeader)
	if len(values) != 1 {
		return "", errors.Join(errProof, errors.New("there is not one proof"))
	}
	p, err := readProof(values[0])
	if err != nil {
		return "", errors.Join(errProof, err)
	}
	first := s.proofs.first(p.ID)
	s.count(false, func(c *Counters) {
		c.Proofs++
		if !first {
			c.ReplayedProofs++
		}
	})
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	hash := sha256.Sum256([]byte(token))
	switch {
	case p.Method != r.Method || p.URL != scheme+"://"+strings.ToLower(r.Host)+r.URL.EscapedPath():
		return "", errors.Join(errProof, errors.New("it is for another request"))
	case token != "" && p.TokenHash != base64.RawURLEncoding.EncodeToString(hash[:]):
		return "", errors.Join(errProof, errors.New("it is for another access token"))
	case p.Nonce != s.nonce(of, 0) && p.Nonce != s.nonce(of, 1):
		s.count(false, func(c *Counters) { c.NoncesDemanded++ })
		return "", errWantsNonce
	case !first:
		return "", errReplayed
	}
	return p.thumbprint, nil
}

func readProof(text string) (p proof, err error) {
	jws, err := jose.ParseSignedCompact(text, proofAlgs)
	if err != nil {
		return p, errors.New("it is no signed JWT")
	}
	header := jws.Signatures[0].Protected
	if header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() || header.ExtraHeaders["typ"] != "dpop+jwt" {
		return p, errors.New("its header is not that of a proof")
	}
	payload, err := jws.Verify(header.JSONWebKey)
	if err != nil {
		return p, errors.New("its signature is wrong")
	}
	if json.Unmarshal(payload, &p) != nil || p.ID == "" || p.At == 0 {
		return p, errors.New("it does not say what a proof must")
	}
	sum, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	p.thumbprint = base64.RawURLEncoding.EncodeToString(sum)
	return p, err
}

// wantsNonce is what the token endpoint answers to one without a nonce that is good now.
var wantsNonce = refusal{http.StatusBadRequest, "use_dpop_nonce", "the proof must name a nonce of this server"}

// proofRefusal is what the token endpoint answers to a proof that it does not take. A proof
// that comes a second time is refused as real servers do, in the same words as a refresh token
// that is spent.
func proofRefusal(err error) error {
	if errors.Is(err, errReplayed) {
		return refusal{http.StatusBadRequest, "invalid_grant", errReplayed.Error()}
	}
	return refusal{http.StatusBadRequest, errProof.Error(), err.Error()}
}

// proofChallenge is what the API answers to one.
func proofChallenge(err error) string {
	code := errProof.Error()
	if errors.Is(err, errWantsNonce) {
		code = errWantsNonce.Error()
	}
	return `DPoP error="` + code + `", algs="ES256 EdDSA PS256 RS256"`
}
