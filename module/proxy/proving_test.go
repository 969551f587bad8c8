package proxy_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"lamplighter/module/internal/sandbox"
	"lamplighter/module/moduletest"
)

// proving is a sidecar whose authorization server demands proofs of possession.
type proving struct {
	*moduletest.Sidecar
	as *moduletest.Rotating
	*sandbox.Server
}

const provingSecret = "of-the-client-that-can-sign"

// newProving prepares one. api answers what is sent to the API; nil for the sandbox's own.
func newProving(t *testing.T, api http.HandlerFunc) *proving {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{ClientID: moduletest.ClientID, ClientSecret: provingSecret, Lifetime: time.Hour, DPoP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	as := moduletest.NewRotating(t)
	as.Tokens = httptest.NewServer(box.AuthorizationServer())
	t.Cleanup(as.Tokens.Close)
	if as.Refuse = api; api == nil {
		as.Refuse = box.API().ServeHTTP
	}
	s := moduletest.NewSidecar(t, as)
	moduletest.Write(t, s, "secret", provingSecret)
	moduletest.Write(t, s, "seed", box.Seed())
	return &proving{s, as, box}
}

// replays counts proofs that came twice.
type replays struct {
	mu   sync.Mutex
	seen map[string]int
}

func (r *replays) note(req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = make(map[string]int)
	}
	r.seen[req.Header.Get("DPoP")]++
}

// once returns how many there were, and that each came once.
func (r *replays) once(t *testing.T) (total int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for proof, times := range r.seen {
		if times != 1 || proof == "" {
			t.Errorf("%q came %d times", proof, times)
		}
		total += times
	}
	return total
}

