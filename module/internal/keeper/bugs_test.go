package keeper

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/grant/step"
	"lamplighter/module/internal/record"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/internal/tokenendpoint"
)

// What counts answers comes after the refresh token in them is kept.
func TestABugInWhatCountsAnswersCostsNoToken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot(func(s *Settings) {
			s.Observe = func(tokenendpoint.Outcome, time.Duration) { panic("a bug") }
		})
		p.token()
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
		r.wantUse(p)
		if rec := r.disk.stored(); rec.RefreshToken != r.server.current(r.seed) || len(p.told(finding.TokenRefreshFailed)) > 0 {
			t.Errorf("record %+v", rec)
		}
	})
}

func TestABugInWhoeverIsToldEndsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.newProcess()
		p.onTell = func(Event) { panic("a bug") }
		p.start()
		p.token()
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
		r.wantUse(p)
		if n := len(p.told(finding.TokenRefreshFailed)); n > 0 {
			t.Errorf("%d token requests failed", n)
		}
	})
}

func TestABugInTheSettingsKeepsNobodyFromLooking(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		looks := new(Turns)
		p := r.boot(func(s *Settings) {
			s.Looks = looks
			s.Resolve = func() (Inputs, error) { panic("a bug") }
		})
		for range 2 * maxLooks {
			p.keeper.Recheck()
			synctest.Wait()
		}
		r.wantState(p, StateBackoff, finding.CauseInternal)
		if looks.taken != 0 {
			t.Errorf("%d looks are still going on", looks.taken)
		}
	})
}

// A stop may call a request off whose outcome is handled after the next start.
func TestARequestThatWasCalledOffIsNotWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		k := r.newProcess().keeper
		k.request = newRequest(step.Connect{}, &Settings{})
		k.request.callOff(errStopping)
		k.request.answer <- answerNotSent(tokenendpoint.CauseCanceled)
		sent := make(chan struct{})
		go func() {
			k.send()
			close(sent)
		}()
		synctest.Wait()
		select {
		case <-sent:
		default:
			t.Error("it is waited for, for ever")
			<-k.request.proceed // so that the test ends
		}
	})
}

func TestAnOrderThatTriesForALeaseIsAnsweredAtTheStop(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		release := r.holdLease()
		defer release()
		slow := &slowLease{memoryStore: p.store}
		slow.takes.Store(int64(time.Second))
		p.keepAt(slow)
		results := make(chan Result, 1)
		go func() {
			res, _ := p.keeper.Refresh(context.Background(), true)
			results <- res
		}()
		time.Sleep(500 * time.Millisecond)
		p.halt()
		synctest.Wait()
		select {
		case res := <-results:
			if res.Obtained || res.Trouble.Cause != finding.CauseStopped {
				t.Errorf("result %+v", res)
			}
		default:
			t.Error("whoever gave the order waits for ever")
			p.start() // so that the test ends
		}
	})
}

// The pause after another holder's write is no reason to give a refused token up.
func TestA401WaitsForAnAttemptThatIsPutOff(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.strict = true
		p := r.boot()
		old := p.token()
		time.Sleep(2 * time.Second) // the least interval
		conflicts := 0
		r.disk.faults(func() {
			r.disk.onSave = func(rec *record.Record) error {
				if journals(rec) && conflicts == 0 {
					conflicts++
					return recordstore.ErrConflict
				}
				return nil
			}
		})
		r.server.revokeAccess()
		if v := p.unauthorized(old); v != Renewed {
			t.Errorf("verdict %v", v)
		}
		if conflicts != 1 {
			t.Errorf("%d conflicts", conflicts)
		}
	})
}

// There may be very many clients, and what a request was made of is secret.
func TestAKeeperThatHasNothingToDoKeepsNothingOfItsLastRequest(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		synctest.Wait()
		k := p.keeper
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.inputs.Ask != nil || k.request != nil || k.queue != nil {
			t.Errorf("it keeps %+v and %+v", k.inputs, k.request)
		}
	})
}

// A token that is served before its cache is written may be refused before, too.
func TestA401WhileTheCacheIsWrittenBringsAboutARefresh(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.seed = ""
		r.disk.faults(func() { r.disk.slow = 3 * time.Second })
		p := r.boot(cacheOnly)
		old := p.token()
		time.Sleep(2 * time.Second) // the least interval
		r.server.revokeAccess()
		if v := p.unauthorized(old); v != Renewed {
			t.Errorf("verdict %v", v)
		}
	})
}

// The least interval is about us, and no reason to give a refused token up.
func TestA401WaitsForTheLeastInterval(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		old := p.token()
		r.server.revokeAccess()
		began := time.Now()
		if v := p.unauthorized(old); v != Renewed {
			t.Errorf("verdict %v", v)
		}
		if waited := time.Since(began); waited > 2*time.Second {
			t.Errorf("it took %v", waited)
		}
		r.wantRequests(2)
	})
}

// A file that a setting names may be on a mount that hangs.
func TestSettingsThatHangHoldUpNeitherStateNorStop(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		hang := make(chan struct{})
		p := r.newProcess()
		stop := p.start(func(s *Settings) {
			resolve := s.Resolve
			s.Resolve = func() (Inputs, error) {
				<-hang
				return resolve()
			}
		})
		time.Sleep(time.Minute)
		r.wantState(p, StateMisconfigured, finding.CauseUnresolved)
		stopped := make(chan struct{})
		go func() {
			stop()
			close(stopped)
		}()
		time.Sleep(10 * time.Second)
		select {
		case <-stopped:
		default:
			t.Error("the stop waits for settings")
		}
		close(hang)
		<-stopped
	})
}

func TestSettingsThatHungAreReadAsSoonAsTheyCanBe(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		hang := make(chan struct{})
		p := r.boot(func(s *Settings) {
			resolve := s.Resolve
			s.Resolve = func() (Inputs, error) {
				<-hang
				return resolve()
			}
		})
		time.Sleep(time.Minute)
		close(hang)
		time.Sleep(time.Second)
		r.wantState(p, StateOK, "")
	})
}
