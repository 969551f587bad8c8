package moduletest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Eventually asks until it is so, for a bounded time.
func Eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// WantOK checks that a request is answered 200.
func (s *Sidecar) WantOK() {
	s.T.Helper()
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		s.T.Fatalf("got %d %s", res.StatusCode, body)
	}
}

// WantTakenSeed checks that the client sends nothing, and says whose its seed is.
func (s *Sidecar) WantTakenSeed(words ...string) {
	s.T.Helper()
	s.WantUnsent("seed_of_another_record", words...)
}

// WantUnsent checks that the client sends nothing, and says why.
func (s *Sidecar) WantUnsent(cause string, words ...string) {
	s.T.Helper()
	before, _, _ := s.AS.Count()
	var body string
	Eventually(s.T, "the client says "+cause, func() bool {
		res, got := s.Do("GET", "/", "")
		body = got
		return res.StatusCode == 503 && strings.Contains(body, cause)
	})
	for _, word := range words {
		if !strings.Contains(body, word) {
			s.T.Errorf("%s does not say %q", body, word)
		}
	}
	if strings.Contains(body, firstRefreshToken) {
		s.T.Errorf("%s holds a secret", body)
	}
	if requests, spent, _ := s.AS.Count(); requests != before || spent != 0 {
		s.T.Errorf("%d token requests, %d of them with a spent refresh token", requests-before, spent)
	}
}

// ProblemOf reads an answer of our own.
func ProblemOf(t *testing.T, res *http.Response, body string) (cause, remedy string) {
	t.Helper()
	var problem struct {
		Status                int
		Cause, Detail, Remedy string
	}
	err := json.Unmarshal([]byte(body), &problem)
	if err != nil || res.Header.Get("Content-Type") != "application/problem+json" || res.Header.Get("X-Content-Type-Options") != "nosniff" || problem.Status != res.StatusCode ||
		problem.Detail == "" || problem.Remedy == "" || !strings.HasPrefix(res.Header.Get("Proxy-Status"), "lamplighter; error=") {
		t.Errorf("not a problem: %d %v %s (%v)", res.StatusCode, res.Header, body, err)
	}
	return problem.Cause, problem.Remedy
}
