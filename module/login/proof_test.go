package login

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"lamplighter/module/adminapi"
	"lamplighter/module/settings"
)

// proven is what a proof says, and of which key it is.
type proven struct {
	Method     string `json:"htm"`
	URL        string `json:"htu"`
	Nonce      string `json:"nonce"`
	ID         string `json:"jti"`
	thumbprint string
}

// provenAt reads the proofs that came to a path.
func (s *codeServer) provenAt(t *testing.T, path string) (list []proven) {
	t.Helper()
	for _, line := range s.proofs {
		at, text, _ := strings.Cut(line, " ")
		if at != path {
			continue
		}
		jws, err := jose.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatal(err)
		}
		key := jws.Signatures[0].Protected.JSONWebKey
		payload, err := jws.Verify(key)
		if err != nil {
			t.Fatal(err)
		}
		var p proven
		if err := json.Unmarshal(payload, &p); err != nil {
			t.Fatal(err)
		}
		sum, err := key.Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		p.thumbprint = base64.RawURLEncoding.EncodeToString(sum)
		list = append(list, p)
	}
	return list
}

// RFC 9449 section 10.1: what is pushed is bound to the key that the log-in ends with, and the
// nonce that a server wants is asked for there already.
func TestARequestThatIsPushedProvesTheKeyOfItsLogIn(t *testing.T) {
	s := newCodeServer(t, map[string]any{"pushed_authorization_request_endpoint": "/par"})
	grants := s.push
	s.push = func(w http.ResponseWriter) {
		if len(s.proofs) > 1 {
			grants(w)
			return
		}
		w.Header().Set("DPoP-Nonce", "n-1")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"use_dpop_nonce"}`)
	}
	c := s.client(t, func(c *settings.Client) { c.DPoP = new(settings.DPoP) })
	answer, browser := begins(t, c)
	if browser.Get("request_uri") == "" || answer.Warning != "" || len(s.pushed) != 2 {
		t.Fatalf("%+v after %d requests", answer, len(s.pushed))
	}
	at := s.provenAt(t, "/par")
	if len(at) != 2 || at[0].ID == at[1].ID || at[0].Nonce != "" || at[1].Nonce != "n-1" {
		t.Fatalf("%+v", at)
	}
	for i, proof := range at {
		if proof.Method != "POST" || proof.URL != s.URL+"/par" || proof.thumbprint != s.pushed[i].Get("dpop_jkt") {
			t.Errorf("%+v beside dpop_jkt %q", proof, s.pushed[i].Get("dpop_jkt"))
		}
	}
	if s.pushed[0].Get("client_assertion") == s.pushed[1].Get("client_assertion") {
		t.Error("one assertion was sent twice")
	}
	_, _ = c.Step(t.Context(), adminapi.LoginRequest{State: answer.State, Code: "the-code-1234", Issuer: s.URL})
	after := s.provenAt(t, "/token")
	if len(after) != 1 || after[0].thumbprint != at[0].thumbprint || after[0].Nonce != "n-1" {
		t.Errorf("the code is exchanged with %+v", after)
	}
}

func TestARequestThatIsPushedWithoutAKeyHasNoProof(t *testing.T) {
	s := newCodeServer(t, map[string]any{"pushed_authorization_request_endpoint": "/par"})
	begins(t, s.client(t, nil))
	if len(s.pushed) != 1 || len(s.proofs) != 0 || s.pushed[0].Has("dpop_jkt") {
		t.Errorf("%q with %v", s.proofs, s.pushed)
	}
}

func TestAProofThatIsRefusedWhereRequestsArePushedIsExplained(t *testing.T) {
	s := newCodeServer(t, map[string]any{"pushed_authorization_request_endpoint": "/par"})
	s.push = func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_dpop_proof","error_description":"htu mismatch"}`)
	}
	_, err := s.client(t, func(c *settings.Client) { c.DPoP = new(settings.DPoP) }).Step(t.Context(), adminapi.LoginRequest{RedirectURI: redirect})
	if err == nil || !strings.Contains(err.Error(), "htu mismatch") || !strings.Contains(err.Error(), "signed with ES256, for POST "+s.URL+"/par") {
		t.Errorf("%v", err)
	}
}
