package module

import (
	"slices"
	"testing"
	"time"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/grant"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/words"
)

func TestTheLast50EventsAreRememberedAcrossConfigurations(t *testing.T) {
	first, err := sharedCounts("erp")
	if err != nil {
		t.Fatal(err)
	}
	next, err := sharedCounts("erp")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = counted.Delete("erp")
	defer func() { _, _ = counted.Delete("erp") }()
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 60 {
		kind := grant.TokenObtained
		if i%2 == 1 {
			kind = grant.RefreshTokenRotated
		}
		first.history.add(keeper.Event{Kind: kind, At: at.Add(time.Duration(i) * time.Minute), Generation: uint64(i), Duration: 1500 * time.Millisecond, Status: 200})
	}
	got := next.history.shown(words.About{})
	if len(got) != 50 || got[0].Generation != 10 || got[49].Generation != 59 || !got[49].At.Equal(at.Add(59*time.Minute)) {
		t.Fatalf("%d events, from %+v to %+v", len(got), got[0], got[len(got)-1])
	}
	if e := got[49]; e.Event != "refresh_token_rotated" || e.Duration != 1.5 || e.Status != 200 || e.Cause != "" || e.Detail != "" {
		t.Errorf("the last one is %+v", e)
	}
}

// A history holds causes and facts, and shares those of errors that repeat: there may
// be very many clients, and an outage is met by all of them.
func TestAHistoryOfAnOutageKeepsItsFactsOnce(t *testing.T) {
	var h history
	for i := range 50 {
		facts := &grant.Facts{Detail: "the server answered 502", Remedy: "wait"}
		if i >= 40 {
			facts.Detail = "the server answered 503"
		}
		h.add(keeper.Event{Kind: grant.TokenRefreshFailed, Trouble: grant.Trouble{Condition: grant.Backoff, Cause: "server_error", Facts: facts, At: int64(i)}})
	}
	kept := make(map[*grant.Trouble]bool)
	for _, p := range h.events {
		kept[p.trouble] = true
	}
	if len(kept) != 2 {
		t.Errorf("%d troubles are kept of two", len(kept))
	}
	shown := h.shown(words.About{Client: "erp"})
	if shown[0].Detail != "the server answered 502" || shown[49].Detail != "the server answered 503" || shown[49].Cause != "server_error" || shown[49].Remedy != "wait" {
		t.Errorf("shows %+v and %+v", shown[0], shown[49])
	}
	if slices.ContainsFunc(shown, func(e adminapi.ClientEvent) bool { return e.Event != "token_refresh_failed" }) {
		t.Errorf("shows %+v", shown)
	}
}
