package sandbox_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"lamplighter/module/internal/sandbox"
)

func TestRevokeKillsEverythingUntilSomebodyLogsIn(t *testing.T) {
	r := newRig(t)
	first := r.refresh(r.sandbox.Seed())
	r.control("POST", "revoke", "", http.StatusNoContent)
	r.accepts(first.AccessToken, false)
	r.refused(first.RefreshToken)
	if stats := r.sandbox.Stats(); !stats.Revoked || stats.SpentRefreshTokens != 0 {
		t.Errorf("%+v", stats)
	}

	var granted tokens
	if err := json.Unmarshal([]byte(r.control("POST", "grant", "", http.StatusOK)), &granted); err != nil {
		t.Fatal(err)
	}
	if granted.RefreshToken != r.sandbox.Seed() {
		t.Error("the new seed is not Seed")
	}
	second := r.refresh(granted.RefreshToken)
	r.accepts(second.AccessToken, true)
	r.refused(first.RefreshToken)
	if stats := r.sandbox.Stats(); stats.Revoked || stats.Grants != 2 {
		t.Errorf("%+v", stats)
	}
	if got := r.kinds(); !slices.Contains(got, sandbox.EventRevoked) || !slices.Contains(got, sandbox.EventGranted) {
		t.Errorf("events %v", got)
	}
}

func TestANewLoginLeavesTheOldGrantAlive(t *testing.T) {
	r := newRig(t)
	first := r.refresh(r.sandbox.Seed())
	r.control("POST", "grant", "", http.StatusOK)
	other := r.refresh(r.sandbox.Seed())
	r.accepts(first.AccessToken, true)
	r.accepts(other.AccessToken, true)
	r.refresh(first.RefreshToken)
}

func TestStatsAreServed(t *testing.T) {
	r := newRig(t)
	r.refresh(r.sandbox.Seed())
	r.refused("x")
	r.accepts("x", false)
	var got map[string]any
	if err := json.Unmarshal([]byte(r.control("GET", "stats", "", http.StatusOK)), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"token_requests": 2.0, "refreshed": 1.0, "refused": 1.0, "spent_refresh_tokens": 0.0,
		"api_ok": 0.0, "api_unauthorized": 1.0, "generation": 1.0, "faults": 0.0, "grants": 1.0, "revoked": false,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

func TestWebPagesCannotUseTheControls(t *testing.T) {
	r := newRig(t)
	req, err := http.NewRequest(http.MethodPost, r.as.URL+"/_sandbox/revoke", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden || r.sandbox.Stats().Revoked {
		t.Errorf("answered %d", res.StatusCode)
	}
}
