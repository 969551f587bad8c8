package percaller

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

// endpoint is a token endpoint that exchanges any subject token.
type endpoint struct {
	asked   atomic.Int64
	latency time.Duration
	answer  func(subject string) tokenendpoint.Answer
}

func newEndpoint() *endpoint {
	s := &endpoint{latency: 100 * time.Millisecond}
	s.answer = func(subject string) tokenendpoint.Answer {
		return tokenendpoint.Answer{
			Outcome: tokenendpoint.Granted, ExpiresIn: time.Hour,
			AccessToken: fmt.Sprintf("for %s, %d", subject, s.asked.Load()),
		}
	}
	return s
}

func (s *endpoint) exchange(subject string) Exchange {
	return Exchange{
		Key: KeyOf("settings", subject), Settings: "settings", SubjectToken: subject,
		Timeout: 30 * time.Second, RefreshWindowRatio: 1.0 / 3, MaxEntries: 100,
		Ask: func(ctx context.Context) tokenendpoint.Answer {
			s.asked.Add(1)
			select {
			case <-time.After(s.latency):
				return s.answer(subject)
			case <-ctx.Done():
				return tokenendpoint.Answer{Outcome: tokenendpoint.Unanswered, Cause: tokenendpoint.CauseNoAnswer}
			}
		},
	}
}

const wait = 10 * time.Second

func (s *endpoint) token(t *testing.T, c *Cache, subject string) *keeper.Token {
	t.Helper()
	token, err := c.Token(t.Context(), wait, s.exchange(subject))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (s *endpoint) wantAsked(t *testing.T, n int64) {
	t.Helper()
	synctest.Wait()
	if got := s.asked.Load(); got != n {
		t.Fatalf("%d token requests, want %d", got, n)
	}
}

func TestEachCallerHasATokenOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		erika, max := s.token(t, c, "erika"), s.token(t, c, "max")
		if erika.AccessToken != "for erika, 1" || max.AccessToken != "for max, 2" {
			t.Errorf("%q, %q", erika.AccessToken, max.AccessToken)
		}
		if s.token(t, c, "erika") != erika {
			t.Error("the token was not kept")
		}
		s.wantAsked(t, 2)
		if other, err := c.Token(t.Context(), wait, func() Exchange {
			x := s.exchange("erika")
			x.Key = KeyOf("other settings", "erika")
			return x
		}()); err != nil || other == erika {
			t.Errorf("%v: a token for other settings was served", err)
		}
	})
}

func TestManyRequestsOfOneCallerMakeOneTokenRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { s.token(t, c, "erika") })
		}
		wg.Wait()
		s.wantAsked(t, 1)
	})
}

func TestATokenIsNotUsedBeyondItsLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		first := s.token(t, c, "erika")
		s.answer = func(string) tokenendpoint.Answer {
			return tokenendpoint.Answer{Outcome: tokenendpoint.Unavailable, Cause: "server_error"}
		}
		time.Sleep(59*time.Minute + 59*time.Second)
		if s.token(t, c, "erika") != first { // still valid, whatever the token endpoint says
			t.Error("another token")
		}
		time.Sleep(time.Second)
		var failure *Failure
		if _, err := c.Token(t.Context(), wait, s.exchange("erika")); !errors.As(err, &failure) || failure.Cause != "server_error" {
			t.Errorf("got %v after its expiry", err)
		}
	})
}

func TestATokenIsExchangedAnewWhileTheOldOneServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		first := s.token(t, c, "erika")
		time.Sleep(41 * time.Minute)
		began := time.Now()
		if s.token(t, c, "erika") != first || time.Since(began) != 0 {
			t.Error("the request waited")
		}
		time.Sleep(time.Second)
		if s.token(t, c, "erika") == first {
			t.Error("the token was not renewed")
		}
		s.wantAsked(t, 2)
	})
}

func TestRenewalsThatFailPauseWhileTheTokenIsValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		s.token(t, c, "erika")
		s.answer = func(string) tokenendpoint.Answer {
			return tokenendpoint.Answer{Outcome: tokenendpoint.NotSent, Cause: tokenendpoint.CauseUnreachable}
		}
		time.Sleep(41 * time.Minute)
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			s.token(t, c, "erika")
		}
		if n := s.asked.Load(); n < 2 || n > 4 {
			t.Errorf("%d token requests in a minute", n)
		}
		if c.LastFailure() == nil {
			t.Error("nobody knows of the failure")
		}
	})
}

