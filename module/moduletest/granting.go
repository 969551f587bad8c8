package moduletest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Granting is an authorization server that answers as a test says, and an API
// that shows what reached it.
type Granting struct {
	Tokens, API *httptest.Server

	mu    sync.Mutex
	asked []url.Values // token requests
	paths []string     // of all requests to the authorization server
}

// NewGranting starts both, until the test ends.
func NewGranting(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *Granting {
	s := new(Granting)
	s.Tokens = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.mu.Lock()
		s.paths = append(s.paths, r.URL.Path)
		if r.Method == http.MethodPost {
			s.asked = append(s.asked, r.PostForm)
		}
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		answer(w, r)
	}))
	s.API = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s|%s", strings.Join(r.Header.Values("Authorization"), "+"), r.Header.Get("X-User-Token"), r.Header.Get("X-Shop-Token"))
	}))
	t.Cleanup(s.Tokens.Close)
	t.Cleanup(s.API.Close)
	return s
}

// Requests are the token requests so far.
func (s *Granting) Requests() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]url.Values(nil), s.asked...)
}

// Granted answers with an access token that lives for an hour.
func Granted(w http.ResponseWriter, token string) {
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
}

// Exchanging answers exchanges of good subject tokens with tokens of their own.
func Exchanging(w http.ResponseWriter, r *http.Request) {
	subject := r.PostForm.Get("subject_token")
	if r.PostForm.Get("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange" || !strings.HasPrefix(subject, "user-") {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_request","error_description":"the subject token is not valid"}`)
		return
	}
	Granted(w, "for-"+subject)
}

// ExchangeSettings are those of a client that exchanges what a placeholder reads.
func (s *Granting) ExchangeSettings(subjectToken string) string {
	return "token_endpoint " + s.Tokens.URL + "/token\nclient_id app\nclient_secret s3cret-of-app\ngrant_type token_exchange\nsubject_token " + subjectToken
}

// Serving runs a site that calls the API with a client of these settings, beside
// those of global clients.
func (s *Granting) Serving(t *testing.T, settings, global string) *Sidecar {
	sc := NewSidecar(t, NewRotating(t))
	sc.Load(s.Caddyfile(sc, settings, global))
	return sc
}

// Caddyfile is what Serving runs.
func (s *Granting) Caddyfile(sc *Sidecar, settings, global string) string {
	_, port, _ := strings.Cut(sc.Address, ":")
	return fmt.Sprintf(`{
	admin off
	persist_config off
	log {
		output file %s
	}
	%s
}
http://:%s {
	bind 127.0.0.1
	upstream_oauth %s {
		client api {
			%s
		}
	}
}`, sc.Log, global, port, s.API.URL, settings)
}
