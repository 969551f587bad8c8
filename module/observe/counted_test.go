package observe

import (
	"testing"
	"time"

	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
)

func TestTheLast50EventsAreRememberedAcrossConfigurations(t *testing.T) {
	first, next := CountsOf("erp"), CountsOf("erp")
	ReleaseCounts("erp")
	defer ReleaseCounts("erp")
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 60 {
		kind := finding.TokenObtained
		if i%2 == 1 {
			kind = finding.RefreshTokenRotated
		}
		first.History.Add(Event{Event: keeper.Event{Kind: kind, At: at.Add(time.Duration(i) * time.Minute), Generation: uint64(i), Duration: 1500 * time.Millisecond, Status: 200}})
	}
	got := next.History.Shown(explain.About{})
	if len(got) != 50 || got[0].Generation != 10 || got[49].Generation != 59 || !got[49].At.Equal(at.Add(59*time.Minute)) {
		t.Fatalf("%d events, from %+v to %+v", len(got), got[0], got[len(got)-1])
	}
	if e := got[49]; e.Event != "refresh_token_rotated" || e.Duration != 1.5 || e.Status != 200 || e.Cause != "" || e.Detail != "" {
		t.Errorf("the last one is %+v", e)
	}
}
