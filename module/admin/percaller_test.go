package admin_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"lamplighter/module/moduletest"
)

// metric reads a value from the registry of the running configuration.
func metric(t *testing.T, name, client string) (value float64, ok bool) {
	t.Helper()
	ctx := caddy.ActiveContext()
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "caddy_oauth2_client_"+name {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "client" && label.GetValue() == client {
					return max(m.GetGauge().GetValue(), m.GetCounter().GetValue()), true
				}
			}
		}
	}
	return 0, false
}

func TestWhatHappensToCallersTokensIsSeenByOperators(t *testing.T) {
	var down atomic.Bool
	s := moduletest.NewGranting(t, func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		moduletest.Exchanging(w, r)
	})
	settings := "token_endpoint " + s.Tokens.URL + "/token\nclient_id app\nclient_secret literal\ngrant_type token_exchange\nsubject_token {http.request.header.Authorization}"
	sc := s.Serving(t, settings, "")
	call := func(user string) int {
		res, _ := sc.Do("GET", "/", "", "Authorization", "Bearer "+user)
		return res.StatusCode
	}
	for _, user := range []string{"user-erika", "user-max", "user-erika"} {
		if status := call(user); status != 200 {
			t.Fatalf("got %d", status)
		}
	}
	if status := call("stolen"); status != 401 {
		t.Errorf("a token that is refused: %d", status)
	}
	down.Store(true)
	for i := range 20 {
		if status := call(fmt.Sprint("user-", i)); status != 503 {
			t.Errorf("while the exchange is down: %d", status)
		}
	}
	sc.Load(s.Caddyfile(sc, settings, "grace_period 1s"))

	var shown struct {
		Token, State, Cause, Remedy string
		CacheEntries                int `json:"cache_entries"`
		History                     []struct{ Event, Cause, Remedy string }
	}
	if status := moduletest.Asked(t, "GET", "clients/api", &shown); status != 200 || shown.Token != "per_caller" || shown.State != "backoff" || shown.Cause != "server_error" || shown.Remedy == "" {
		t.Errorf("%d %+v", status, shown)
	}
	if len(shown.History) != 1 || shown.History[0].Event != "token_refresh_failed" || shown.History[0].Cause != "server_error" || shown.History[0].Remedy == "" {
		t.Errorf("the history is %+v, want the failure once", shown.History)
	}
	if shown.CacheEntries < 2 || shown.CacheEntries > 23 {
		t.Errorf("%d entries, want the two tokens, and failures for a few seconds", shown.CacheEntries)
	}
	if n, ok := metric(t, "cache_entries", "api"); !ok || n < 2 || n > 23 {
		t.Errorf("the metric says %v entries (%v)", n, ok)
	}
	if n, ok := metric(t, "waiting_requests", "api"); !ok || n != 0 {
		t.Errorf("the metric says that %v requests wait (%v)", n, ok)
	}
	log, err := os.ReadFile(sc.Log)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), `"token request failed"`); n != 1 {
		t.Errorf("20 failures in a row are %d lines in the log", n)
	}
	if strings.Contains(string(log), "user-erika") {
		t.Error("a caller's token is in the log")
	}
	if status := moduletest.Asked(t, "POST", "clients/api/refresh", nil); status != http.StatusConflict {
		t.Errorf("an order to refresh is answered %d", status)
	}
}

func TestCountersSurviveTheMoveOfARecord(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(s.Config("", ""))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 200 {
		t.Fatalf("got %d %s", res.StatusCode, body)
	}
	total := func() (n float64) {
		t.Helper()
		ctx := caddy.ActiveContext()
		families, err := ctx.GetMetricsRegistry().Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == "caddy_oauth2_client_token_requests_total" {
				for _, m := range family.GetMetric() {
					n += m.GetCounter().GetValue()
				}
			}
		}
		return n
	}
	moduletest.Eventually(t, "the token request is counted", func() bool { return total() > 0 })
	before := total()
	// The record moves with its directory.
	store := filepath.Join(s.Dir, "moved")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	s.Load(s.Config("store file {\npath "+store+"\n}", ""))
	if after := total(); after < before {
		t.Errorf("%v token requests were counted before the record moved, and %v afterwards", before, after)
	}
	if _, ok := metric(t, "store_errors_total", "erp"); !ok {
		t.Error("a counter of the client is gone")
	}
}
