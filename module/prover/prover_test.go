package prover

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"lamplighter/module/internal/dpop"
	"lamplighter/module/internal/keeper"
)

func newToken(t *testing.T) *keeper.Token {
	t.Helper()
	key, err := dpop.Generate(dpop.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return &keeper.Token{AccessToken: "a token", Key: key, Hash: dpop.Hash("a token")}
}

func newRequest(t *testing.T, method, target string) *http.Request {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Request{Method: method, URL: u, Header: make(http.Header)}
}

type said struct {
	Method string `json:"htm"`
	URL    string `json:"htu"`
	Nonce  string `json:"nonce"`
	Hash   string `json:"ath"`
	At     int64  `json:"iat"`
}

// proofIn reads the one proof of a request.
func proofIn(t *testing.T, req *http.Request) (s said) {
	t.Helper()
	values := req.Header[`DPoP`] //nolint:staticcheck // as RFC 9449 spells it
	if len(values) != 1 || len(req.Header["Dpop"]) != 0 {
		t.Fatalf("the proofs are %q", req.Header)
	}
	jws, err := jose.ParseSigned(values[0], []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(jws.Signatures[0].Protected.JSONWebKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, p *Proofs, req *http.Request, token *keeper.Token) said {
	t.Helper()
	if err := p.Put(req, token); err != nil {
		t.Fatal(err)
	}
	return proofIn(t, req)
}

func TestAProofIsForTheRequestAsItGoesOverTheWire(t *testing.T) {
	token := newToken(t)
	for _, c := range []struct{ base, method, url, host, want string }{
		{"", "GET", "https://10.0.0.7:443/orders/a%2Fb?page=2", "API.example.com", "GET https://api.example.com/orders/a%2Fb"},
		{"", "", "http://api.example.com:8080", "", "GET http://api.example.com:8080/"},
		{"https://api.example.com/v2", "PUT", "http://10.0.0.7/orders", "internal", "PUT https://api.example.com/v2/orders"},
		{"https://api.example.com/", "PUT", "http://10.0.0.7", "internal", "PUT https://api.example.com/"},
	} {
		req := newRequest(t, c.method, c.url)
		req.Host = c.host
		got := put(t, New(c.base).Begin(), req, token)
		if got.Method+" "+got.URL != c.want || got.Hash != token.Hash {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

func TestTheCallersProofIsTakenOutInEverySpelling(t *testing.T) {
	token := newToken(t)
	req := newRequest(t, "GET", "https://a.example/")
	req.Header = http.Header{"Dpop": {"theirs"}, "DPOP": {"theirs"}, "dpop": {"theirs"}}
	put(t, New("").Begin(), req, token)
	if len(req.Header) != 1 {
		t.Errorf("%v", req.Header)
	}
	req.Header = http.Header{"dPoP": {"theirs"}}
	if err := New("").Begin().Put(req, &keeper.Token{AccessToken: "bearer"}); err != nil || len(req.Header) != 0 {
		t.Errorf("%v %v", err, req.Header)
	}
	asterisk := newRequest(t, "OPTIONS", "https://a.example/")
	asterisk.URL.Path = "*"
	if err := New("").Begin().Put(asterisk, token); err != nil || len(asterisk.Header) != 0 {
		t.Errorf("%v %v", err, asterisk.Header)
	}
}

func answer(status int, nonce string, challenges ...string) *http.Response {
	res := &http.Response{StatusCode: status, Header: http.Header{"Www-Authenticate": challenges}}
	if nonce != "" {
		res.Header.Set("DPoP-Nonce", nonce)
	}
	return res
}

const wantsNonce, refusesProof = `DPoP error="use_dpop_nonce"`, `DPoP realm="x", error="invalid_dpop_proof", algs="PS256"`

// The table of docs: what each answer of an upstream means for the proof of its request.
func TestAnAnswerSaysWhatTheNextProofIsToSay(t *testing.T) {
	token := newToken(t)
	for name, c := range map[string]struct {
		res   *http.Response
		cause string
		again bool
	}{
		"fine":                               {answer(200, "n"), "", false},
		"forbidden":                          {answer(403, "n", `DPoP error="insufficient_scope"`), "", false},
		"wants a nonce":                      {answer(401, "n", wantsNonce), causeNonce, true},
		"wants one, and gives none":          {answer(401, "", wantsNonce), causeNonce, false},
		"wants one, and gives an odd one":    {answer(401, "a b", wantsNonce), causeNonce, false},
		"refuses the proof":                  {answer(401, "", refusesProof), causeProof, false},
		"the token is dead":                  {answer(401, "n", `DPoP error="invalid_token"`), "", false},
		"no challenge":                       {answer(401, "n"), "", false},
		"does not know DPoP":                 {answer(401, "", `Bearer error="invalid_token"`), causeUnknown, false},
		"knows both":                         {answer(401, "", `Bearer error="invalid_token", DPoP algs="ES256"`), "", false},
		"knows both, in fields of their own": {answer(401, "", "Bearer", "DPoP"), "", false},
		"two credentials":                    {answer(400, "", `DPoP error="invalid_request", error_description="multiple methods"`), causeMultiple, false},
	} {
		proofs := New("").Begin()
		req := newRequest(t, "GET", "https://a.example/")
		put(t, proofs, req, token)
		if v := proofs.Read(req, c.res, token); v.Cause != c.cause || v.Again != c.again {
			t.Errorf("%s: %+v", name, v)
		}
		if got := c.res.Header.Get("DPoP-Nonce"); got != "" {
			t.Errorf("%s: the caller is given the nonce %q", name, got)
		}
	}
}

func TestADemandedNonceGoesIntoTheNextProofTwiceAtMost(t *testing.T) {
	token, p := newToken(t), New("")
	proofs, req := p.Begin(), newRequest(t, "POST", "https://a.example/")
	for i, nonce := range []string{"", "n-1", "n-2"} {
		if got := put(t, proofs, req, token); got.Nonce != nonce {
			t.Errorf("proof %d has the nonce %q", i, got.Nonce)
		}
		given := []string{"n-1", "n-2", "n-3"}[i]
		if v := proofs.Read(req, answer(401, given, wantsNonce), token); v.Again != (i < 2) || v.Cause != causeNonce {
			t.Errorf("answer %d: %+v", i, v)
		}
	}
	// The last one that was given is where the next request begins, at that origin alone.
	if got := put(t, p.Begin(), newRequest(t, "GET", "https://A.example/other"), token); got.Nonce != "n-3" {
		t.Errorf("it is %q", got.Nonce)
	}
	if got := put(t, p.Begin(), newRequest(t, "GET", "https://a.example:8443/"), token); got.Nonce != "" {
		t.Errorf("another server is given the nonce %q", got.Nonce)
	}
	same := p.Begin()
	put(t, same, req, token)
	if v := same.Read(req, answer(401, "n-3", wantsNonce), token); v.Again {
		t.Error("a nonce that was refused is tried again")
	}
}

func TestTheClockOfAnUpstreamIsTakenOverOnce(t *testing.T) {
	token := newToken(t)
	proofs, req := New("").Begin(), newRequest(t, "GET", "https://a.example/")
	put(t, proofs, req, token)
	refused := func() *http.Response {
		res := answer(401, "", refusesProof)
		res.Header.Set("Date", time.Now().Add(20*time.Minute).UTC().Format(http.TimeFormat))
		return res
	}
	if v := proofs.Read(req, refused(), token); !v.Again {
		t.Errorf("%+v", v)
	}
	if at := time.Unix(put(t, proofs, req, token).At, 0); time.Until(at) < 15*time.Minute {
		t.Errorf("the next proof is of %v", at)
	}
	if v := proofs.Read(req, refused(), token); v.Again || v.Cause != causeProof || v.Algs != "PS256" || v.Alg != "ES256" || v.Ahead < 15*time.Minute || v.Target != "https://a.example/" {
		t.Errorf("%+v", v)
	}
}
