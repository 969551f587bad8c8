package observe

import (
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
)

func TestALongOutageIsNoNoise(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	r := &Reporter{Logger: zap.New(core)}
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	fail := func(cause string) {
		at = at.Add(30 * time.Second)
		r.Report(Event{Event: keeper.Event{Kind: finding.TokenRefreshFailed, Client: "erp", At: at, Trouble: finding.Trouble{Cause: cause}}, Remedy: "wait"})
	}
	for range 24 * 120 {
		fail("server_error")
	}
	day := logs.TakeAll()
	if len(day) < 20 || len(day) > 32 {
		t.Fatalf("%d lines for an outage of a day, want the first few and then one in an hour", len(day))
	}
	if first := day[0].ContextMap(); first["cause"] != "server_error" || first["remedy"] != "wait" || first["not_logged"] != nil {
		t.Errorf("the first line is %v", first)
	}
	if got := day[len(day)-1].ContextMap()["not_logged"]; got != int64(119) {
		t.Errorf("the last line says that %v others were not logged, want 119", got)
	}

	fail("unreachable")
	if got := logs.TakeAll(); len(got) != 1 || got[0].ContextMap()["cause"] != "unreachable" {
		t.Errorf("another error is logged as %v, want at once", got)
	}
	r.Report(Event{Event: keeper.Event{Kind: finding.TokenObtained, Client: "erp", At: at.Add(30 * time.Second), Generation: 2}})
	end := logs.TakeAll()
	if len(end) != 1 || end[0].Level != zap.InfoLevel || end[0].ContextMap()["after_failures"] != int64(24*120+1) || end[0].ContextMap()["failing_for"] != 24*time.Hour+30*time.Second {
		t.Fatalf("the end of the outage is logged as %v", end)
	}
	fail("server_error")
	if got := logs.TakeAll(); len(got) != 1 {
		t.Errorf("the next outage is logged with %d lines, want one at once", len(got))
	}
}

func TestErrorsThatTakeTurnsAreNoNoise(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	r := &Reporter{Logger: zap.New(core)}
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 24 * 120 {
		at = at.Add(30 * time.Second)
		// A load balancer in front of servers that are partly down.
		e := Event{Event: keeper.Event{Kind: finding.TokenRefreshFailed, Client: "erp", At: at, Trouble: finding.Trouble{Cause: "server_error"}, Status: 502 + i%2}}
		if i%3 == 0 {
			e.Trouble.Cause, e.Status = "no_answer", 0
		}
		r.Report(e)
	}
	if n := logs.Len(); n < 60 || n > 3*32 {
		t.Errorf("%d lines for three errors in turn during a day, want each the first few times and then once in an hour", n)
	}
	lines, failures := logs.All(), 0
	for _, line := range lines {
		failures++
		if n, ok := line.ContextMap()["not_logged"].(int64); ok {
			failures += int(n)
		}
	}
	if failures < 24*120-3*120 || failures > 24*120 {
		t.Errorf("the lines account for %d failures of %d", failures, 24*120)
	}
}

func TestAServerThatInventsErrorCodesFillsNoMemory(t *testing.T) {
	r := &Reporter{Logger: zap.NewNop()}
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 1000 {
		r.Report(Event{Event: keeper.Event{Kind: finding.TokenRefreshFailed, At: at, Status: i}})
		if len(r.rows) > rowsMax {
			t.Fatalf("%d rows are kept", len(r.rows))
		}
	}
}

func TestATokenThatIsNotRefreshedAgainHasNoTimeOfThat(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	now := time.Now()
	for _, next := range []time.Time{now.Add(time.Hour), {}} {
		report(zap.New(core), Event{Event: keeper.Event{Kind: finding.TokenRestored, Client: "erp", ExpiresAt: now.Add(2 * time.Hour), NextRefresh: next}})
	}
	lines := logs.All()
	if _, ok := lines[0].ContextMap()["next_refresh_in"]; !ok {
		t.Errorf("planned, but %v", lines[0].ContextMap())
	}
	if in, ok := lines[1].ContextMap()["next_refresh_in"]; ok {
		t.Errorf("of a lost grant it is refreshed in %v", in)
	}
}
