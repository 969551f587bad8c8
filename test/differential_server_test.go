package test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"lamplighter/test/internal/rig"
)

// recorder is a token endpoint that records what it is sent.
type recorder struct {
	*httptest.Server
	mu       sync.Mutex
	requests []recordedRequest
}

type recordedRequest struct {
	method, target string
	header         http.Header
	body           string
}

// newRecorder starts a token endpoint whose answer to the n-th request, from 1
// on, is up to the caller.
func newRecorder(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, n int)) *recorder {
	t.Helper()
	rec := new(recorder)
	rec.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading a token request: %v", err)
		}
		rec.mu.Lock()
		rec.requests = append(rec.requests, recordedRequest{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
		n := len(rec.requests)
		rec.mu.Unlock()
		answer(w, r, n)
	}))
	t.Cleanup(rec.Close)
	return rec
}

func (rec *recorder) recorded() []recordedRequest {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.requests)
}

// form returns the parameters in the body.
func (r recordedRequest) form(t *testing.T) url.Values {
	t.Helper()
	form, err := url.ParseQuery(r.body)
	if err != nil {
		t.Fatal(err)
	}
	return form
}

// only returns the one request there was.
func (rec *recorder) only(t *testing.T) recordedRequest {
	t.Helper()
	requests := rec.recorded()
	if len(requests) != 1 {
		t.Fatalf("there were %d token requests: %v", len(requests), requests)
	}
	return requests[0]
}

func answerJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// askWithBinary runs a sidecar with the settings and calls through it once. The
// answer of the API is the Authorization it was sent.
func askWithBinary(t *testing.T, endpoint, settings string) (*rig.Sidecar, rig.Answer) {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Join(r.Header.Values("Authorization"), ", "))
	}))
	t.Cleanup(api.Close)
	dir, address := rig.Home(t), rig.FreeAddress(t)
	rig.Write(t, dir, "secret", awkward)
	rig.Write(t, dir, "seed", "R0 "+awkward)
	rig.Write(t, dir, "Caddyfile", rig.Config(t, address, api.URL, fmt.Sprintf(`
		token_endpoint %s/token
		client_id "erp:side car"
		client_secret {file.secret}
		%s`, endpoint, settings)))
	s := rig.RunSidecar(t, dir, address)
	return s, rig.Get(t, s.Address, "/")
}
