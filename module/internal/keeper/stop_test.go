package keeper

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestNothingHappensBeforeTheStart(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.newProcess()
		p.tick(time.Hour)
		p.keeper.Recheck()
		p.unavailable()
		r.wantRequests(0)
		if log := r.disk.noted(); len(log) != 0 || r.disk.stored().Revision != 0 || len(r.disk.watch) != 0 {
			t.Errorf("the store was touched: %q", log)
		}
		r.wantState(p, StateStarting, "")
	})
}

func TestTheLastStopWaitsForARequestThatWasWritten(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.always(fault{before: 5 * time.Second})
		p := r.boot()
		time.Sleep(time.Second)
		r.wantRequests(1)
		began := time.Now()
		p.halt()
		if took := time.Since(began); took < 3*time.Second || took > 5*time.Second {
			t.Errorf("stopped after %v", took)
		}
		if rec := r.disk.stored(); rec.Generation != 1 || rec.Attempt != nil {
			t.Errorf("the answer is not in the record: %+v", rec)
		}
		r.server.heal()
		r.boot().token()
		r.wantRequests(1)
	})
}

func TestTheLastStopCallsOffWhatWasNotWritten(t *testing.T) {
	t.Run("dialling", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			r.server.dialing = 20 * time.Second
			p := r.boot()
			time.Sleep(time.Second)
			r.wantStopAtOnce(p)
		})
	})
	t.Run("waiting for the lease", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			other := r.newProcess()
			if _, err := other.store.Lease(t.Context(), "erp"); err != nil {
				t.Fatal(err)
			}
			p := r.boot()
			time.Sleep(time.Second)
			r.wantStopAtOnce(p)
		})
	})
	t.Run("holding requests", func(t *testing.T) {
		held(t, func(t *testing.T, r *rig, p *machine) {
			_, _ = p.send()
			r.untilHold()
			before := r.server.count()
			r.wantStopAtOnce(p)
			r.wantRequests(before)
		})
	})
	t.Run("backing off", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			r.server.always(notSent())
			p := r.boot()
			time.Sleep(time.Minute)
			r.wantStopAtOnce(p)
		})
	})
}

// wantStopAtOnce stops a process while no request of its was written.
func (r *rig) wantStopAtOnce(p *machine) {
	r.Helper()
	before := r.server.count()
	began := time.Now()
	p.halt()
	if took := time.Since(began); took > 0 {
		r.Errorf("stopped after %v, want at once", took)
	}
	time.Sleep(time.Hour)
	r.wantRequests(before)
	if a := r.disk.stored().Attempt; a != nil {
		r.Errorf("the journal is open although nothing was sent: %+v", a)
	}
	if r.disk.leased() && r.disk.holder.store == p.store {
		r.Error("the lease was kept")
	}
}

func TestAStoppedKeeperSendsNothingAndWatchesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.halt()
		p.tick(5 * time.Hour)
		p.keeper.Recheck()
		r.wantRequests(1)
		if len(r.disk.watch) != 0 {
			t.Error("the record is still watched")
		}
	})
}

func TestAStopMayBeCalledTwice(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.newProcess()
		first := p.start()
		p.start()
		p.token()
		first()
		first()
		p.tick(3 * time.Hour)
		p.token()
	})
}

func TestAReloadDuringARefreshHandsTheResultOver(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.always(fault{before: 5 * time.Second})
		p := r.newProcess()
		stop := p.start()
		time.Sleep(time.Second)
		p.start()
		began := time.Now()
		stop()
		if time.Since(began) > 0 {
			t.Error("a stop that is not the last one waited")
		}
		p.token()
		r.wantRequests(1)
		p.tick(30 * time.Minute)
		r.wantRequests(1)
	})
}

func TestAHundredReloadsCostNoTokenRequest(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.newProcess()
		stop := p.start()
		p.token()
		for range 100 {
			next := p.start()
			time.Sleep(100 * time.Millisecond)
			stop()
			stop = next
			p.token()
		}
		r.wantRequests(1)
		if saves := len(r.disk.noted()); saves != 3 { // journal, send, save
			t.Errorf("store and server were reached %d times", saves)
		}
	})
}

func TestANewConfigurationIsObeyedAndTheFormerOneIfItStops(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.random = func() float64 { return 0 }
		p := r.newProcess()
		p.start()
		p.token()
		stop := p.start(func(s *Settings) { s.RefreshWindowRatio = 0.9 })
		synctest.Wait()
		obeyed := func() float64 {
			p.keeper.mu.Lock()
			defer p.keeper.mu.Unlock()
			return p.keeper.told.RefreshWindowRatio
		}
		if obeyed() != 0.9 {
			t.Error("the new configuration is not obeyed")
		}
		stop()
		if obeyed() == 0.9 {
			t.Error("the configuration that failed is still obeyed")
		}
		p.tick(35 * time.Minute)
		r.wantRequests(1)
		p.tick(10 * time.Minute)
		r.wantRequests(2)
	})
}

func TestADrainingConfigurationHoldsFromItsStartOn(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.newProcess()
		p.start()
		p.token()
		stop := p.start(drain)
		pass, err := p.keeper.Acquire(context.Background(), 0, true)
		if err != nil || !pass.counted {
			t.Errorf("a request is not counted: %v", err)
		}
		stop()
		p.keeper.Answered(pass)
		if n := p.keeper.gate.sent.Load(); n != 0 {
			t.Errorf("%d requests counted", n)
		}
	})
}

func TestAStopThatIsNotTheLastAnyMoreGivesNoLeaseBack(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(fault{before: 5 * time.Second})
		p := r.boot()
		time.Sleep(time.Second)
		go p.halt()
		time.Sleep(time.Second)
		p.start()
		r.disk.refuseSaves(errFull, anything)
		time.Sleep(10 * time.Second)
		if !p.keeper.Status().Unsaved || !r.disk.leased() {
			t.Error("another process may present the spent token")
		}
	})
}

func TestAKeeperCanBeStartedAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		p.halt()
		p.start()
		p.token()
		r.wantRequests(1)
		p.tick(5 * time.Hour)
		r.wantState(p, StateOK, "")
	})
}

func TestAStartWhileTheLastStopWaitsGetsTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script(fault{before: 5 * time.Second})
		p := r.boot()
		time.Sleep(time.Second)
		go p.halt()
		time.Sleep(time.Second)
		p.start()
		p.token()
		r.wantRequests(1)
		p.tick(5 * time.Hour)
		p.token()
	})
}
