package percaller

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

// storm is a token endpoint in a mood, and callers of all kinds.
type storm struct {
	random *rand.Rand
	mu     sync.Mutex
}

func (s *storm) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

// exchange answers a good subject with a token that names it, and others with
// whatever a server may do.
func (s *storm) exchange(subject string) Exchange {
	return Exchange{
		Key: KeyOf("settings", subject), Settings: "settings", SubjectToken: subject,
		Timeout: 5 * time.Second, RefreshWindowRatio: 1.0 / 3, MaxEntries: 50,
		Notify: func(keeper.Event) {},
		Ask: func(ctx context.Context) tokenendpoint.Answer {
			select {
			case <-time.After(time.Duration(s.draw(3000)) * time.Millisecond):
			case <-ctx.Done():
				return tokenendpoint.Answer{Outcome: tokenendpoint.Unanswered, Cause: tokenendpoint.CauseNoAnswer}
			}
			switch n := s.draw(40); {
			case strings.HasPrefix(subject, "bad"):
				return refused(subject)
			case n == 0:
				panic(subject)
			case n == 1:
				return down(subject)
			case n == 2:
				return busy(time.Second)(subject)
			}
			return tokenendpoint.Answer{Outcome: tokenendpoint.Granted, AccessToken: "for " + subject, ExpiresIn: time.Duration(s.draw(20)) * time.Second}
		},
	}
}

// TestNoCallerGetsAnothersTokenInAStorm: good callers, bad ones, ones that leave and
// ones that are told 401, at random. Nobody ever gets a token that is not its own, or
// one that has expired, and tokens, refusals and goroutines stay within their bounds.
func TestNoCallerGetsAnothersTokenInAStorm(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed, callers := rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 600).Draw(rt, "callers")
		synctest.Test(t, func(t *testing.T) {
			c, s := New(), &storm{random: rand.New(rand.NewPCG(seed, 0))}
			before := runtime.NumGoroutine()
			var all sync.WaitGroup
			for i := range callers {
				all.Go(func() { s.call(t, c, fmt.Sprint([]string{"good ", "bad ", "good "}[i%3], s.draw(200))) })
			}
			all.Go(func() {
				for range 30 {
					time.Sleep(500 * time.Millisecond)
					if tokens, refusals := c.tokens.len(time.Now()), c.refusals.len(time.Now()); tokens > 50 || refusals > maxRefusals {
						t.Errorf("%d tokens, %d refusals", tokens, refusals)
					}
				}
			})
			all.Wait()
			if n := runtime.NumGoroutine() - before; n > maxUnderWay+4 {
				t.Errorf("%d goroutines are left", n)
			}
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if n, w := c.Len(), c.Waiting(); n != 0 || w != 0 || len(c.line.flights) != 0 || c.line.underWay != 0 {
				t.Errorf("%d entries, %d requests and %d exchanges are left", n, w, len(c.line.flights))
			}
		})
	})
}

func (s *storm) call(t *testing.T, c *Cache, subject string) {
	for range 5 {
		time.Sleep(time.Duration(s.draw(5000)) * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+s.draw(8000))*time.Millisecond)
		token, err := c.Token(ctx, 4*time.Second, s.exchange(subject))
		var f *Failure
		switch {
		case err == nil && token.AccessToken != "for "+subject:
			t.Errorf("%s got the token %s", subject, token.AccessToken)
		case err == nil && s.draw(5) == 0:
			_ = c.Unauthorized(ctx, time.Second, s.exchange(subject), token)
		case errors.As(err, &f) && !f.Refused && f.RetryAfter <= 0:
			t.Errorf("%s is told nothing of when to come again: %+v", subject, f)
		}
		cancel()
	}
}
