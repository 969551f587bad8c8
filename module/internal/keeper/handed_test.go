package keeper

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// refused says that somebody who was handed a token met a 401.
func (p *machine) refused(t *Token) (retry time.Duration, err error) {
	return p.keeper.Refused(p.rig.Context(), t, 10*time.Second)
}

// wantForced lets a token be refused, and returns the one that this brings.
func (p *machine) wantForced(t *Token) *Token {
	p.rig.Helper()
	if retry, err := p.refused(t); retry != 0 || err != nil {
		p.rig.Fatalf("retry in %v, %v", retry, err)
	}
	next := p.token()
	if next.Generation != t.Generation+1 {
		p.rig.Fatalf("generation %d after %d", next.Generation, t.Generation)
	}
	return next
}

func TestARotationGivesWhoWasHandedTheTokenTimeToUseIt(t *testing.T) {
	for name, tc := range map[string]struct {
		ago    time.Duration // since a token was handed out when the hold begins, 0 for never
		paused time.Duration
	}{
		"a moment ago":   {time.Millisecond, 2*time.Second - time.Millisecond},
		"a second ago":   {time.Second, time.Second},
		"long ago":       {time.Minute, 0},
		"not to anybody": {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			held(t, func(t *testing.T, r *rig, p *machine) {
				begins := r.server.requests()[0].at.Add(40*time.Minute + r.server.dialing)
				if tc.ago > 0 {
					time.Sleep(time.Until(begins.Add(-tc.ago)))
					p.keeper.Handed()
				}
				time.Sleep(time.Until(begins.Add(time.Minute)))
				r.wantRequests(2)
				if paused := r.server.requests()[1].at.Sub(begins).Round(time.Millisecond); paused != tc.paused {
					t.Errorf("the refresh was sent %v after the hold began, want %v", paused, tc.paused)
				}
			})
		})
	}
}

func TestWhereReplicasMayHaveHandedOutTheTokenAllAreGivenTime(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		r.server.strict = true
		processes := r.three(drain, func(s *Settings) { s.HandsOut = true })
		processes[0].token()
		holding := func() bool {
			return slices.ContainsFunc(processes, func(p *machine) bool { return p.keeper.gate.held.Load() != nil })
		}
		before := r.server.count()
		for !holding() {
			time.Sleep(time.Millisecond)
		}
		began := time.Now()
		time.Sleep(10 * time.Second)
		if r.server.count() != before+1 {
			t.Fatalf("%d token requests", r.server.count()-before)
		}
		if paused := r.server.requests()[before].at.Sub(began); paused < 2*time.Second-100*time.Millisecond {
			t.Errorf("the refresh was sent %v after the first hold began", paused)
		}
	})
}

func TestARefusalByWhoWasHandedTheTokenForcesOneRefresh(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		token := p.token()
		time.Sleep(time.Minute)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if retry, err := p.refused(token); retry != 0 || err != nil {
					t.Errorf("retry in %v, %v", retry, err)
				}
			})
		}
		all.Wait()
		r.wantRequests(2)
		if got := p.token().Generation; got != 2 {
			t.Errorf("generation %d", got)
		}
		if retry, err := p.refused(token); retry != 0 || err != nil { // which is old by now
			t.Errorf("retry in %v, %v", retry, err)
		}
		r.wantRequests(2)
	})
}

// A visitor who makes an API answer 401 is no attack on the authorization server.
func TestWhatWasForcedIsForcedAgainAfterEverLongerPauses(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		token := p.token()
		time.Sleep(time.Minute)
		token = p.wantForced(token)
		for n, pause := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
			for left := pause; left > 0; left -= time.Second {
				if retry, err := p.refused(token); err != nil || retry.Round(time.Second) != left {
					t.Fatalf("pause %d: %v before its end: retry in %v, %v", n, left, retry, err)
				}
				time.Sleep(time.Second)
			}
			r.wantRequests(n + 2)
			token = p.wantForced(token)
		}
		time.Sleep(45 * time.Minute) // it is replaced as planned
		next := p.token()
		if next.Generation != token.Generation+1 {
			t.Fatalf("generation %d after %d", next.Generation, token.Generation)
		}
		token = p.wantForced(next)
		if retry, err := p.refused(token); err != nil || retry.Round(time.Second) != 30*time.Second {
			t.Errorf("after a planned refresh: retry in %v, %v", retry, err)
		}
	})
}

func TestARefusalWaitsForTheRefreshThatRuns(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		token := p.token()
		r.server.always(fault{before: 2 * time.Second})
		for p.keeper.Status().State != StateRefreshing {
			time.Sleep(time.Second)
		}
		p.wantForced(token)
		r.wantRequests(2)
	})
}

func TestARefusalThatBringsNoTokenIsToldAsThat(t *testing.T) {
	for name, f := range map[string]fault{"503": unavailable(503, 0), "no answer in time": {before: 20 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				token := p.token()
				time.Sleep(time.Minute)
				r.server.script(f)
				began := time.Now()
				_, err := p.refused(token)
				if u, ok := errors.AsType[*Unavailable](err); !ok || u.RetryAfter < time.Second || time.Since(began) > 10*time.Second {
					t.Errorf("%v after %v", err, time.Since(began))
				}
				if p.token() != token {
					t.Error("the token that is valid is not kept")
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := p.token().Generation; got != 2 {
					t.Errorf("generation %d", got)
				}
			})
		})
	}
}

func TestAServerThatGivesTheSameTokenAgainIsNotAskedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.edit(func(s *server) { s.constant, s.reuses = true, true })
		p := r.boot(cacheOnly)
		token := p.token()
		time.Sleep(time.Minute)
		for range 100 {
			if retry, err := p.refused(token); err != nil || retry < time.Second {
				t.Fatalf("retry in %v, %v", retry, err)
			}
			time.Sleep(time.Second)
		}
		r.wantRequests(2)
	})
}
