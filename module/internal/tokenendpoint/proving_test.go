package tokenendpoint

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"lamplighter/module/internal/dpop"
)

// strict is a token endpoint that reads proofs, and remembers what it was sent.
type strict struct {
	*httptest.Server
	answer func(n int, w http.ResponseWriter, p proofClaims)

	mu         sync.Mutex
	proofs     []proofClaims
	assertions []string
	from       []string // which connection
}

type proofClaims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	URL    string `json:"htu"`
	At     int64  `json:"iat"`
	Nonce  string `json:"nonce"`
}

func newStrict(t *testing.T, answer func(n int, w http.ResponseWriter, p proofClaims)) *strict {
	t.Helper()
	s := &strict{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		values := r.Header.Values("DPoP")
		if len(values) != 1 {
			t.Errorf("%d proofs", len(values))
			return
		}
		p := readProofOf(t, values[0])
		s.mu.Lock()
		s.proofs = append(s.proofs, p)
		s.assertions = append(s.assertions, r.FormValue("client_assertion"))
		s.from = append(s.from, r.RemoteAddr)
		n := len(s.proofs)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		s.answer(n, w, p)
	}))
	t.Cleanup(s.Close)
	return s
}

func readProofOf(t *testing.T, text string) (p proofClaims) {
	t.Helper()
	jws, err := jose.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(jws.Signatures[0].Protected.JSONWebKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func refuseWith(w http.ResponseWriter, code, nonce string) {
	if nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"error":%q,"error_description":"of a proof"}`, code)
}

func grantWith(w http.ResponseWriter, tokenType, accessToken string) {
	fmt.Fprintf(w, `{"access_token":%q,"token_type":%q,"expires_in":60,"refresh_token":"the-next"}`, accessToken, tokenType)
}

func proverOf(t *testing.T) *Prover {
	t.Helper()
	key, err := dpop.Generate(dpop.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return &Prover{Key: key, Origins: new(dpop.Origins)}
}

func privateKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// A demand for a nonce is no word about the refresh token: the same attempt goes on, with
// nothing in it that was sent before.
func TestANonceThatIsDemandedIsGivenInTheSameAttempt(t *testing.T) {
	s := newStrict(t, func(n int, w http.ResponseWriter, p proofClaims) {
		if n == 1 {
			refuseWith(w, "use_dpop_nonce", "n-1")
			return
		}
		grantWith(w, "DPoP", "opaque")
	})
	asked := 0
	prover := proverOf(t)
	a := ask(t, Dialect{AuthMethod: "private_key_jwt"}, Request{
		URL: s.URL + "/Token?tenant=1", ClientID: "app", PrivateKey: privateKey(t), RefreshToken: "the-first", Prover: prover,
		BeforeSend: func() error { asked++; return nil },
	})
	if a.Outcome != Granted || a.RefreshToken != "the-next" || a.Unusable != "" || a.BoundTo != prover.Key {
		t.Errorf("%+v", a)
	}
	if asked != 1 {
		t.Errorf("it was asked %d times whether the request may be sent", asked)
	}
	if len(s.proofs) != 2 || s.proofs[0].Nonce != "" || s.proofs[1].Nonce != "n-1" || s.proofs[0].ID == s.proofs[1].ID {
		t.Fatalf("%+v", s.proofs)
	}
	if p := s.proofs[1]; p.Method != "POST" || p.URL != s.URL+"/Token" {
		t.Errorf("the proof is for %s %s", p.Method, p.URL)
	}
	if s.assertions[0] == "" || s.assertions[0] == s.assertions[1] {
		t.Error("an assertion was sent twice")
	}
	if s.from[0] != s.from[1] {
		t.Error("it was sent on another connection, though the server kept the first")
	}
	ask(t, Dialect{AuthMethod: "none"}, Request{URL: s.URL, ClientID: "app", RefreshToken: "the-next", Prover: prover})
	if last := s.proofs[len(s.proofs)-1]; last.Nonce != "n-1" {
		t.Errorf("the next attempt begins with the nonce %q", last.Nonce)
	}
}

func TestAServerThatDemandsNoncesWithoutEndIsAskedThreeTimes(t *testing.T) {
	s := newStrict(t, func(n int, w http.ResponseWriter, p proofClaims) {
		refuseWith(w, "use_dpop_nonce", fmt.Sprint("n-", n))
	})
	a := ask(t, Dialect{AuthMethod: "none", TerminalErrors: []string{"use_dpop_nonce", "400"}}, Request{URL: s.URL, ClientID: "app", RefreshToken: "r", Prover: proverOf(t)})
	if len(s.proofs) != 3 || a.Outcome != Unavailable || a.Cause != "use_dpop_nonce" || a.Status != http.StatusBadRequest || !a.Passes {
		t.Errorf("%d requests: %+v", len(s.proofs), a)
	}
}

func TestANonceThatIsRefusedIsNotRepeated(t *testing.T) {
	for name, nonce := range map[string]string{"the same": "n", "none": ""} {
		s := newStrict(t, func(n int, w http.ResponseWriter, p proofClaims) { refuseWith(w, "use_dpop_nonce", nonce) })
		a := ask(t, Dialect{AuthMethod: "none"}, Request{URL: s.URL, ClientID: "app", RefreshToken: "r", Prover: proverOf(t)})
		want := 1
		if nonce != "" {
			want = 2
		}
		if len(s.proofs) != want || a.Outcome != Unavailable {
			t.Errorf("%s: %d requests: %+v", name, len(s.proofs), a)
		}
	}
}

func TestAProofIsMadeByTheServersClockIfThatDiffers(t *testing.T) {
	there := 17 * time.Minute
	s := newStrict(t, func(n int, w http.ResponseWriter, p proofClaims) {
		w.Header().Set("Date", time.Now().Add(there).UTC().Format(http.TimeFormat))
		if ahead := time.Until(time.Unix(p.At, 0)); (ahead - there).Abs() > 10*time.Second {
			refuseWith(w, "invalid_dpop_proof", "")
			return
		}
		grantWith(w, "dpop", "opaque")
	})
	a := ask(t, Dialect{AuthMethod: "none"}, Request{URL: s.URL, ClientID: "app", RefreshToken: "r", Prover: proverOf(t)})
	if a.Outcome != Granted || len(s.proofs) != 2 {
		t.Errorf("%d requests: %+v", len(s.proofs), a)
	}
}

// Whatever the settings say of errors: it is about the clock, the address or the key.
func TestAProofThatIsRefusedSaysNothingOfTheGrant(t *testing.T) {
	s := newStrict(t, func(n int, w http.ResponseWriter, p proofClaims) { refuseWith(w, "invalid_dpop_proof", "") })
	a := ask(t, Dialect{AuthMethod: "none", TerminalErrors: []string{"invalid_dpop_proof", "400"}}, Request{URL: s.URL + "/token", ClientID: "app", RefreshToken: "r", Prover: proverOf(t)})
	if len(s.proofs) != 1 || a.Outcome != Misconfigured || a.Cause != "invalid_dpop_proof" || a.DeadGrant != "" {
		t.Errorf("%d requests: %+v", len(s.proofs), a)
	}
	for _, word := range []string{"ES256", "POST " + s.URL + "/token"} {
		if !strings.Contains(a.Detail, word) {
			t.Errorf("no %q in %q", word, a.Detail)
		}
	}
}

func TestAClientWithoutProofsIsToldThatTheServerWantsThem(t *testing.T) {
	url := answering(t, http.StatusBadRequest, nil, `{"error":"invalid_dpop_proof","error_description":"DPoP proof JWT is required"}`)
	a := ask(t, Dialect{AuthMethod: "none"}, Request{URL: url, ClientID: "app", RefreshToken: "r"})
	if a.Outcome != Misconfigured || !strings.Contains(a.Remedy, "add 'dpop'") {
		t.Errorf("%+v", a)
	}
}

func TestAnAccessTokenThatIsNotBoundIsWithheldAndItsRefreshTokenKept(t *testing.T) {
	prover := proverOf(t)
	jwt := func(jkt string) string {
		encode := base64.RawURLEncoding.EncodeToString
		return encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(`{"cnf":{"jkt":"`+jkt+`"}}`)) + ".x"
	}
	for name, c := range map[string]struct {
		tokenType, token string
		allowed          bool
		why              string
		bound            bool
	}{
		"opaque":                      {"DPoP", "opaque", false, "", true},
		"a JWT that says so":          {"DPoP", jwt(prover.Key.Thumbprint()), false, "", true},
		"bearer":                      {"Bearer", "opaque", false, `its token_type is "Bearer", not DPoP`, false},
		"no type":                     {"", "opaque", false, "it has no token_type", false},
		"another key":                 {"DPoP", jwt("another"), false, "it is bound to another key", false},
		"bearer, allowed":             {"bearer", "opaque", true, "", false},
		"another key, bearer allowed": {"DPoP", jwt("another"), true, "it is bound to another key", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStrict(t, func(_ int, w http.ResponseWriter, _ proofClaims) { grantWith(w, c.tokenType, c.token) })
			own := *prover
			own.BearerAllowed = c.allowed
			a := ask(t, Dialect{AuthMethod: "none", AnyTokenType: true}, Request{URL: s.URL, ClientID: "app", RefreshToken: "r", Prover: &own})
			if a.Outcome != Granted || a.RefreshToken != "the-next" || a.Unusable != c.why || (a.BoundTo != nil) != c.bound {
				t.Errorf("%+v", a)
			}
			if want := map[bool]string{true: "", false: CauseNotBound}[c.why == ""]; a.Cause != want {
				t.Errorf("the cause is %q", a.Cause)
			}
		})
	}
}

// net/http sends a request again by itself whose connection was kept and is closed without an
// answer.
func TestNothingSignedIsSentTwiceOverAConnectionThatWasKept(t *testing.T) {
	for _, d := range []Dialect{{AuthMethod: "none"}, {AuthMethod: "none", Method: "GET", ParamsIn: "query"}} {
		var mu sync.Mutex
		seen := make(map[string]int)
		server := serveKept(t, func(conn net.Conn, next func() (*http.Request, error)) {
			for n := 1; ; n++ {
				req, err := next()
				if err != nil {
					return
				}
				mu.Lock()
				seen[req.Header.Get("DPoP")]++
				mu.Unlock()
				if n == 2 {
					return // without an answer
				}
				body := `{"error":"use_dpop_nonce"}`
				fmt.Fprintf(conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nDPoP-Nonce: n\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			}
		})
		a := ask(t, d, Request{URL: "http://" + server, ClientID: "app", RefreshToken: "r", Prover: proverOf(t)})
		mu.Lock()
		if a.Outcome != Unanswered || len(seen) != 2 {
			t.Errorf("%s: %d proofs: %+v", d.Method, len(seen), a)
		}
		for proof, times := range seen {
			if times != 1 {
				t.Errorf("%s: %s came %d times", d.Method, proof, times)
			}
		}
		mu.Unlock()
	}
}

// A request that is called off when its connection is there is not written.
func TestARequestWithAProofCanBeCalledOff(t *testing.T) {
	s := newStrict(t, func(_ int, w http.ResponseWriter, _ proofClaims) { grantWith(w, "DPoP", "opaque") })
	a := ask(t, Dialect{AuthMethod: "none"}, Request{
		URL: s.URL, ClientID: "app", RefreshToken: "r", Prover: proverOf(t), BeforeSend: func() error { return errors.New("not now") },
	})
	if a.Outcome != NotSent || len(s.proofs) != 0 {
		t.Errorf("%d requests: %+v", len(s.proofs), a)
	}
}
