package keeper

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/record"
)

func TestTheFirstTokenComesFromTheSeed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		token := p.token()
		if token.Generation != 1 || token.AccessToken == "" {
			t.Errorf("got %+v, want generation 1", token)
		}
		r.wantRequests(1)
		if got := r.server.requests()[0].token; got != r.seed {
			t.Errorf("presented %q, want the seed", got)
		}
		rec := r.disk.stored()
		if rec.Generation != 1 || rec.RefreshToken != r.server.current(r.seed) || rec.Attempt != nil || rec.Lost != nil {
			t.Errorf("record %+v does not hold the new refresh token", rec)
		}
		if fp := record.FingerprintOf(r.seed); !rec.KnowsSeed(fp) || !slices.Contains(rec.Spent, fp) {
			t.Errorf("the seed is neither known nor spent: %+v", rec)
		}
		p.toldOnce(finding.TokenObtained)
		p.toldOnce(finding.RefreshTokenRotated)
		r.wantState(p, StateOK, "")
	})
}

func TestARestartUsesTheRecordAndNotTheSeed(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		first := p.token()
		p.kill()
		time.Sleep(20 * time.Minute)

		p = r.boot()
		if again := p.token(); again.AccessToken != first.AccessToken || again.Generation != 1 {
			t.Errorf("got %+v, want the token of the record", again)
		}
		time.Sleep(10 * time.Minute)
		r.wantRequests(1)
		p.toldOnce(finding.TokenRestored)

		time.Sleep(11 * time.Minute) // two thirds of the hour are over
		r.wantRequests(2)
		if got := r.server.requests()[1].token; got == r.seed {
			t.Error("the seed was presented again")
		}
	})
}

func TestARefreshIsDueWhenTheRatioRemains(t *testing.T) {
	for name, test := range map[string]struct {
		ratio, jitter float64
		want          time.Duration
	}{
		"a third":                  {1.0 / 3, 0, 40 * time.Minute},
		"a third, most jitter":     {1.0 / 3, 1, 37 * time.Minute},
		"a half":                   {0.5, 0, 30 * time.Minute},
		"nearly all, most jitter":  {0.97, 1, 0},
		"a tenth, half the jitter": {0.1, 0.5, 52*time.Minute + 30*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.random = func() float64 { return test.jitter }
				p := r.boot(func(s *Settings) { s.RefreshWindowRatio = test.ratio })
				p.token()
				time.Sleep(50 * time.Minute)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				asked := r.server.requests()
				if len(asked) < 2 {
					t.Fatal("no refresh before the expiry")
				}
				dialing := r.server.dialing
				got := asked[1].at.Sub(asked[0].at) - dialing
				want := max(test.want, time.Second)
				if test.want == 0 {
					want += r.server.latency // min_refresh_interval counts from the answer
				}
				if got.Round(time.Millisecond) != want {
					t.Errorf("refreshed after %v, want %v", got, want)
				}
			})
		})
	}
}

func TestManyWaitersShareOneRequest(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.newProcess()
		var wg sync.WaitGroup
		tokens := make([]*Token, 200)
		for i := range tokens {
			wg.Go(func() { tokens[i], _ = p.acquire() })
		}
		synctest.Wait()
		p.start()
		wg.Wait()
		for i, token := range tokens {
			if token == nil || token.Generation != 1 {
				t.Fatalf("waiter %d got %+v", i, token)
			}
		}
		r.wantRequests(1)
	})
}

func TestManyWaitersAfterAnExpiryShareOneRequest(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.server.always(notSent())
		time.Sleep(2 * time.Hour)
		r.server.heal()
		p.unavailableOrToken()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { _, _ = p.acquire() })
		}
		wg.Wait()
		time.Sleep(time.Minute)
		p.token()
		r.wantRequests(2)
	})
}

// unavailableOrToken asks once, whatever comes.
func (p *machine) unavailableOrToken() { _, _ = p.acquire() }

func TestACallersCancelFreesItAndNotTheRefresh(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.always(fault{before: 5 * time.Second})
		p := r.boot()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := p.keeper.Acquire(ctx, 10*time.Second, true)
			done <- err
		}()
		time.Sleep(time.Second)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the caller's own cancel", err)
		}
		p.token()
		r.wantRequests(1)
	})
}