func TestEachRequestProvesTheKeyOfItsToken(t *testing.T) {
	for _, kind := range []string{"http/1.1", "https with http/1.1", "https with http/2", "h2c", "unix socket"} {
		t.Run(kind, func(t *testing.T) {
			s := newProving(t, nil)
			options := s.ServeOver(kind)
			s.Load(s.Config("dpop\nallow "+s.Allowed(), "transport http {\n"+options+"\n}"))
			for _, c := range []struct{ method, path, body string }{
				{"GET", "/", ""}, {"POST", "/orders%2F7/?page=2", "a body"}, {"DELETE", "/orders//x/", ""}, {"PUT", "/orders", strings.Repeat("x", 1<<17)},
			} {
				res, body := s.Do(c.method, c.path, c.body, "DPoP", "the caller's own")
				if res.StatusCode != http.StatusOK || !strings.Contains(body, fmt.Sprintf(`"body_bytes":%d`, len(c.body))) {
					t.Errorf("%s %s: %s %s", c.method, c.path, res.Status, body)
				}
				if got := res.Header.Get("DPoP-Nonce"); got != "" {
					t.Errorf("the caller is given the nonce %q", got)
				}
			}
			st := s.Stats()
			if st.ReplayedProofs != 0 || st.APIUnauthorized != 0 || st.SpentRefreshTokens != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// cutting is an upstream that accepts each token, and of the requests on a connection answers the
// first and closes it without an answer to the second.
func cutting(seen *replays) (http.HandlerFunc, func(*http.Server)) {
	type key struct{}
	type connection struct {
		net.Conn
		mu       sync.Mutex
		requests int
	}
	handle := func(w http.ResponseWriter, r *http.Request) {
		seen.note(r)
		c := r.Context().Value(key{}).(*connection)
		c.mu.Lock()
		c.requests++
		n := c.requests
		c.mu.Unlock()
		if n > 1 {
			_ = c.Close()
			panic(http.ErrAbortHandler)
		}
	}
	return handle, func(s *http.Server) {
		s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, key{}, &connection{Conn: c})
		}
	}
}

// net/http sends a request again by itself, on another connection, when a kept one is closed.
func TestNoProofIsSentTwiceToAServerThatClosesKeptConnections(t *testing.T) {
	for _, kind := range []string{"http/1.1", "https with http/2"} {
		t.Run(kind, func(t *testing.T) {
			var seen replays
			handle, configure := cutting(&seen)
			s := newProving(t, handle)
			s.Configure = configure
			options := s.ServeOver(kind)
			s.Load(s.Config("dpop\nallow "+s.Allowed(), "transport http {\n"+options+"\n}"))
			answered := 0
			const requests = 30
			for range requests {
				if res, _ := s.Do("GET", "/", ""); res.StatusCode == http.StatusOK {
					answered++
				}
			}
			if reached := seen.once(t); kind == "http/1.1" && (answered != requests || reached < requests+requests/4) {
				t.Errorf("%d of %d were answered, and %d reached the server: no request was sent again by net/http", answered, requests, reached)
			}
		})
	}
}

// scripted is an upstream that answers one request after the other as it is told, and then all
// like the last.
type scripted struct {
	mu      sync.Mutex
	answers []func(w http.ResponseWriter)
	methods []string
	nonces  []string
	seen    replays
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.seen.note(r)
	nonce := ""
	if jws, err := jose.ParseSigned(r.Header.Get("DPoP"), []jose.SignatureAlgorithm{jose.ES256}); err == nil {
		nonce = between(string(jws.UnsafePayloadWithoutVerification()), `"nonce":"`, `"`)
	}
	s.mu.Lock()
	s.methods, s.nonces = append(s.methods, r.Method), append(s.nonces, nonce)
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.mu.Unlock()
	answer(w)
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	middle, _, _ := strings.Cut(rest, after)
	return middle
}

func says(status int, nonce, challenge string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		if nonce != "" {
			w.Header().Set("DPoP-Nonce", nonce)
		}
		if challenge != "" {
			w.Header().Set("WWW-Authenticate", challenge)
		}
		w.WriteHeader(status)
	}
}

func TestAnAnswerAboutAProofIsNoneAboutTheToken(t *testing.T) {
	const wantsNonce = `DPoP error="use_dpop_nonce"`
	fine := says(200, "", "")
	for name, c := range map[string]struct {
		method, body string
		answers      []func(http.ResponseWriter)
		status       int
		nonces       string
		refreshes    int
		counted      map[string]float64
	}{
		"a nonce is demanded":        {"POST", "a body", []func(http.ResponseWriter){says(401, "n-1", wantsNonce), fine}, 200, " n-1", 1, map[string]float64{"repeated dpop_nonce_refused": 1}},
		"two nonces are demanded":    {"PATCH", "a body", []func(http.ResponseWriter){says(401, "n-1", wantsNonce), says(401, "n-2", wantsNonce), fine}, 200, " n-1 n-2", 1, map[string]float64{"repeated dpop_nonce_refused": 2}},
		"nonces are demanded always": {"GET", "", []func(http.ResponseWriter){says(401, "n-1", wantsNonce), says(401, "n-2", wantsNonce), says(401, "n-3", wantsNonce)}, 401, " n-1 n-2", 1, map[string]float64{"repeated dpop_nonce_refused": 2, "failed dpop_nonce_refused": 1}},
		"the proof is refused":       {"GET", "", []func(http.ResponseWriter){says(401, "", `DPoP error="invalid_dpop_proof"`)}, 401, "", 1, map[string]float64{"failed dpop_proof_refused": 1}},
		"DPoP is not known":          {"GET", "", []func(http.ResponseWriter){says(401, "", `Bearer error="invalid_token"`)}, 401, "", 1, map[string]float64{"failed dpop_not_understood": 1}},
		"the token is dead":          {"GET", "", []func(http.ResponseWriter){says(401, "n-1", `DPoP error="invalid_token"`), says(401, "n-2", wantsNonce), fine}, 200, " n-1 n-2", 2, map[string]float64{"repeated dpop_nonce_refused": 1}},
		"the token is dead, says no challenge, and a body goes along": {"PUT", "a body", []func(http.ResponseWriter){says(401, "", ""), says(401, "n-2", wantsNonce), fine}, 200, "  n-2", 2, map[string]float64{"repeated dpop_nonce_refused": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			upstream := &scripted{answers: c.answers}
			s := newProving(t, upstream.ServeHTTP)
			s.Load(s.Config("dpop", ""))
			before := counter(t, "proofs_refused_total")
			res, body := s.Do(c.method, "/", c.body)
			if got := strings.Join(upstream.nonces, " "); res.StatusCode != c.status || got != c.nonces {
				t.Errorf("%s %s, with the nonces %q", res.Status, body, got)
			}
			if st := s.Stats(); st.Refreshed != c.refreshes {
				t.Errorf("the token was refreshed %d times", st.Refreshed)
			}
			upstream.seen.once(t)
			for labels, n := range counter(t, "proofs_refused_total") {
				n -= before[labels]
				if want := c.counted[strings.TrimPrefix(labels, "erp ")]; n != want && !strings.HasSuffix(labels, "use_dpop_nonce") {
					t.Errorf("%s: %v were counted, want %v", labels, n, want)
				}
			}
		})
	}
}

// The authorization server of these tests wants a nonce in the first proof that it is given.
func TestProofsThatAreRefusedAreCountedOfClientsThatMakeSome(t *testing.T) {
	s := newProving(t, nil)
	s.Load(s.Config("dpop", ""))
	s.WantOK()
	counted := counter(t, "proofs_refused_total")
	if counted["erp repeated use_dpop_nonce"] != 1 || counted["erp failed use_dpop_nonce"] != 0 || counted["erp repeated dpop_nonce_refused"] != 1 || len(counted) != 12 {
		t.Errorf("%v", counted)
	}
	s.Load(moduletest.NewSidecar(t, moduletest.NewRotating(t)).Config("", ""))
	if counted := counter(t, "proofs_refused_total"); len(counted) != 0 {
		t.Errorf("without dpop: %v", counted)
	}
}

func TestAnUploadThatCannotBeSentAgainIsPrecededByAQuestion(t *testing.T) {
	upstream := &scripted{answers: []func(http.ResponseWriter){says(401, "n-1", `DPoP error="use_dpop_nonce"`), says(200, "", "")}}
	s := newProving(t, upstream.ServeHTTP)
	s.Load(s.Config("dpop\nreplay_buffer 0", ""))
	for range 2 {
		if res, body := s.Do("POST", "/upload", "a body"); res.StatusCode != http.StatusOK {
			t.Errorf("%s %s", res.Status, body)
		}
	}
	if got := strings.Join(upstream.methods, " ") + strings.Join(upstream.nonces, " "); got != "HEAD POST POST n-1 n-1" {
		t.Errorf("it was sent %s", got)
	}
}

func TestAnUpgradeProvesTheKey(t *testing.T) {
	s := newProving(t, nil)
	box := s.Server.API()
	s.as.Refuse = func(w http.ResponseWriter, r *http.Request) {
		judged := httptest.NewRecorder()
		box.ServeHTTP(judged, r)
		if judged.Code != http.StatusOK {
			maps.Copy(w.Header(), judged.Header())
			w.WriteHeader(judged.Code)
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
	}
	s.Load(s.Config("dpop", ""))
	conn, err := net.Dial("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	line := make([]byte, len("HTTP/1.1 101"))
	if _, err := conn.Read(line); err != nil || string(line) != "HTTP/1.1 101" {
		t.Errorf("%q %v", line, err)
	}
}

func TestAHealthCheckProvesTheKey(t *testing.T) {
	s := newProving(t, nil)
	box, checked := s.Server.API(), make(chan int, 100)
	s.as.Refuse = func(w http.ResponseWriter, r *http.Request) {
		judged := httptest.NewRecorder()
		box.ServeHTTP(judged, r)
		maps.Copy(w.Header(), judged.Header())
		w.WriteHeader(judged.Code)
		if r.URL.Path == "/health" {
			checked <- judged.Code
		}
	}
	s.Load(s.Config("dpop", "health_uri /health\nhealth_interval 100ms"))
	for status := range checked { // the first demands a nonce
		if status == http.StatusOK {
			break
		}
	}
	if st := s.Stats(); st.APIUnauthorized != 0 || st.ReplayedProofs != 0 {
		t.Errorf("%+v", st)
	}
}

func TestWhatCannotGoWithProofsIsFoundByValidate(t *testing.T) {
	s := newProving(t, nil)
	upstream := strings.TrimPrefix(s.as.API.URL, "http://")
	for want, config := range map[string]string{
		"only 'upstream_oauth' and 'transport oauth2' can make":                       s.Site("dpop", "inject_token erp\nreverse_proxy "+upstream),
		"{oauth2_client.erp.access_token}: client erp: its tokens are bound to a key": strings.Replace(s.Site("dpop", "respond ok"), "admin off", "admin off\noauth2_client other {\ntoken_endpoint https://login.example.com/token\nclient_id other\nclient_secret x\nparam token {oauth2_client.erp.access_token}\n}", 1),
		"leave 3 out": s.Upstreams("https://127.0.0.1", "dpop", "transport http {\nversions 3\n}"),
	} {
		if err := moduletest.Validate(t, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

// Fault C. An upstream's nonce is for who signs, wherever in an answer it is.
func TestNoCallerIsGivenANonceBeforeOrBehindAnAnswer(t *testing.T) {
	answers := map[string]string{
		"/early":   "HTTP/1.1 103 Early Hints\r\nDPoP-Nonce: n-0nce\r\nLink: </style.css>\r\n\r\nHTTP/1.1 200 OK\r\nDPoP-Nonce: n-0nce\r\nContent-Length: 2\r\n\r\nok",
		"/trailer": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: DPoP-Nonce, X-Sum\r\n\r\n2\r\nok\r\n0\r\nDPoP-Nonce: n-0nce\r\nX-Sum: 7\r\n\r\n",
		"/unsaid":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nDPoP-Nonce: n-0nce\r\nX-Sum: 7\r\n\r\n",
	}
	s := newProving(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, answers[r.URL.Path])
	})
	s.Load(s.Config("dpop", ""))
	for path, passed := range map[string]string{"/early": "style.css", "/trailer": "X-Sum", "/unsaid": "X-Sum"} {
		got := s.Rough("GET " + path + " HTTP/1.1\nHost: x\nTE: trailers\nConnection: close\n\n")
		if !strings.Contains(got, passed) || strings.Contains(strings.ToLower(got), "nonce") || strings.Contains(got, "n-0nce") {
			t.Errorf("%s: the caller is given %s", path, got)
		}
	}
}
