package sandbox

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"time"
)

// codeLifetime is how long an authorization code is good.
const codeLifetime = time.Minute

// code is an authorization code that was not redeemed yet.
type code struct {
	redirectURI, challenge string
	ends                   time.Time
}

// serveAuthorize is the authorization endpoint (RFC 6749 section 4.1.1). Whoever
// comes is logged in already and agrees. It demands PKCE (RFC 7636), and a
// redirect to this machine.
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || back.Scheme != "http" || !net.ParseIP(back.Hostname()).IsLoopback() || q.Get("client_id") != s.options.ClientID {
		http.Error(w, "unknown client_id, or a redirect_uri that is not on a loopback address", http.StatusBadRequest)
		return
	}
	answer := back.Query()
	if state := q.Get("state"); state != "" {
		answer.Set("state", state)
	}
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" {
		answer.Set("error", "invalid_request")
		answer.Set("error_description", "response_type code with PKCE (S256) is served")
	} else {
		answer.Set("code", s.newCode(q.Get("redirect_uri"), q.Get("code_challenge")))
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (s *Server) newCode(redirectURI, challenge string) string {
	name := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	for known, c := range s.codes {
		if time.Now().After(c.ends) {
			delete(s.codes, known)
		}
	}
	if s.codes == nil {
		s.codes = make(map[string]code)
	}
	s.codes[name] = code{redirectURI, challenge, time.Now().Add(codeLifetime)}
	return name
}

// redeem exchanges an authorization code, once, for the tokens of a new grant.
func (s *Server) redeem(params url.Values, thumbprint string) answer {
	s.mu.Lock()
	c, ok := s.codes[params.Get("code")]
	delete(s.codes, params.Get("code"))
	s.mu.Unlock()
	hash := sha256.Sum256([]byte(params.Get("code_verifier")))
	if !ok || time.Now().After(c.ends) || c.redirectURI != params.Get("redirect_uri") ||
		!equal(c.challenge, base64.RawURLEncoding.EncodeToString(hash[:])) {
		return s.refuse(refusal{http.StatusUnauthorized, "invalid_request", "invalid code"})
	}
	var out answer
	var generation int
	err := s.update(func(st *state) error {
		st.login()
		newest := len(st.Grants) - 1
		st.rotate(newest, s.options.Lifetime, false, thumbprint)
		generation = st.Generation
		out = s.tokens(st, newest, false)
		return nil
	})
	if err != nil {
		return s.refuse(err)
	}
	s.report(EventRefreshed, generation, "generation %d, by a log-in", generation)
	return out
}
