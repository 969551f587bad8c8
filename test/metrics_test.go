package test

import (
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"lamplighter/test/internal/rig"
)

// metrics reads Caddy's metrics.
func (o *operated) metrics() string {
	o.t.Helper()
	res, err := rig.UnixClient(filepath.Join(o.home, "data", "lamplighter", "admin.sock")).Get("http://127.0.0.1/metrics")
	if err != nil {
		o.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		o.t.Fatalf("%d %v", res.StatusCode, err)
	}
	return string(body)
}

// metric reads one value; there is no such line if ok is false.
func (o *operated) metric(name string) (value float64, ok bool) {
	o.t.Helper()
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta("caddy_oauth2_client_"+name) + ` (\S+)$`).FindStringSubmatch(o.metrics())
	if line == nil {
		return 0, false
	}
	value, err := strconv.ParseFloat(line[1], 64)
	if err != nil {
		o.t.Fatal(err)
	}
	return value, true
}

func (o *operated) wantMetric(name string, want float64) {
	o.t.Helper()
	if got, ok := o.metric(name); !ok || got != want {
		o.t.Errorf("%s is %v (%v), want %v", name, got, ok, want)
	}
}

const (
	requestsGranted = `token_requests_total{client="demo",grant="refresh_token",result="granted"}`
	requestsRefused = `token_requests_total{client="demo",grant="refresh_token",result="refused"}`
	durations       = `refresh_duration_seconds_count{client="demo"}`
)

func TestMetricsSurviveReloads(t *testing.T) {
	o := operate(t, unedited)
	o.tokens(0, "", "refresh", "demo")
	check := func() {
		t.Helper()
		o.wantMetric(requestsGranted, 2)
		o.wantMetric(requestsRefused, 0)
		o.wantMetric(durations, 2)
		o.wantMetric(`generation{client="demo"}`, 2)
		o.wantMetric(`token_valid{client="demo"}`, 1)
		o.wantMetric(`state{client="demo",state="ok"}`, 1)
		o.wantMetric(`state{client="demo",state="grant_lost"}`, 0)
		o.wantMetric(`waiting_requests{client="demo"}`, 0)
		o.wantMetric(`store_errors_total{client="demo"}`, 0)
		o.wantMetric(`record_unsaved{client="demo"}`, 0)
		o.wantMetric(`unauthorized_total{client="demo"}`, 0)
		if end, ok := o.metric(`grant_expiry_timestamp_seconds{client="demo"}`); ok {
			t.Errorf("a grant without an end ends at %v", end)
		}
		now := float64(time.Now().Unix())
		if expiry, ok := o.metric(`token_expiry_timestamp_seconds{client="demo"}`); !ok || expiry < now+3500 || expiry > now+3601 {
			t.Errorf("the expiry is %v, %v seconds from now", expiry, expiry-now)
		}
		if next, ok := o.metric(`next_refresh_timestamp_seconds{client="demo"}`); !ok || next < now+2000 || next > now+2500 {
			t.Errorf("the next refresh is %v, %v seconds from now", next, next-now)
		}
	}
	check()
	for i := range 20 {
		config := o.caddyfile(o.address)
		rig.Write(t, o.home, "Caddyfile", config+"\n# "+strconv.Itoa(i)+"\n")
		if stdout, stderr, code := rig.Command(t, o.home, "reload", "--force"); code != 0 {
			t.Fatalf("reload: %d\n%s%s", code, stdout, stderr)
		}
	}
	check()
	if got := o.stats().TokenRequests; got != 2 {
		t.Errorf("%d token requests after the reloads, want 2", got)
	}
	o.tokens(0, "", "refresh", "demo")
	o.wantMetric(requestsGranted, 3)
}

func TestMetricsCountUnauthorizedAnswersAndLostGrants(t *testing.T) {
	o := operate(t, unedited)
	o.control("revoke", nil)
	if a := rig.Get(t, o.address, "/"); a.Status == 200 {
		t.Errorf("the revoked token is accepted: %v", a)
	}
	o.wantMetric(`unauthorized_total{client="demo"}`, 1)
	o.wantMetric(`replayed_total{client="demo"}`, 0)
	o.wantMetric(requestsRefused, 1) // after the 401
	o.tokens(1, "", "refresh", "demo")
	o.wantMetric(requestsRefused, 2) // an order presents it once more
	o.wantMetric(`state{client="demo",state="grant_lost"}`, 1)
	if _, ok := o.metric(`next_refresh_timestamp_seconds{client="demo"}`); ok {
		t.Error("a refresh is planned although the grant is lost")
	}
	file, _ := o.login()
	o.tokens(0, "", "import", "demo", "-f", file)
	o.wantMetric(`state{client="demo",state="ok"}`, 1)
	o.wantMetric(requestsGranted, 2)
}
