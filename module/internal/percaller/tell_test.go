package percaller

import (
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

// listening returns the exchange of a caller, and what is told of it.
func (s *endpoint) listening(told *[]keeper.Event) func(subject string) Exchange {
	return func(subject string) Exchange {
		x := s.exchange(subject)
		x.Notify = func(e keeper.Event) { *told = append(*told, e) }
		return x
	}
}

func TestARowOfFailuresIsToldAndSoIsItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		var told []keeper.Event
		exchange := s.listening(&told)
		granted := s.answer
		ask := func(subject string) { _, _ = c.Token(t.Context(), wait, exchange(subject)) }
		wantTold := func(kinds ...finding.Kind) {
			t.Helper()
			synctest.Wait()
			if len(told) != len(kinds) {
				t.Fatalf("told %+v, want %v", told, kinds)
			}
			for i, kind := range kinds {
				if told[i].Kind != kind {
					t.Fatalf("told %+v, want %v", told, kinds)
				}
			}
			told = nil
		}

		ask("erika")
		wantTold() // one success per caller is no news
		s.answer = func(string) tokenendpoint.Answer {
			return tokenendpoint.Answer{Outcome: tokenendpoint.Unavailable, Cause: tokenendpoint.CauseServerError, Detail: "status 502", Status: 502}
		}
		ask("max")
		if len(told) == 1 && (told[0].Trouble.Cause != tokenendpoint.CauseServerError || told[0].Status != 502 || told[0].Trouble.Facts.Remedy == "" || told[0].Duration != s.latency) {
			t.Errorf("told %+v", told[0])
		}
		wantTold(finding.TokenRefreshFailed)
		ask("moritz")
		wantTold(finding.TokenRefreshFailed)

		s.answer = granted // of some of the servers behind a load balancer
		ask("anna")
		wantTold()
		time.Sleep(calm)
		ask("otto")
		if len(told) == 1 && (told[0].ExpiresAt.IsZero() || told[0].NextRefresh.IsZero()) {
			t.Errorf("told %+v", told[0])
		}
		wantTold(finding.TokenObtained)
		ask("emil")
		wantTold()
	})
}

func TestWhatOnlyTheCallerCanMendIsToldToNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		var told []keeper.Event
		s.answer = func(string) tokenendpoint.Answer {
			return tokenendpoint.Answer{Outcome: tokenendpoint.Misconfigured, Cause: "invalid_request", Status: 400}
		}
		if _, err := c.Token(t.Context(), wait, s.listening(&told)("stolen")); err == nil {
			t.Fatal("a token was obtained")
		}
		if len(told) != 0 || c.LastFailure() != nil {
			t.Errorf("told %+v, last failure %v", told, c.LastFailure())
		}
	})
}

func TestRequestsThatWaitForAnExchangeAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		for _, subject := range []string{"erika", "erika", "max"} {
			go func() { _, _ = c.Token(t.Context(), wait, s.exchange(subject)) }()
		}
		synctest.Wait()
		if n := c.Waiting(); n != 3 {
			t.Errorf("%d requests wait, want 3", n)
		}
		time.Sleep(s.latency)
		synctest.Wait()
		if n := c.Waiting(); n != 0 {
			t.Errorf("%d requests wait although the tokens are there", n)
		}
	})
}
