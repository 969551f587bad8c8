package observe_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"lamplighter/module/adminapi"
	"lamplighter/module/cause"
	"lamplighter/module/moduletest"
)

// TestLogAnswerAndShowSayWhatTheTableSays: whoever reads one of them and looks for the
// other, or for the page that is made of the table, finds the same words.
func TestLogAnswerAndShowSayWhatTheTableSays(t *testing.T) {
	answer := func(status int, body string, header ...string) func(http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	for name, tc := range map[string]struct {
		event  string
		answer func(http.ResponseWriter) bool
	}{
		"seed_refused":     {"grant_lost", answer(401, `{"error":"invalid_request","error_description":"invalid_token"}`)},
		"server_error":     {"token_refresh_failed", answer(502, "")},
		"redirect":         {"token_refresh_failed", answer(302, "", "Location", "https://elsewhere.example.com/")},
		"no_access_token":  {"token_refresh_failed", answer(200, `{"accessToken":"not where it is looked for"}`)},
		"rate_limited":     {"token_refresh_failed", answer(429, "")},
		"request_rejected": {"token_refresh_failed", answer(404, "")},
	} {
		t.Run(name, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			as.Answer = tc.answer
			s := moduletest.NewSidecar(t, as)
			s.Load(s.Config("wait 100ms", ""))
			var shown adminapi.ClientStatus
			moduletest.Eventually(t, "the cause "+name, func() bool {
				shown = adminapi.ClientStatus{}
				return moduletest.Asked(t, "GET", "clients/erp", &shown) == http.StatusOK && shown.Cause == name
			})
			var logged map[string]any
			moduletest.Eventually(t, "a line of the log", func() bool {
				lines := logLines(t, s, tc.event)
				if len(lines) > 0 {
					logged = lines[0]
				}
				return len(lines) > 0
			})
			_, body := s.Do("GET", "/", "")
			var problem struct{ Cause, Detail, Remedy string }
			if err := json.Unmarshal([]byte(body), &problem); err != nil {
				t.Fatal(err)
			}
			row := cause.Of(name).With("client", "erp")
			for where, said := range map[string][3]any{
				"the log":    {logged["cause"], logged["detail"], logged["remedy"]},
				"the answer": {problem.Cause, strings.TrimPrefix(problem.Detail, "there is no valid access token: "), problem.Remedy},
				"the table":  {row.Name, shown.Detail, row.Remedy},
			} {
				if want := [3]any{shown.Cause, shown.Detail, shown.Remedy}; said != want {
					t.Errorf("%s says\n%q\nand 'tokens show'\n%q", where, said, want)
				}
			}
		})
	}
}
