package sandbox

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// serveToken is the token endpoint: EIAM's rules, or what a fault makes of them.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	s.count(true, func(c *Counters) { c.TokenRequests++ })
	s.giveNonce(w, atTokenEndpoint)
	fault := s.nextFault()
	if fault.Kind == faultDelay {
		fault.pause(r.Context())
	}
	var out answer
	if fault.processes() {
		out = s.exchange(r, fault.Kind == faultNoRefreshToken)
	}
	if fault.Kind == faultDelayAnswer {
		fault.pause(r.Context())
	}
	fault.deliver(w, out)
}

// exchange answers a token request.
func (s *Server) exchange(r *http.Request, keepRefreshToken bool) answer {
	params, err := s.check(r)
	if err != nil {
		return s.refuse(err)
	}
	thumbprint := ""
	if s.options.DPoP {
		if thumbprint, err = s.proven(r, atTokenEndpoint, ""); errors.Is(err, errWantsNonce) {
			return wantsNonce.answer()
		} else if err != nil {
			return s.refuse(proofRefusal(err))
		}
	}
	if params.Get("grant_type") == "authorization_code" {
		return s.redeem(params, thumbprint)
	}
	presented := params.Get("refresh_token")
	out, generation, err := s.refresh(presented, keepRefreshToken, thumbprint)
	if err != nil {
		return s.refuse(err)
	}
	dead := "old tokens are dead"
	if keepRefreshToken {
		dead = "the old access token is dead, the refresh token stays"
	}
	s.report(EventRefreshed, generation, "generation %d, token valid %v, %s", generation, s.options.Lifetime, dead)
	return out
}

// check returns the parameters of a request that obeys the rules.
func (s *Server) check(r *http.Request) (params url.Values, err error) {
	if r.Method != http.MethodPost {
		return nil, refusal{http.StatusMethodNotAllowed, "invalid_request", "method not allowed"}
	}
	if n, _ := io.CopyN(io.Discard, r.Body, 1); n > 0 {
		return nil, refusal{http.StatusBadRequest, "invalid_request", "parameters belong in the query, and the body must be empty"}
	}
	params, err = url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refusal{http.StatusBadRequest, "invalid_request", "malformed query"}
	}
	if !s.authenticates(r.Header.Values("Authorization"), params) {
		return nil, refusal{http.StatusBadRequest, "invalid_request", "invalid client"}
	}
	if params.Get("grant_type") == "authorization_code" {
		return params, nil
	}
	if params.Get("grant_type") != "refresh_token" {
		return nil, refusal{http.StatusForbidden, "unauthorized_client", "invalid grant_type"}
	}
	if !params.Has("refresh_token") {
		return nil, refusal{http.StatusBadRequest, "invalid_request", "missing refresh_token parameter"}
	}
	return params, nil
}

// authenticates tells whether a request is the client's, by exactly one of two
// methods: its secret in the query, or a header. EIAM's own example shows that
// the header is not form-encoded before base64, which RFC 6749 would have.
func (s *Server) authenticates(authorization []string, params url.Values) bool {
	id := params.Get("client_id")
	if len(authorization) == 0 {
		return equal(id, s.options.ClientID) && equal(params.Get("client_secret"), s.options.ClientSecret)
	}
	if len(authorization) > 1 || params.Has("client_secret") || (id != "" && id != s.options.ClientID) {
		return false
	}
	scheme, encoded, _ := strings.Cut(authorization[0], " ")
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	return err == nil && strings.EqualFold(scheme, "Basic") && equal(string(decoded), s.options.ClientID+":"+s.options.ClientSecret)
}

func equal(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// refresh exchanges a refresh token, and kills what it replaces.
func (s *Server) refresh(presented string, keepRefreshToken bool, thumbprint string) (out answer, generation int, err error) {
	err = s.update(func(st *state) error {
		grant, err := st.spendable(presented)
		if err != nil {
			return err
		}
		st.rotate(grant, s.options.Lifetime, keepRefreshToken, thumbprint)
		generation = st.Generation
		out = s.tokens(st, grant, keepRefreshToken)
		return nil
	})
	if errors.Is(err, errSpent) && s.options.RevokeOnReuse {
		err = errors.Join(err, s.update(func(st *state) error {
			grant, _ := st.spendable(presented)
			st.Grants[grant].Revoked = true
			return nil
		}))
	}
	return out, generation, err
}

// refusal is an error in EIAM's words, of which there is neither invalid_grant
// nor invalid_client.
type refusal struct {
	status            int
	code, description string
}

func (r refusal) Error() string { return fmt.Sprintf("%d %s", r.status, r.description) }

// refuse counts and reports what went wrong, and answers it.
func (s *Server) refuse(cause error) answer {
	no := refusal{http.StatusInternalServerError, "server_error", cause.Error()}
	kind := EventRefused
	spent := errors.Is(cause, errSpent)
	switch {
	case errors.As(cause, &no):
	case spent, errors.Is(cause, errUnknownToken), errors.Is(cause, errRevoked):
		no = refusal{http.StatusUnauthorized, "invalid_request", "invalid_token"}
		cause = fmt.Errorf("the refresh token was refused: %w", cause)
	}
	if spent {
		kind = EventSpent
	}
	var generation int
	s.count(true, func(c *Counters) {
		c.Refused++
		if spent {
			c.SpentRefreshTokens++
		}
		generation = c.Generation
	})
	s.report(kind, generation, "%v", cause)
	return no.answer()
}