func TestATokenIsNotUsedBeyondTheSubjectTokensExp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		claims := fmt.Sprintf(`{"sub":"erika","exp":%d}`, time.Now().Add(10*time.Minute).Unix())
		subject := "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
		first := s.token(t, c, subject)
		time.Sleep(9 * time.Minute)
		if first.ExpiresAt.After(time.Now().Add(time.Minute)) {
			t.Errorf("it expires at %v", first.ExpiresAt)
		}
		time.Sleep(time.Minute)
		if s.token(t, c, subject) == first {
			t.Error("it was used after the subject token had expired")
		}
		// The server accepts it all the same: by its clock it may not have expired.
		// So that a caller in a loop is no attack, what comes of it is kept, but not
		// for longer than a moment.
		before := s.asked.Load()
		s.token(t, c, subject)
		s.wantAsked(t, before)
		time.Sleep(acceptedKept)
		s.token(t, c, subject)
		s.wantAsked(t, before+1)
	})
}

func TestARefusedSubjectTokenIsTheCallersAffair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		s.answer = func(string) tokenendpoint.Answer {
			return tokenendpoint.Answer{Outcome: tokenendpoint.Misconfigured, Cause: "invalid_request", Status: 400}
		}
		for range 40 {
			_, err := c.Token(t.Context(), wait, s.exchange("stolen"))
			var failure *Failure
			if !errors.As(err, &failure) || !failure.Refused {
				t.Fatalf("got %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		s.wantAsked(t, 1)
		if c.LastFailure() != nil {
			t.Error("a caller's failure became the client's")
		}
	})
}

func TestWhoGoesAwayDoesNotCancelTheExchangeOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		s.latency = 5 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Token(ctx, wait, s.exchange("erika")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
		wg.Go(func() { s.token(t, c, "erika") })
		wg.Wait()
		s.wantAsked(t, 1)
	})
}

func TestNobodyWaitsLongerThanWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		s.latency = 20 * time.Second
		began := time.Now()
		var failure *Failure
		if _, err := c.Token(t.Context(), wait, s.exchange("erika")); !errors.As(err, &failure) || time.Since(began) != wait {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		time.Sleep(20 * time.Second)
		s.token(t, c, "erika") // its answer was kept
		s.wantAsked(t, 1)
	})
}

func TestA401RenewsACallersTokenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		first := s.token(t, c, "erika")
		if v := c.Unauthorized(t.Context(), wait, s.exchange("erika"), first); v != keeper.Renewed {
			t.Errorf("verdict %v, want Renewed", v)
		}
		if v := c.Unauthorized(t.Context(), wait, s.exchange("erika"), first); v != keeper.Stale {
			t.Errorf("verdict %v, want Stale", v)
		}
		second := s.token(t, c, "erika")
		for range 100 {
			if v := c.Unauthorized(t.Context(), wait, s.exchange("erika"), second); v != keeper.Final {
				t.Fatalf("verdict %v, want Final", v)
			}
		}
		s.wantAsked(t, 2)
	})
}

func TestTheOldestTokenMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		for i := range 1000 {
			s.token(t, c, fmt.Sprint("caller ", i))
		}
		if n := c.Len(); n != 100 {
			t.Errorf("%d entries", n)
		}
		asked := s.asked.Load()
		for i := 900; i < 1000; i++ {
			s.token(t, c, fmt.Sprint("caller ", i))
		}
		s.wantAsked(t, asked)
		s.token(t, c, "caller 0")
		s.wantAsked(t, asked+1)
	})
}

func TestALowerLimitHoldsAfterAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		for i := range 100 {
			s.token(t, c, fmt.Sprint("caller ", i))
		}
		for i := range 50 {
			x := s.exchange(fmt.Sprint("later caller ", i))
			x.MaxEntries = 10
			if _, err := c.Token(t.Context(), wait, x); err != nil {
				t.Fatal(err)
			}
		}
		if n := c.Len(); n != 10 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestKeysHoldNoToken(t *testing.T) {
	a, b := KeyOf("s", "token"), KeyOf("st", "oken")
	if a == b || len(a) != 32 || a != KeyOf("s", "token") {
		t.Errorf("%x %x", a, b)
	}
}

func BenchmarkHit(b *testing.B) {
	c, s := New(), newEndpoint()
	s.latency = 0
	x := s.exchange("subject-token-0123456789")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			x := x
			x.Key = KeyOf("settings", x.SubjectToken)
			if _, err := c.Token(b.Context(), wait, x); err != nil {
				b.Fatal(err)
			}
		}
	})
}
