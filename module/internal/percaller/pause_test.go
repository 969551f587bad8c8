package percaller

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/tokenendpoint"
)

// failure asks for a subject token and returns why there is no token.
func (s *endpoint) failure(t *testing.T, c *Cache, subject string) *Failure {
	t.Helper()
	_, err := c.Token(t.Context(), wait, s.exchange(subject))
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v", err)
	}
	return f
}

func busy(retryAfter time.Duration) func(string) tokenendpoint.Answer {
	return func(string) tokenendpoint.Answer {
		return tokenendpoint.Answer{Outcome: tokenendpoint.Unavailable, Cause: tokenendpoint.CauseRateLimited, Status: 429, RetryAfter: retryAfter}
	}
}

// Fault C2.
func TestNothingIsAskedBeforeTheServerWantsToBeAsked(t *testing.T) {
	for name, answer := range map[string]tokenendpoint.Answer{
		"429":            {Outcome: tokenendpoint.Unavailable, Cause: tokenendpoint.CauseRateLimited, Status: 429},
		"503":            {Outcome: tokenendpoint.Unavailable, Cause: tokenendpoint.CauseServerError, Status: 503},
		"403 of a guard": {Outcome: tokenendpoint.Misconfigured, Cause: tokenendpoint.CauseRequestRejected, Status: 403},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := New(), newEndpoint()
				valid, granting := s.token(t, c, "erika"), s.answer
				time.Sleep(39*time.Minute + 50*time.Second) // its renewal is due soon
				answer.RetryAfter = time.Minute
				s.answer = func(string) tokenendpoint.Answer { return answer }
				s.failure(t, c, "caller")
				s.answer = granting
				for i := range 30 {
					time.Sleep(time.Second)
					f := s.failure(t, c, fmt.Sprint("caller ", i))
					if left := time.Minute - time.Duration(i+1)*time.Second; f.RetryAfter != left || f.Refused {
						t.Errorf("after %d s: %+v, want %v to be left", i+1, f, left)
					}
					if s.token(t, c, "erika") != valid {
						t.Error("another token")
					}
				}
				s.wantAsked(t, 2)
				time.Sleep(30 * time.Second)
				s.token(t, c, "caller")
				s.wantAsked(t, 3)
			})
		})
	}
}

// Fault C2: what waits when the server says so is not sent either.
func TestExchangesThatWaitAreNotSentInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		s.answer = busy(time.Minute)
		for i := range 500 {
			go func() { _, _ = c.Token(t.Context(), wait, s.exchange(fmt.Sprint(i))) }()
		}
		synctest.Wait()
		time.Sleep(s.latency)
		s.wantAsked(t, maxUnderWay)
		if n := c.Waiting(); n != 0 {
			t.Errorf("%d requests still wait", n)
		}
	})
}

func TestAPauseDoesNotHoldForOtherSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		granting := s.answer
		s.answer = busy(time.Hour)
		s.failure(t, c, "erika")
		s.answer = granting
		x := s.exchange("erika")
		x.Settings, x.Key = "another server", KeyOf("another server", "erika")
		if _, err := c.Token(t.Context(), wait, x); err != nil {
			t.Error(err)
		}
		s.failure(t, c, "max")
		x.Ask = func(context.Context) tokenendpoint.Answer { return down("") }
		for i := range 2 * downAfter { // nor does what happens with those lift it
			x.Key = KeyOf("another server", fmt.Sprint(i))
			_, _ = c.Token(t.Context(), wait, x)
		}
		asked := s.asked.Load()
		s.failure(t, c, "moritz")
		s.wantAsked(t, asked)
	})
}

// Fault C2.
func TestPausesGrowWhileTheServerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		c.pause.random = func() float64 { return 0.5 }
		s.latency = 0
		granting := s.answer
		s.answer = down
		caller := 0
		for range 10 * 60 {
			s.failure(t, c, fmt.Sprint("caller ", caller))
			caller++
			time.Sleep(time.Second)
		}
		// Three at first, after 1, 2, 4, 8 and 16 s, and then every 30 s.
		if n := s.asked.Load(); n < 20 || n > 28 {
			t.Errorf("%d exchanges in ten minutes", n)
		}
		s.answer = granting
		time.Sleep(pauseMax)
		asked := s.asked.Load()
		for i := range 10 {
			s.token(t, c, fmt.Sprint("later caller ", i))
		}
		s.wantAsked(t, asked+10)
	})
}

func TestAServerThatMayBeBackIsAskedByOneFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		granting := s.answer
		s.answer = down
		for i := range downAfter {
			s.failure(t, c, fmt.Sprint("caller ", i))
		}
		s.answer = granting
		time.Sleep(2 * pauseMin)
		asked := s.asked.Load()
		for i := range 20 {
			go func() { _, _ = c.Token(t.Context(), wait, s.exchange(fmt.Sprint("later caller ", i))) }()
		}
		s.wantAsked(t, asked+1)
		time.Sleep(s.latency)
		s.wantAsked(t, asked+20)
		time.Sleep(s.latency)
	})
}

// A single subject token that a server cannot digest must not cost the other
// callers theirs, whatever it does.
func TestOneCallersFailuresPauseNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		granting := s.answer
		s.answer = func(subject string) tokenendpoint.Answer {
			if subject == "odd" || subject == "odder" {
				return tokenendpoint.Answer{Outcome: tokenendpoint.Unavailable, Cause: tokenendpoint.CauseServerError, Status: 500}
			}
			return granting(subject)
		}
		for i := range 300 {
			_, _ = c.Token(t.Context(), wait, s.exchange("odd"))
			_, _ = c.Token(t.Context(), wait, s.exchange("odder"))
			time.Sleep(time.Second)
			if i%60 == 0 {
				s.token(t, c, fmt.Sprint("caller ", i))
			}
		}
		if n := s.asked.Load(); n > 40 {
			t.Errorf("%d exchanges of two subject tokens in five minutes", n)
		}
	})
}

// A refusal pauses the exchange of that subject token only.
func TestRefusalsPauseNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		granting := s.answer
		for i := range 100 {
			s.answer = func(subject string) tokenendpoint.Answer { a := refused(subject); a.RetryAfter = time.Hour; return a }
			if f := s.failure(t, c, fmt.Sprint("stolen ", i)); !f.Refused {
				t.Fatalf("%+v", f)
			}
			s.answer = granting
			s.token(t, c, fmt.Sprint("caller ", i))
		}
		s.wantAsked(t, 200)
	})
}

// Codes of a refusal in an answer that is none are no refusal.
func TestAServerThatIsBusyRefusesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		s.answer = func(string) tokenendpoint.Answer {
			return tokenendpoint.Answer{Outcome: tokenendpoint.Unavailable, Cause: "invalid_request", Status: 429}
		}
		if f := s.failure(t, c, "erika"); f.Refused {
			t.Errorf("%+v", f)
		}
	})
}
