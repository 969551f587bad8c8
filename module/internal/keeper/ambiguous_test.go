package keeper

import (
	"strings"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

// pauses are the times between requests, answers excluded.
func (r *rig) pauses() (found []time.Duration) {
	asked := r.server.requests()
	for i := 1; i < len(asked); i++ {
		found = append(found, asked[i].at.Sub(asked[i-1].at)-r.server.latency-r.server.dialing)
	}
	return found
}

// wantBackoff checks pauses that double from a second to half a minute, ±20 %.
func (r *rig) wantBackoff(pauses []time.Duration) {
	r.Helper()
	want := time.Second
	for i, got := range pauses {
		if got < want*8/10 || got > want*12/10 {
			r.Errorf("pause %d is %v, want %v within 20 %%", i+1, got, want)
		}
		want = min(2*want, 30*time.Second)
	}
}

func TestALostAnswerIsAskedForAgainWithinThreeSeconds(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.grace = 3 * time.Second
		r.server.script(dropAfter())
		p := r.boot()
		p.token()
		r.wantRequests(2)
		asked := r.server.requests()
		if asked[0].token != asked[1].token || asked[1].at.Sub(asked[0].at) > 3*time.Second {
			t.Errorf("asked %+v, want the same token within 3 s", asked)
		}
		r.wantState(p, StateOK, "")
	})
}

func TestAmbiguousAttemptsAreRepeatedUntilTheServerAnswers(t *testing.T) {
	for name, f := range map[string]fault{"no answer": dropBefore(), "502": unavailable(502, 0)} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.always(f)
				p := r.boot()
				time.Sleep(10 * time.Minute)
				pauses := r.pauses()
				if len(pauses) < 20 {
					t.Errorf("%d retries in 10 minutes", len(pauses))
				}
				r.wantBackoff(pauses)
				for _, asked := range r.server.requests() {
					if asked.token != r.seed {
						t.Errorf("presented %q, want the same token", asked.token)
					}
				}
				if st := p.keeper.Status(); st.State != StateBackoff {
					t.Errorf("state %s", st.State)
				}
				r.server.heal()
				time.Sleep(36 * time.Second)
				r.wantState(p, StateOK, "")
			})
		})
	}
}

func TestOnlyARefusalEndsAnAmbiguousAttempt(t *testing.T) {
	for name, lost := range map[string]fault{"no answer": dropAfter(), "502": badGateway()} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.script(lost, dropBefore(), unavailable(503, 0), notSent())
				p := r.boot()
				p.tick(2 * time.Hour)
				r.wantRequests(4)
				r.wantState(p, StateGrantLost, finding.CauseResponseLost)
				e := p.toldOnce(finding.GrantLost)
				if e.Trouble.Cause != finding.CauseResponseLost || !strings.Contains(p.saidOf(e).Detail, "lost") || p.saidOf(e).Remedy == "" {
					t.Errorf("event %+v", e)
				}
			})
		})
	}
}

func TestA5xxLeavesTheAttemptOpen(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(badGateway())
		p := r.boot()
		time.Sleep(time.Minute)
		r.wantRequests(2)
		r.wantState(p, StateGrantLost, finding.CauseResponseLost)
	})
}

func TestARefreshTokenIsRecoveredFromABrokenAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(truncated())
		p := r.boot(drain)
		p.token()
		r.wantRequests(2)
		asked := r.server.requests()
		if asked[1].token == r.seed || !r.disk.everSaved(asked[1].token) {
			t.Errorf("presented %q, want the token of the broken answer, saved", asked[1].token)
		}
		if pause := r.pauses()[0]; pause > 3*time.Second {
			t.Errorf("after %v", pause)
		}
	})
}

func TestASpentTokenIsNeverPresentedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.grace = time.Hour
		p := r.boot()
		for day := range 10 {
			p.tick(20 * time.Hour)
			if day%3 == 0 {
				p.kill()
				p = r.boot()
			}
			p.tick(4 * time.Hour)
		}
		seen := make(map[string]bool)
		for _, asked := range r.server.requests() {
			if seen[asked.token] {
				t.Errorf("%q was presented twice", asked.token)
			}
			seen[asked.token] = true
		}
		if len(seen) < 300 {
			t.Errorf("%d tokens in 10 days", len(seen))
		}
	})
}

func TestWhatWasNotSentIsRepeatedFreely(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(notSent(), notSent(), notSent(), notSent(), notSent())
		p := r.boot()
		time.Sleep(15 * time.Second)
		if a := r.disk.stored().Attempt; a != nil {
			t.Errorf("the journal is open although nothing was sent: %+v", a)
		}
		p.tick(time.Minute)
		p.token()
		r.wantRequests(1)
		r.wantState(p, StateOK, "")
	})
}

// Nothing was sent after the first request, so what a later refusal means is
// that its answer was lost.
func TestWhatWasNotSentDoesNotHideAnOpenAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(dropAfter(), notSent(), misconfigured(), unavailable(429, time.Second))
		p := r.boot()
		p.tick(10 * time.Minute)
		r.wantState(p, StateGrantLost, finding.CauseResponseLost)
	})
}
