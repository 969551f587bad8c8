package keeper

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
)

// unauthorized says that an upstream answered 401.
func (p *machine) unauthorized(t *Token) Verdict {
	return p.keeper.Unauthorized(p.rig.Context(), t, 10*time.Second)
}

func TestA401ToAnOldTokenIsReplayedWithoutARefresh(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		old := p.token()
		time.Sleep(41 * time.Minute)
		r.wantRequests(2)
		if v := p.unauthorized(old); v != Stale {
			t.Errorf("verdict %v, want Stale", v)
		}
		r.wantRequests(2)
	})
}

func TestA401DuringARefreshWaitsForIt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		old := p.token()
		r.server.always(fault{before: 2 * time.Second})
		time.Sleep(36 * time.Minute)
		for p.keeper.Status().State != StateRefreshing {
			time.Sleep(time.Second)
		}
		if v := p.unauthorized(old); v != Stale {
			t.Errorf("verdict %v, want Stale", v)
		}
		if token := p.token(); token.Generation != 2 {
			t.Errorf("got %+v, want the new token", token)
		}
		r.wantRequests(2)
	})
}

func TestA401ToTheCurrentTokenForcesOneRefresh(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		token := p.token()
		time.Sleep(time.Minute)
		verdicts := make(chan Verdict, 1000)
		for range cap(verdicts) {
			go func() { verdicts <- p.unauthorized(token) }()
		}
		for range cap(verdicts) {
			if v := <-verdicts; v == Final {
				t.Fatal("a 401 was taken for final")
			}
		}
		r.wantRequests(2)
		if v := p.unauthorized(token); v != Stale {
			t.Errorf("verdict %v for the old token", v)
		}
		r.wantRequests(2)
	})
}

func TestAForcedTokenIsNotForcedAgainBeforeItWasAccepted(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		first := p.token()
		time.Sleep(time.Minute)
		if v := p.unauthorized(first); v != Renewed {
			t.Fatalf("verdict %v, want Renewed", v)
		}
		second := p.token()
		for range 1000 {
			time.Sleep(100 * time.Millisecond)
			if v := p.unauthorized(second); v != Final {
				t.Fatalf("verdict %v, want Final", v)
			}
		}
		r.wantRequests(2)
		p.keeper.Accepted(first) // says nothing about the second
		if v := p.unauthorized(second); v != Final {
			t.Errorf("verdict %v, want Final", v)
		}
		p.keeper.Accepted(second)
		if v := p.unauthorized(second); v != Renewed {
			t.Errorf("verdict %v, want Renewed", v)
		}
		r.wantRequests(3)
	})
}

func TestAForcedRefreshObeysTheLeastInterval(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot(func(s *Settings) { s.MinRefreshInterval = time.Minute })
		token := p.token()
		time.Sleep(30 * time.Second)
		if v := p.unauthorized(token); v != Final {
			t.Errorf("verdict %v, want Final", v)
		}
		r.wantRequests(1)
		time.Sleep(31 * time.Second)
		if v := p.unauthorized(token); v != Renewed {
			t.Errorf("verdict %v, want Renewed", v)
		}
		r.wantRequests(2)
	})
}

func TestOneOfTwoUpstreamsThatAlwaysSays401IsNoStorm(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		time.Sleep(time.Minute)
		for range 6000 { // ten minutes
			time.Sleep(100 * time.Millisecond)
			p.unauthorized(p.token())
			p.keeper.Accepted(p.token())
		}
		// After 1, 2, 4, … 256 seconds, and then every five minutes at most.
		if n := r.server.count(); n < 5 || n > 12 {
			t.Errorf("%d token requests", n)
		}

		// Once it has been quiet, a 401 counts again.
		time.Sleep(15 * time.Minute)
		if v := p.unauthorized(p.token()); v != Renewed {
			t.Errorf("verdict %v, want Renewed", v)
		}
		time.Sleep(2 * time.Second)
		p.keeper.Accepted(p.token())
		if v := p.unauthorized(p.token()); v != Renewed {
			t.Errorf("verdict %v, want Renewed after a short pause", v)
		}
	})
}

func TestAForcedRefreshThatFailsIsOnePerGeneration(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		token := p.token()
		r.server.always(unavailable(503, 5*time.Minute))
		time.Sleep(time.Minute)
		began := time.Now()
		if v := p.unauthorized(token); v != Final || time.Since(began) > time.Second {
			t.Errorf("verdict %v after %v, want Final when the refresh failed", v, time.Since(began))
		}
		for range 100 {
			if v := p.unauthorized(token); v != Final {
				t.Fatalf("verdict %v, want Final", v)
			}
		}
		r.wantRequests(2)
		p.token() // what an upstream refuses may be right for another
	})
}

func TestALostGrantIsNotForced(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		token := p.token()
		r.server.revoke(r.seed)
		time.Sleep(45 * time.Minute)
		r.wantState(p, StateGrantLost, finding.CauseRefused)
		if v := p.unauthorized(token); v != Final {
			t.Errorf("verdict %v, want Final", v)
		}
		r.wantRequests(2)
	})
}

func TestACallersCancelEndsItsWaitForAForcedRefresh(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		token := p.token()
		r.server.always(fault{before: 5 * time.Second})
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if v := p.keeper.Unauthorized(ctx, token, 10*time.Second); v != Final || time.Since(began) != time.Second {
			t.Errorf("verdict %v after %v", v, time.Since(began))
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if p.token().Generation != 2 {
			t.Error("the refresh was called off")
		}
	})
}

func TestManyRefusalsDuringABackoffCostFewLooks(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		token := p.token()
		r.server.always(unavailable(503, 10*time.Minute))
		time.Sleep(41 * time.Minute)
		synctest.Wait()
		p.mu.Lock()
		before := p.looks
		p.mu.Unlock()
		for range 50 {
			if v := p.keeper.Unauthorized(t.Context(), token, time.Second); v != Final {
				t.Fatalf("verdict %d, want Final", v)
			}
		}
		synctest.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if n := p.looks - before; n > 2 {
			t.Errorf("%d looks at the record", n)
		}
	})
}

// The old token dies when the server issues the new one, and the new one is published
// when it is on the disk: what is refused in between died under way.
func TestA401WhileTheAnswerIsWrittenIsNoRefusalOfTheCurrentToken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.strict = true
		p := r.boot(drain)
		old := p.token()
		r.disk.faults(func() { r.disk.slow = time.Second })
		for r.server.accepts(old.AccessToken) {
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(200 * time.Millisecond) // the answer is there
		if v := p.unauthorized(old); v != Stale {
			t.Errorf("verdict %v, want Stale", v)
		}
		r.wantRequests(2)
	})
}
