package asking

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// What is signed is good for a moment, and whoever is asked whether the request may be sent takes
// some.
func TestARequestIsSignedWhenNobodyHasToBeWaitedFor(t *testing.T) {
	var steps []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { steps = append(steps, "sent "+r.Header.Get("Signature")) }))
	defer server.Close()
	x := New("", func() error { steps = append(steps, "asked"); return nil }, time.Now)
	x.Sign = func(h http.Header) error {
		steps = append(steps, "signed")
		h.Set("Signature", "s")
		return nil
	}
	defer x.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := x.RoundTrip(req, Connection{})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !slices.Equal(steps, []string{"asked", "signed", "sent s"}) {
		t.Errorf("%q", steps)
	}
}
