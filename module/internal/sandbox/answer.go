package sandbox

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// answer is what the token endpoint answers.
type answer struct {
	status int
	header map[string]string
	body   []byte
}

func jsonAnswer(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is one of our own types
	}
	return answer{status, map[string]string{"Content-Type": "application/json;charset=UTF-8"}, body}
}

func (a answer) write(w http.ResponseWriter) {
	a.writeHeader(w)
	_, _ = w.Write(a.body)
}

// writeTruncated cuts the connection after half of the body.
func (a answer) writeTruncated(w http.ResponseWriter) {
	a.writeHeader(w)
	_, _ = w.Write(a.body[:len(a.body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func (a answer) writeHeader(w http.ResponseWriter) {
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
}

func (r refusal) answer() answer {
	return jsonAnswer(r.status, map[string]string{"error": r.code, "error_description": r.description})
}

// tokens answers the current tokens of a grant. The refresh token comes last, so
// that an answer cut in two has lost it.
func (s *Server) tokens(st *state, grant int, withoutRefreshToken bool) answer {
	g := st.Grants[grant]
	var out struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type,omitempty"`
		ExpiresIn    int    `json:"expires_in"`
		IDToken      string `json:"id_token"`
		RefreshToken string `json:"refresh_token,omitempty"`
	}
	out.AccessToken = st.token(accessToken, grant, g.Access)
	if s.options.DPoP {
		out.TokenType = "DPoP"
	}
	out.ExpiresIn = int(s.options.Lifetime / time.Second)
	out.IDToken = st.idToken(s.options.ClientID, g.ExpiresAt)
	if !withoutRefreshToken {
		out.RefreshToken = st.token(refreshToken, grant, g.Refresh)
	}
	return jsonAnswer(http.StatusOK, out)
}

// idToken makes a JWT. Nothing here reads it.
func (st *state) idToken(audience string, expiresAt time.Time) string {
	claims, _ := json.Marshal(map[string]any{
		"iss": "sandbox", "sub": "demo", "aud": audience,
		"iat": time.Now().Unix(), "exp": expiresAt.Unix(), "jti": rand.Text(),
	})
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(claims)
	return signed + "." + encode(st.sign(signed))
}
