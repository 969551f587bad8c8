package observe_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/moduletest"
)

// logLines are the lines of the log with that event.
func logLines(t *testing.T, s *moduletest.Sidecar, event string) (lines []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(s.Log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil && entry["event"] == event {
			lines = append(lines, entry)
		}
	}
	return lines
}

// Fault E2. An upstream that always answers 401 is seen everywhere, and floods nothing.
func TestAnUpstreamThatAlwaysRejectsTheTokenIsSeen(t *testing.T) {
	forgetWitnessed(t, nil)
	as := moduletest.NewRotating(t)
	serve := as.Handler
	as.Handler = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="api", error="insufficient_scope"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
	s := moduletest.NewSidecar(t, as)
	s.Load(strings.Replace(s.ConfigWithEvents("token_rejected", "token_obtained"), "client_id", "min_refresh_interval 10ms\nclient_id", 1))
	const requests = 12
	for range requests {
		if res, _ := s.Do("GET", "/", ""); res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("got %d", res.StatusCode)
		}
		time.Sleep(20 * time.Millisecond) // a forced refresh obeys min_refresh_interval
	}
	moduletest.Eventually(t, "the event", sawEvent("token_rejected erp 2 token_rejected"))

	lines := logLines(t, s, "token_rejected")
	upstream := as.API.URL
	if len(lines) != 1 {
		t.Fatalf("%d lines tell of %d rejections, want one for now", len(lines), requests)
	}
	for field, want := range map[string]any{
		"level": "warn", "client": "erp", "upstream": upstream, "status": 401.0, "error": "insufficient_scope", "generation": 2.0, "in_a_row": 1.0,
		"cause": "token_rejected", "detail": upstream + " answered 401 insufficient_scope to the access token",
	} {
		if lines[0][field] != want {
			t.Errorf("%s is %v in the log, want %v", field, lines[0][field], want)
		}
	}
	var forced int
	for _, line := range logLines(t, s, "token_obtained") {
		if line["because_of"] == 401.0 {
			forced++
		}
	}
	if forced != 1 {
		t.Errorf("%d token requests say that a 401 brought them about, want 1", forced)
	}

	var shown adminapi.ClientStatus
	moduletest.Asked(t, "GET", "clients/erp", &shown)
	if x := shown.LastRejected; x == nil || x.Upstream != upstream || x.Status != 401 || x.Error != "insufficient_scope" || x.Generation != 2 || x.InARow != requests {
		t.Errorf("the last rejection is %+v", shown.LastRejected)
	}
	if shown.State != "ok" || shown.Cause != "token_rejected" || shown.Detail != lines[0]["detail"] || shown.Remedy != lines[0]["remedy"] || shown.Since.IsZero() {
		t.Errorf("the client is shown as %+v", shown)
	}
	var history []string
	for _, e := range shown.History {
		word := e.Event
		if e.BecauseOf != 0 {
			word += "!"
		}
		history = append(history, word)
	}
	if got := strings.Join(history, " "); !strings.Contains(got, "token_obtained!") || strings.Count(got, "token_rejected") != 1 {
		t.Errorf("the history has %s", got)
	}

	as.Lock()
	as.Handler = serve
	as.Unlock()
	s.WantOK()
	shown = adminapi.ClientStatus{}
	if moduletest.Asked(t, "GET", "clients/erp", &shown); shown.Cause != "" || shown.LastRejected == nil {
		t.Errorf("after a request that was accepted the client is shown as %+v", shown)
	}
}

// Many servers repeat a token while it lives: then the rejected one comes again.
func TestATokenRequestSaysWhyItWasMadeThoughItsAnswerRepeatsTheToken(t *testing.T) {
	as := moduletest.NewRotating(t)
	as.Answer = func(w http.ResponseWriter) bool {
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "the-same-token-as-before", "expires_in": 3600, "token_type": "Bearer"})
		return true
	}
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("min_refresh_interval 10ms", ""))
	moduletest.Eventually(t, "the first token", func() bool { return len(logLines(t, s, "token_obtained")) == 1 })
	time.Sleep(20 * time.Millisecond) // a forced refresh obeys min_refresh_interval
	if res, _ := s.Do("GET", "/", ""); res.StatusCode != http.StatusUnauthorized {
		t.Fatalf("got %d", res.StatusCode)
	}
	moduletest.Eventually(t, "the second answer", func() bool { return len(logLines(t, s, "token_obtained")) == 2 })
	for i, line := range logLines(t, s, "token_obtained") {
		if because := line["because_of"]; (because == 401.0) != (i == 1) || line["generation"] != 1.0 {
			t.Errorf("token request %d: generation %v, because of %v", i, line["generation"], because)
		}
	}
}

// A remedy that asks another instance is none.
func TestTheLogsRemediesReachThisVeryInstance(t *testing.T) {
	for name, admin := range map[string]string{"the usual one": "", "an address": "localhost:0", "a socket": "unix/DIR/my admin.sock|0600"} {
		t.Run(name, func(t *testing.T) {
			as := moduletest.NewRotating(t)
			as.RefreshToken = "another one, so that the seed is refused"
			s := moduletest.NewSidecar(t, as)
			config, want := s.Config("", ""), "'lamplighter tokens login erp'"
			if admin != "" {
				admin = strings.Replace(admin, "DIR", s.Dir, 1)
				config = strings.Replace(config, "admin off", `admin "`+admin+`"`, 1)
				address, _, _ := strings.Cut(admin, "|")
				if strings.Contains(address, " ") {
					address = "'" + address + "'"
				}
				want = "'lamplighter tokens --address " + address + " login erp'"
			}
			s.Load(config)
			var remedy string
			moduletest.Eventually(t, "the loss is logged", func() bool {
				for _, line := range logLines(t, s, "grant_lost") {
					remedy, _ = line["remedy"].(string)
				}
				return remedy != ""
			})
			if !strings.Contains(remedy, want) {
				t.Errorf("the remedy is %q, want it to say %s", remedy, want)
			}
			var shown adminapi.ClientStatus
			if moduletest.Asked(t, "GET", "clients/erp", &shown); !strings.Contains(shown.Remedy, "'lamplighter tokens login erp'") {
				t.Errorf("the admin API, whose commands know the address, says %q", shown.Remedy)
			}
		})
	}
}
