package keeper

import (
	"testing"
	"testing/synctest"
	"time"

	"lamplighter/module/internal/finding"
)

func TestAStoreThatCannotBeWrittenCostsNoRefreshToken(t *testing.T) {
	for name, edit := range map[string]func(*disk){
		"full":      func(d *disk) { d.refuseSaves(errFull, anything) },
		"read-only": func(d *disk) { d.refuseSaves(errReadOnly, anything) },
		"no lock":   func(d *disk) { d.faults(func() { d.leaseErr = errReadOnly }) },
		"no record": func(d *disk) { d.refuseLoads(errBroken) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				edit(r.disk)
				p := r.boot()
				p.tick(10 * time.Minute)
				r.wantRequests(0)
				st := r.wantState(p, StateBackoff, finding.CauseStore)
				if p.said(st.Trouble).Remedy == "" {
					t.Errorf("no remedy: %+v", st)
				}
				r.disk.acceptSaves()
				r.disk.refuseLoads(nil)
				r.disk.faults(func() { r.disk.leaseErr = nil })
				time.Sleep(40 * time.Second)
				p.token()
				r.wantState(p, StateOK, "")
			})
		})
	}
}

func TestAnAnswerThatCannotBeWrittenIsServedFromMemory(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errFull, answers)
		time.Sleep(41 * time.Minute)
		r.wantRequests(2)
		if token := p.token(); token.Generation != 2 || !r.server.accepts(token.AccessToken) {
			t.Errorf("got %+v, want the new token", token)
		}
		if st := p.keeper.Status(); !st.Unsaved || st.Trouble.Cause != finding.CauseStore || p.said(st.Trouble).Remedy == "" {
			t.Errorf("the status does not say that it is unsaved: %+v", st)
		}
		if e := p.toldOnce(finding.StoreFailed); e.Trouble.Cause != finding.CauseStore || p.saidOf(e).Remedy == "" {
			t.Errorf("event %+v", e)
		}
		p.tick(30 * time.Minute)
		r.wantRequests(2)

		r.disk.acceptSaves()
		time.Sleep(40 * time.Second)
		rec := r.disk.stored()
		if rec.Generation != 2 || rec.RefreshToken != r.server.current(r.seed) || rec.Attempt != nil {
			t.Errorf("record %+v, want the second answer", rec)
		}
		p.toldOnce(finding.StoreRecovered)
		if p.keeper.Status().Unsaved || r.disk.leased() {
			t.Error("still unsaved, or the lease kept")
		}
		p.kill()
		p = r.boot()
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
	})
}

func TestAnUnsavedAnswerIsReplacedOnlyShortlyBeforeItsExpiry(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errFull, answers)
		time.Sleep(41 * time.Minute)
		r.wantRequests(2)
		r.disk.refuseSaves(errFull, anything)
		p.tick(5 * time.Hour)
		r.wantUse(p)
		asked := r.server.requests()
		for i := 2; i < len(asked); i++ {
			if pause := asked[i].at.Sub(asked[i-1].at); pause < 54*time.Minute || pause > 55*time.Minute {
				t.Errorf("request %d after %v, want 54 minutes", i+1, pause)
			}
		}
		r.disk.acceptSaves()
		time.Sleep(40 * time.Second)
		if r.disk.stored().RefreshToken != r.server.current(r.seed) {
			t.Error("the newest refresh token was not written")
		}
		p.toldOnce(finding.StoreRecovered)
	})
}

func TestTheStoreRecoversWithTheNextAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.random = func() float64 { return 0 }
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errFull, answers)
		time.Sleep(41 * time.Minute)
		r.server.always(fault{during: r.disk.acceptSaves})
		p.tick(70 * time.Minute)
		p.toldOnce(finding.StoreRecovered)
		if p.keeper.Status().Unsaved || r.disk.leased() {
			t.Error("still unsaved, or the lease kept")
		}
	})
}

func TestAnUnsavedAnswerIsWrittenAtTheLastStop(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		r.disk.refuseSaves(errFull, answers)
		time.Sleep(time.Minute)
		r.disk.acceptSaves()
		p.halt()
		if r.disk.stored().Generation != 1 || r.disk.leased() {
			t.Errorf("record %+v, or the lease kept", r.disk.stored())
		}
	})
}

func TestALeaseGivenBackAtTheLastStopIsNotUsedAfterAnotherStart(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		r.disk.refuseSaves(errFull, answers)
		time.Sleep(time.Minute)
		p.halt()
		p.start()
		time.Sleep(56 * time.Minute) // shortly before the expiry
		r.wantRequests(2)
		r.wantUse(p)
		r.disk.acceptSaves()
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
	})
}

