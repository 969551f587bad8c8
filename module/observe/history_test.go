package observe

import (
	"slices"
	"testing"

	"lamplighter/module/adminapi"
	"lamplighter/module/internal/explain"
	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
)

// A history holds causes and facts, and shares those of errors that repeat: there may
// be very many clients, and an outage is met by all of them.
func TestAHistoryOfAnOutageKeepsItsFactsOnce(t *testing.T) {
	var h History
	for i := range 50 {
		facts := &finding.Facts{Detail: "the server answered 502", Remedy: "wait"}
		if i >= 40 {
			facts.Detail = "the server answered 503"
		}
		h.Add(Event{Event: keeper.Event{Kind: finding.TokenRefreshFailed, Trouble: finding.Trouble{Condition: finding.Backoff, Cause: "server_error", Facts: facts, At: int64(i)}}})
	}
	kept := make(map[*finding.Trouble]bool)
	for _, p := range h.events {
		kept[p.trouble] = true
	}
	if len(kept) != 2 {
		t.Errorf("%d troubles are kept of two", len(kept))
	}
	shown := h.Shown(explain.About{Client: "erp"})
	if shown[0].Detail != "the server answered 502" || shown[49].Detail != "the server answered 503" || shown[49].Cause != "server_error" || shown[49].Remedy != "wait" {
		t.Errorf("shows %+v and %+v", shown[0], shown[49])
	}
	if slices.ContainsFunc(shown, func(e adminapi.ClientEvent) bool { return e.Event != "token_refresh_failed" }) {
		t.Errorf("shows %+v", shown)
	}
}

// What is over has no cause: it would be shown without a word of explanation.
func TestARecordThatIsWrittenAgainIsNoTrouble(t *testing.T) {
	var h History
	h.Add(Event{Event: keeper.Event{Kind: finding.StoreRecovered, Trouble: finding.Trouble{Cause: finding.CauseStore}}})
	if shown := h.Shown(explain.About{Client: "erp"}); len(shown) != 1 || shown[0].Event != "store_recovered" || shown[0].Cause != "" {
		t.Errorf("shows %+v", shown)
	}
}
