package sandbox

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// reply is how the API answers an authorized request: with what it saw, except
// for the token.
type reply struct {
	Method     string `json:"method"`
	Path       string `json:"path"`
	Host       string `json:"host"`
	BodyBytes  int64  `json:"body_bytes"`
	Generation int    `json:"generation"`
	Request    int    `json:"request"`
}

// serveAPI answers any request with one current access token.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	s.giveNonce(w, atAPI)
	scheme := "Bearer"
	if s.options.DPoP {
		scheme = "DPoP"
	}
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		s.unauthorized(w, r, scheme, "it has no token")
		return
	}
	refused := scheme + ` error="invalid_token"`
	token, itIs := strings.CutPrefix(values[0], scheme+" ")
	if !itIs || len(values) > 1 {
		s.unauthorized(w, r, refused, "it has no "+scheme+" token, or more than one")
		return
	}
	thumbprint := ""
	if s.options.DPoP {
		var err error
		if thumbprint, err = s.proven(r, atAPI, token); errors.Is(err, errWantsNonce) {
			challengeWith(w, proofChallenge(err), err.Error())
			return
		} else if err != nil {
			s.unauthorized(w, r, proofChallenge(err), "its proof: "+err.Error())
			return
		}
	}
	s.mu.Lock()
	generation, err := s.state.accepts(token, thumbprint)
	s.mu.Unlock()
	if err != nil {
		s.unauthorized(w, r, refused, "its token: "+err.Error())
		return
	}
	out := reply{Method: r.Method, Path: r.URL.Path, Host: r.Host, Generation: generation}
	out.BodyBytes, err = io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	s.count(false, func(c *Counters) {
		c.APIOK++
		out.Request = c.APIOK
	})
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) unauthorized(w http.ResponseWriter, r *http.Request, challenge, why string) {
	var generation int
	s.count(false, func(c *Counters) {
		c.APIUnauthorized++
		generation = c.Generation
	})
	s.report(EventUnauthorized, generation, "the API refused %s %s: %s", r.Method, r.URL.Path, why)
	challengeWith(w, challenge, why)
}

func challengeWith(w http.ResponseWriter, challenge, why string) {
	w.Header().Set("Www-Authenticate", challenge)
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "unauthorized", "error_description": why})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