func TestAnUnsavedAnswerKeepsOthersFromTheSpentToken(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		first := r.boot()
		first.token()
		second := r.boot()
		r.disk.refuseSaves(errFull, answers)
		first.tick(50 * time.Minute)
		second.tick(9 * time.Minute)
		r.wantRequests(2)
		r.disk.acceptSaves()
		time.Sleep(time.Minute)
		first.token()
		second.token()
		r.wantState(first, StateOK, "")
		r.wantState(second, StateOK, "")
	})
}

func TestAWriteInDoubtIsRepeated(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errInDoubt, answers)
		time.Sleep(41 * time.Minute)
		if !p.keeper.Status().Unsaved {
			t.Error("a write that may not be durable counts as saved")
		}
		before := r.disk.stored()
		r.disk.acceptSaves()
		time.Sleep(40 * time.Second)
		rec := r.disk.stored()
		if p.keeper.Status().Unsaved || rec.Generation != before.Generation {
			t.Errorf("generation %d after %d", rec.Generation, before.Generation)
		}
		r.wantRequests(2)
	})
}

// The token is about to expire by one clock only.
func TestAClockThatJumpsWhileAnAnswerIsUnsavedIsNoLoop(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errFull, answers)
		time.Sleep(41 * time.Minute)
		r.wantRequests(2)
		r.disk.refuseSaves(errFull, anything)
		r.server.always(unavailable(503, 0))
		r.stepClock(time.Hour)
		p.tick(time.Minute)
		if n := r.server.count(); n > 12 {
			t.Errorf("%d token requests in a minute", n)
		}
	})
}

func TestALostAnswerWhileUnsavedIsAskedForAgainSoon(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.grace = 10 * time.Second
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errFull, answers)
		p.tick(80 * time.Minute)
		r.wantRequests(2)
		r.disk.refuseSaves(errFull, anything)
		r.server.script(dropAfter())
		p.tick(30 * time.Minute)
		synctest.Wait()
		asked := r.server.requests()
		if len(asked) < 4 || asked[2].token != asked[3].token || asked[3].at.Sub(asked[2].at) > 3*time.Second {
			t.Errorf("asked %+v, want the same token within 3 s", asked)
		}
		if st := p.keeper.Status(); st.State != StateOK {
			t.Errorf("status %+v", st)
		}
	})
}

func TestARefusalWhileUnsavedKnowsOfTheLostAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errFull, answers)
		p.tick(80 * time.Minute)
		r.disk.refuseSaves(errFull, anything)
		r.server.script(dropAfter())
		p.tick(30 * time.Minute)
		r.wantState(p, StateGrantLost, finding.CauseResponseLost)
	})
}

func TestANewSeedIsNotSpentWhileTheStoreRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errFull, answers)
		r.lose(p) // and the loss cannot be written
		r.disk.refuseSaves(errFull, anything)
		r.supply(r.server.login())
		p.tick(time.Hour)
		r.wantRequests(2)
		r.disk.acceptSaves()
		p.tick(time.Minute)
		r.wantRequests(3)
		r.wantState(p, StateOK, "")
		if p.keeper.Status().Unsaved || r.disk.leased() {
			t.Error("still unsaved, or the lease kept")
		}
	})
}

func TestAnAnswerThatIsLostWithTheProcessIsReported(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errFull, answers)
		time.Sleep(41 * time.Minute)
		r.wantRequests(2)
		began := time.Now()
		p.halt()
		if took := time.Since(began); took < lastChance || took > lastChance+time.Second {
			t.Errorf("the stop took %v, want %v for the disk to be writable again", took, lastChance)
		}
		failed := p.told(finding.StoreFailed)
		if last := failed[len(failed)-1]; len(failed) != 2 || p.saidOf(last).Remedy == p.saidOf(failed[0]).Remedy {
			t.Errorf("events %+v, want one that says what is lost", failed)
		}
	})
}

func TestAStopWaitsAMomentForADiskThatIsFull(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		r.disk.refuseSaves(errFull, answers)
		time.Sleep(41 * time.Minute)
		r.wantRequests(2)
		time.AfterFunc(2*time.Second, r.disk.acceptSaves)
		p.halt()
		if rec := r.disk.stored(); rec.Generation != 2 {
			t.Errorf("generation %d is stored, want 2", rec.Generation)
		}
	})
}