func TestTheOrderIsJournalSendSavePublish(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.newProcess()
		var seenAtSave *Token
		r.disk.hook = func(_ *machine, point string) {
			if point == "after-save" {
				seenAtSave = p.keeper.Current()
			}
		}
		p.start()
		p.token()
		if got := strings.Join(r.disk.noted(), " "); got != "journal send save" {
			t.Errorf("order %q, want journal, send, save", got)
		}
		if seenAtSave != nil {
			t.Error("the token was published before its record was written")
		}
		if a := r.disk.stored().Attempt; a != nil {
			t.Errorf("the journal is still open: %+v", a)
		}
	})
}

func TestTheJournalNamesTheAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.newProcess()
		r.killAt("after-journal")
		p.start()
		time.Sleep(time.Minute)
		r.wantRequests(0)
		rec := r.disk.stored()
		a := rec.Attempt
		if a == nil || a.RefreshToken != record.FingerprintOf(r.seed) || a.ID == "" || a.At.IsZero() || !a.Unanswered.IsZero() {
			t.Errorf("journal %+v", a)
		}
		if rec.RefreshToken != r.seed || rec.Binding != r.binding || rec.Client != "erp" {
			t.Errorf("the seed did not become the grant: %+v", rec)
		}
	})
}

func TestAnEmptyRefreshTokenReplacesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.omits = true
		p := r.boot()
		p.token()
		rec := r.disk.stored()
		if rec.RefreshToken != r.seed || rec.Generation != 1 || rec.Attempt != nil {
			t.Errorf("record %+v, want the seed kept", rec)
		}
		e := p.toldOnce(finding.RotationMissing)
		if e.Trouble.Cause == "" || p.saidOf(e).Remedy == "" {
			t.Errorf("the alarm explains nothing: %+v", e)
		}
		time.Sleep(41 * time.Minute)
		r.wantRequests(2)
		if got := r.server.requests()[1].token; got != r.seed {
			t.Errorf("presented %q, want the one that was kept", got)
		}
	})
}

func TestOptionalRotationRaisesNoAlarm(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.reuses = true
		p := r.boot(func(s *Settings) { s.RequireRotation = false })
		p.token()
		if found := p.told(finding.RotationMissing); len(found) != 0 {
			t.Errorf("alarm %+v", found)
		}
		if found := p.told(finding.RefreshTokenRotated); len(found) != 0 {
			t.Errorf("told %+v", found)
		}
	})
}

func TestTheSameTokenAgainIsNoNewGeneration(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.constant, r.server.reuses = true, true
		p := r.boot(func(s *Settings) { s.RequireRotation = false })
		p.token()
		time.Sleep(24 * time.Hour)
		if token := p.token(); token.Generation != 1 {
			t.Errorf("generation %d, want 1", token.Generation)
		}
		// An hour each, refreshed after 37 to 40 minutes.
		if n := r.server.count(); n < 36 || n > 39 {
			t.Errorf("%d requests in a day, want 36 to 39", n)
		}
	})
}

func TestAShrinkingLifetimeIsNoLoop(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.constant, r.server.reuses = true, true
		expires := time.Now().Add(time.Hour)
		r.server.always(fault{tamper: func(a *answer) { a.ExpiresIn = max(time.Second, time.Until(expires)) }})
		p := r.boot(func(s *Settings) { s.RequireRotation = false })
		p.token()
		time.Sleep(59 * time.Minute)
		if n := r.server.count(); n > 8 {
			t.Errorf("%d requests in the token's hour, want a few", n)
		}
	})
}

func TestTinyLifetimesObeyTheLeastInterval(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.lifetime = time.Millisecond
		p := r.boot(func(s *Settings) { s.MinRefreshInterval = 10 * time.Second })
		p.tick(10 * time.Minute)
		if n := r.server.count(); n > 61 {
			t.Errorf("%d requests in 10 minutes, want at most one in 10 s", n)
		}
	})
}
