package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/sandbox"
)

// holder is a client that can sign, and calls the sandbox without a network.
type holder struct {
	t       *testing.T
	sandbox *sandbox.Server
	key     *dpop.Key
}

func newHolder(t *testing.T) *holder {
	t.Helper()
	s, err := sandbox.New(sandbox.Options{ClientID: clientID, ClientSecret: clientSecret, Lifetime: time.Hour, DPoP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &holder{t, s, newKey(t)}
}

func newKey(t *testing.T) *dpop.Key {
	t.Helper()
	key, err := dpop.Generate(dpop.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (h *holder) proof(p dpop.Proof) string {
	h.t.Helper()
	p.At = time.Now()
	proof, err := h.key.Sign(p)
	if err != nil {
		h.t.Fatal(err)
	}
	return proof
}

const apiURL, tokenURL = "http://api.test/orders", "http://as.test/auth/oauth2/token"

// call asks the API with a token and proofs, and returns its answer.
func (h *holder) call(token string, proofs ...string) *http.Response {
	h.t.Helper()
	req := httptest.NewRequest(http.MethodGet, apiURL, nil)
	req.Header.Set("Authorization", "DPoP "+token)
	req.Header["Dpop"] = proofs
	w := httptest.NewRecorder()
	h.sandbox.API().ServeHTTP(w, req)
	return w.Result()
}

// refresh presents a refresh token with proofs.
func (h *holder) refresh(refreshToken string, proofs ...string) (tokens, string) {
	h.t.Helper()
	req := httptest.NewRequest(http.MethodPost, tokenURL+"?"+query(refreshToken).Encode(), nil)
	req.Header["Dpop"] = proofs
	w := httptest.NewRecorder()
	h.sandbox.AuthorizationServer().ServeHTTP(w, req)
	out := tokens{status: w.Code, header: w.Header(), raw: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &out)
	return out, w.Header().Get("DPoP-Nonce")
}

// granted refreshes with the nonce that the server wants.
func (h *holder) granted() tokens {
	h.t.Helper()
	_, nonce := h.refresh(h.sandbox.Seed())
	out, _ := h.refresh(h.sandbox.Seed(), h.proof(dpop.Proof{Method: "POST", URL: tokenURL, Nonce: nonce}))
	if out.status != http.StatusOK || !strings.Contains(out.raw, `"token_type":"DPoP"`) {
		h.t.Fatalf("%d %s", out.status, out.raw)
	}
	return out
}

func TestATokenRequestNeedsAFreshProofWithANonce(t *testing.T) {
	h := newHolder(t)
	_, nonce := h.refresh(h.sandbox.Seed())
	good := dpop.Proof{Method: "POST", URL: tokenURL, Nonce: nonce}
	for name, c := range map[string]struct {
		proofs []string
		want   string
	}{
		"none":          {nil, "invalid_dpop_proof"},
		"two":           {[]string{h.proof(good), h.proof(good)}, "invalid_dpop_proof"},
		"no JWT":        {[]string{"a.b.c"}, "invalid_dpop_proof"},
		"other method":  {[]string{h.proof(dpop.Proof{Method: "GET", URL: tokenURL, Nonce: nonce})}, "invalid_dpop_proof"},
		"other URL":     {[]string{h.proof(dpop.Proof{Method: "POST", URL: tokenURL + "/", Nonce: nonce})}, "invalid_dpop_proof"},
		"no nonce":      {[]string{h.proof(dpop.Proof{Method: "POST", URL: tokenURL})}, "use_dpop_nonce"},
		"unknown nonce": {[]string{h.proof(dpop.Proof{Method: "POST", URL: tokenURL, Nonce: "guessed"})}, "use_dpop_nonce"},
	} {
		if out, _ := h.refresh(h.sandbox.Seed(), c.proofs...); out.status != http.StatusBadRequest || out.Error != c.want {
			t.Errorf("%s: %d %s", name, out.status, out.raw)
		}
	}
	h.granted()
	if st := h.sandbox.Stats(); st.ReplayedProofs != 0 || st.NoncesDemanded != 2 {
		t.Errorf("%+v", st)
	}
}

func TestAProofThatIsRepeatedIsRefusedLikeASpentRefreshToken(t *testing.T) {
	h := newHolder(t)
	_, nonce := h.refresh(h.sandbox.Seed())
	proof := h.proof(dpop.Proof{Method: "POST", URL: tokenURL, Nonce: nonce})
	first, _ := h.refresh(h.sandbox.Seed(), proof)
	again, _ := h.refresh(first.RefreshToken, proof)
	if first.status != http.StatusOK || again.status != http.StatusBadRequest || again.Error != "invalid_grant" {
		t.Errorf("%d %s, then %d %s", first.status, first.raw, again.status, again.raw)
	}
	if st := h.sandbox.Stats(); st.ReplayedProofs != 1 {
		t.Errorf("%+v", st)
	}
}

func TestTheAPIWantsTheKeyThatTheTokenIsBoundTo(t *testing.T) {
	h := newHolder(t)
	token := h.granted().AccessToken
	nonce := h.call(token).Header.Get("DPoP-Nonce")
	good := dpop.Proof{Method: "GET", URL: apiURL, Nonce: nonce, TokenHash: dpop.Hash(token)}
	proof := h.proof(good)
	if res := h.call(token, proof); res.StatusCode != http.StatusOK {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	refused := func(name, challenge string, res *http.Response) {
		t.Helper()
		if got := res.Header.Get("Www-Authenticate"); res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(got, challenge) {
			t.Errorf("%s: %d %s", name, res.StatusCode, got)
		}
	}
	refused("repeated", `DPoP error="invalid_dpop_proof"`, h.call(token, proof))
	refused("no nonce", `DPoP error="use_dpop_nonce"`, h.call(token, h.proof(dpop.Proof{Method: "GET", URL: apiURL, TokenHash: dpop.Hash(token)})))
	refused("another token", `DPoP error="invalid_dpop_proof"`, h.call(token, h.proof(dpop.Proof{Method: "GET", URL: apiURL, Nonce: nonce, TokenHash: dpop.Hash("x")})))
	h.key = newKey(t)
	refused("another key", `DPoP error="invalid_token"`, h.call(token, h.proof(good)))
}

func TestANonceIsGoodUntilTheOneAfterTheNextComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHolder(t)
		token := h.granted().AccessToken
		nonce := h.call(token).Header.Get("DPoP-Nonce")
		status := func() int {
			return h.call(token, h.proof(dpop.Proof{Method: "GET", URL: apiURL, Nonce: nonce, TokenHash: dpop.Hash(token)})).StatusCode
		}
		for step, want := range []int{http.StatusOK, http.StatusOK, http.StatusUnauthorized} {
			if got := status(); got != want {
				t.Errorf("after %d s: %d", step, got)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestANonceOfTheAPIIsNoneOfTheTokenEndpoint(t *testing.T) {
	h := newHolder(t)
	token := h.granted()
	nonce := h.call(token.AccessToken).Header.Get("DPoP-Nonce")
	out, _ := h.refresh(token.RefreshToken, h.proof(dpop.Proof{Method: "POST", URL: tokenURL, Nonce: nonce}))
	if out.Error != "use_dpop_nonce" {
		t.Errorf("%d %s", out.status, out.raw)
	}
}
