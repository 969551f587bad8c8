package proxy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/logging" // log_append

	"lamplighter/module/moduletest"
)

// accessLogged makes a site log what becomes of its requests.
func accessLogged(config string) string {
	const appended = "bind 127.0.0.1\n\tlog\n" +
		"\tlog_append oauth2_client {http.oauth2.client}\n" +
		"\tlog_append oauth2_generation {http.oauth2.generation}\n" +
		"\tlog_append oauth2_outcome {http.oauth2.outcome}"
	return strings.Replace(config, "bind 127.0.0.1", appended, 1)
}

// accessLog returns the lines of the access log: status, client, generation, outcome.
func accessLog(t *testing.T, s *moduletest.Sidecar) (lines []string) {
	t.Helper()
	file, err := os.Open(s.Log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		var line struct {
			Logger     string
			Status     int
			Client     any `json:"oauth2_client"`
			Generation any `json:"oauth2_generation"`
			Outcome    any `json:"oauth2_outcome"`
		}
		if json.Unmarshal(scanner.Bytes(), &line) == nil && strings.HasPrefix(line.Logger, "http.log.access") {
			lines = append(lines, fmt.Sprint(line.Status, " ", line.Client, " ", line.Generation, " ", line.Outcome))
		}
	}
	return lines
}

// requestsTotal reads the metric, as "client outcome cause": value.
func requestsTotal(t *testing.T) map[string]float64 {
	t.Helper()
	return counter(t, "requests_total")
}

// counter reads a metric whose labels are client, outcome and cause.
func counter(t *testing.T, name string) map[string]float64 {
	t.Helper()
	ctx := caddy.ActiveContext()
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]float64)
	for _, family := range families {
		if family.GetName() != "caddy_oauth2_client_"+name {
			continue
		}
		for _, m := range family.Metric {
			labels := make(map[string]string)
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			found[strings.TrimSpace(labels["client"]+" "+labels["outcome"]+" "+labels["cause"])] = m.Counter.GetValue()
		}
	}
	return found
}

func TestAccessLogsAndMetricsSayWhatBecameOfARequest(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	s.Load(accessLogged(s.Config("min_refresh_interval 10ms", "")))
	before := requestsTotal(t)
	want := func(n int, line string) {
		t.Helper()
		var lines []string
		moduletest.Eventually(t, "a line of the access log", func() bool { lines = accessLog(t, s); return len(lines) >= n })
		if got := lines[n-1]; got != line {
			t.Errorf("line %d of the access log is %q, want %q", n, got, line)
		}
	}
	s.WantOK()
	want(1, "200 erp 1 sent")
	s.Do("GET", "/", "", "Origin", "https://evil.example")
	want(2, "403 erp <nil> refused")
	time.Sleep(20 * time.Millisecond) // a forced refresh obeys min_refresh_interval
	as.KillToken()
	s.WantOK()
	want(3, "200 erp 2 replayed")
	as.Lock()
	as.Answer = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"something_invented"}`)
		return true
	}
	as.Unlock()
	moduletest.Write(t, s, "seed", "another-refresh-token-01234")
	s.Load(accessLogged(s.Renamed("crm", "wait 3s")))
	if res, body := s.Do("GET", "/", ""); res.StatusCode != 503 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	want(4, "503 crm <nil> unavailable")

	after := requestsTotal(t)
	for what, n := range map[string]float64{"crm sent": 0, "crm replayed": 0, "crm unavailable other": 1} {
		if got := after[what]; got != n {
			t.Errorf("%s: %v were counted, want %v (%v)", what, got, n, after)
		}
	}
	s.Load(s.Config("", ""))
	if len(before) != 2 || before["erp sent"] != 0 {
		t.Errorf("before the first request the metric has %v", before)
	}
}

func TestEachWayToSendARequestCountsIt(t *testing.T) {
	as := moduletest.NewRotating(t)
	s := moduletest.NewSidecar(t, as)
	for face, config := range s.Faces() {
		t.Run(face, func(t *testing.T) {
			s.Load(accessLogged(config))
			before, lines := requestsTotal(t), len(accessLog(t, s))
			s.WantOK()
			s.Do("TRACE", "/", "")
			moduletest.Eventually(t, "two lines of the access log", func() bool { return len(accessLog(t, s)) == lines+2 })
			log := accessLog(t, s)[lines:]
			if log[0] != "200 erp 1 sent" || log[1] != "405 erp <nil> refused" {
				t.Errorf("the access log has %q", log)
			}
			after := requestsTotal(t)
			if sent, refused := after["erp sent"]-before["erp sent"], after["erp refused trace_refused"]-before["erp refused trace_refused"]; sent != 1 || refused != 1 {
				t.Errorf("%v sent and %v refused were counted: %v", sent, refused, after)
			}
		})
	}
}
