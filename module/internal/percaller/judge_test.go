package percaller

import (
	"encoding/base64"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/tokenendpoint"
)

// Fault C5.
func TestATokenThatExpiredWhileTheServerAnsweredIsNotHandedOut(t *testing.T) {
	for name, lifetime := range map[string]time.Duration{"before": time.Second, "at that moment": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := New(), newEndpoint()
				s.latency = 2 * time.Second
				s.answer = func(string) tokenendpoint.Answer {
					return tokenendpoint.Answer{Outcome: tokenendpoint.Granted, AccessToken: "late", ExpiresIn: lifetime}
				}
				if f := s.failure(t, c, "erika"); f.Cause != causeExpired || f.Refused || f.RetryAfter <= 0 {
					t.Errorf("%+v", f)
				}
				for range 600 {
					s.failure(t, c, "erika")
					time.Sleep(100 * time.Millisecond)
				}
				if n := s.asked.Load(); n > 8 {
					t.Errorf("%d exchanges in a minute", n)
				}
			})
		})
	}
}

func TestATokensLifeCountsFromWhenItsRequestWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		s.latency = 2 * time.Second
		s.answer = func(string) tokenendpoint.Answer {
			return tokenendpoint.Answer{Outcome: tokenendpoint.Granted, AccessToken: "at", ExpiresIn: time.Second, SentAt: time.Now().Add(-500 * time.Millisecond)}
		}
		if token := s.token(t, c, "erika"); time.Until(token.ExpiresAt) != 500*time.Millisecond {
			t.Errorf("it expires in %v", time.Until(token.ExpiresAt))
		}
	})
}

func TestASubjectTokenThatExpiresUnderWayBoundsWhatTheServerStillGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		s.latency = 2 * time.Second
		claims := fmt.Sprintf(`{"exp":%d}`, time.Now().Add(time.Second).Unix())
		token := s.token(t, c, "e30."+base64.RawURLEncoding.EncodeToString([]byte(claims))+".c2ln")
		if left := time.Until(token.ExpiresAt); left != acceptedKept {
			t.Errorf("it is kept for %v", left)
		}
	})
}
