package keeper

import (
	"testing"
	"time"

	"lamplighter/module/internal/finding"
)

func TestNothingIsSentThatLeavesTooLittleTimeForItsAnswer(t *testing.T) {
	for name, slow := range map[string]func(*server){
		"the connection took nearly all the time": func(s *server) { s.dialing, s.latency = 29900*time.Millisecond, 500*time.Millisecond },
		"the connection took most of the time":    func(s *server) { s.dialing, s.latency = 21*time.Second, 9500*time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				r.server.edit(func(s *server) { s.strict = true; slow(s) })
				time.Sleep(41 * time.Minute)
				r.wantRequests(1)
				if got := p.told(finding.TokenRefreshFailed); len(got) == 0 {
					t.Error("nothing is said of it")
				}
				r.server.edit(func(s *server) { s.dialing, s.latency = 10*time.Millisecond, 50*time.Millisecond })
				p.tick(5 * time.Minute)
				r.wantState(p, StateOK, "")
			})
		})
	}
}

func TestASlowUploadDoesNotTakeTheTimeOfTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.strict, r.server.latency = true, 500*time.Millisecond
		p := r.boot(func(s *Settings) { s.Drain, s.Quiesce, s.Timeout = true, 10*time.Second, 4*time.Second })
		p.token()
		pass, err := p.keeper.Acquire(t.Context(), time.Second, true)
		if err != nil {
			t.Fatal(err)
		}
		defer p.keeper.Answered(pass) // much later
		p.tick(50 * time.Minute)
		r.wantRequests(2)
		r.wantState(p, StateOK, "")
	})
}

func TestAHoldThatEndedIsNotWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot(func(s *Settings) { s.Drain, s.Quiesce = true, 20*time.Second })
		p.token()
		pass, err := p.keeper.Acquire(t.Context(), time.Second, true)
		if err != nil {
			t.Fatal(err)
		}
		defer p.keeper.Answered(pass)
		p.tick(41 * time.Minute)
		obtained := p.told(finding.TokenObtained)
		if last := obtained[len(obtained)-1]; len(obtained) != 2 || last.Duration > maxHold+time.Second {
			t.Errorf("the refresh took %v, and held requests for %v of it", last.Duration, maxHold)
		}
	})
}
