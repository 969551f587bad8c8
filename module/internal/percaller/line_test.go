package percaller

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/keeper"
	"lamplighter/module/internal/tokenendpoint"
)

// Fault C3.
func TestCallersThatWentAwayCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		s.latency = time.Minute
		s.answer = down
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		before := runtime.NumGoroutine()
		var callers sync.WaitGroup
		for i := range 20000 {
			callers.Go(func() { _, _ = c.Token(gone, wait, s.exchange(fmt.Sprint(i))) })
		}
		callers.Wait()
		if n := runtime.NumGoroutine() - before; n > maxUnderWay+4 {
			t.Errorf("%d goroutines are left", n)
		}
		s.wantAsked(t, maxUnderWay)
		time.Sleep(time.Minute) // until those have ended
		s.wantAsked(t, maxUnderWay)
		if n := len(c.line.flights); n != 0 {
			t.Errorf("%d exchanges still wait", n)
		}
	})
}

func TestWhoIsGoneAlreadyAsksForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Token(gone, wait, s.exchange("erika")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		s.wantAsked(t, 0)
	})
}

// Fault C3.
func TestMoreExchangesThanMayWaitAreRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		s.latency = time.Second
		var told []keeper.Event
		var mu sync.Mutex
		refusedAtOnce := 0
		var callers sync.WaitGroup
		for i := range maxUnderWay + maxWaiting + 500 {
			callers.Go(func() {
				began := time.Now()
				x := s.exchange(fmt.Sprint(i))
				x.MaxEntries = 10000
				x.Notify = func(e keeper.Event) { told = append(told, e) }
				_, err := c.Token(t.Context(), time.Minute, x)
				if f, ok := errors.AsType[*Failure](err); ok {
					mu.Lock()
					defer mu.Unlock()
					if refusedAtOnce++; f.Cause != causeTooMany || f.RetryAfter <= 0 || f.Refused || time.Since(began) != 0 {
						t.Errorf("%+v after %v", f, time.Since(began))
					}
				}
			})
		}
		callers.Wait()
		synctest.Wait()
		if refusedAtOnce != 500 {
			t.Errorf("%d were refused, want 500", refusedAtOnce)
		}
		s.wantAsked(t, maxUnderWay+maxWaiting)
		if len(told) != 1 || told[0].Trouble.Cause != causeTooMany || told[0].Trouble.Facts.Remedy == "" {
			t.Errorf("told %+v, want it once", told)
		}
	})
}

func TestWhoCameFirstIsServedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		var mu sync.Mutex
		var served []int
		for i := range 300 {
			x := s.exchange(fmt.Sprint(i))
			ask := x.Ask
			x.Ask = func(ctx context.Context) tokenendpoint.Answer {
				if i >= maxUnderWay {
					mu.Lock()
					served = append(served, i/maxUnderWay)
					mu.Unlock()
				}
				return ask(ctx)
			}
			go func() { _, _ = c.Token(t.Context(), time.Minute, x) }()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.IsSorted(served) || len(served) != 300-maxUnderWay {
			t.Errorf("served in the order %v", served)
		}
	})
}

// A flood of unknown subject tokens must not cost callers theirs who have one.
func TestRenewalsGoBeforeAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		granting := s.answer
		s.answer = func(subject string) tokenendpoint.Answer {
			if subject[0] == 'x' {
				return refused(subject)
			}
			return granting(subject)
		}
		good := s.token(t, c, "erika")
		time.Sleep(41 * time.Minute)
		s.latency = time.Second
		for i := range 5000 {
			go func() { _, _ = c.Token(t.Context(), wait, s.exchange(fmt.Sprint("x", i))) }()
		}
		synctest.Wait()
		if s.token(t, c, "erika") != good {
			t.Error("another token")
		}
		time.Sleep(2*s.latency + time.Millisecond)
		if s.token(t, c, "erika") == good {
			t.Error("its renewal waits behind the flood")
		}
		time.Sleep(time.Minute)
	})
}

// Fault A1.
func TestAPanicEndsOneExchangeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		granting := s.answer
		s.answer = func(subject string) tokenendpoint.Answer {
			if subject == "bad" {
				panic("client_secret is s3cret, subject " + subject)
			}
			return granting(subject)
		}
		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() {
				f := s.failure(t, c, "bad")
				if f.Cause != finding.CauseInternal || f.Refused || f.RetryAfter <= 0 || f.Remedy() == "" {
					t.Errorf("%+v", f)
				}
				if text := f.Detail + f.Error(); len(text) < 30 || strings.Contains(text, "s3cret") || !strings.Contains(text, "line_test.go:") {
					t.Errorf("it says %s", text)
				}
			})
			callers.Go(func() { s.token(t, c, "good") })
		}
		callers.Wait()
		s.wantAsked(t, 2)
		if c.LastFailure() == nil && len(c.line.flights) != 0 {
			t.Error("it was forgotten")
		}
	})
}

// Fault A1: nor does one of whoever listens, or an exchange that ends its
// goroutine.
func TestWhateverEndsAnExchangeLeavesTheLineInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := New(), newEndpoint()
		for i := range 200 {
			x := s.exchange(fmt.Sprint(i))
			x.Settings = fmt.Sprint(i) // so that no pause is in the way
			x.Notify = func(keeper.Event) { panic("s3cret") }
			x.Ask = func(context.Context) tokenendpoint.Answer {
				if i%2 == 0 {
					runtime.Goexit()
				}
				return down("")
			}
			if _, err := c.Token(t.Context(), wait, x); err == nil {
				t.Fatal("a token came of it")
			}
		}
		if c.line.underWay != 0 || len(c.line.flights) != 0 {
			t.Errorf("%d exchanges are under way, %d in the line", c.line.underWay, len(c.line.flights))
		}
		s.token(t, c, "good")
	})
}
