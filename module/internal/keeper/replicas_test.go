package keeper

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lamplighter/module/internal/finding"
	"lamplighter/module/internal/recordstore"
	"lamplighter/module/store"
)

// shared is a rig whose store replicas share: a lease outlives its holder by 15 s.
func shared(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	bubble(t, func(t *testing.T, r *rig) {
		r.disk.faults(func() { r.disk.lease = 15 * time.Second })
		test(t, r)
	})
}

func TestNothingIsSpentWhileAStoreThatLostWritesIsReadByAll(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		p := r.boot()
		p.token()
		time.Sleep(35 * time.Minute)
		r.disk.faults(func() { r.disk.leaseErr = recordstore.ErrRolledBack })
		time.Sleep(10 * time.Minute)
		r.wantRequests(1)
		r.wantState(p, StateBackoff, finding.CauseStore)
		if said := p.saidOf(p.toldOnce(finding.Troubled)); said.Remedy == "" || said.Detail == "" {
			t.Errorf("told %+v", said)
		}
		p.token() // which is served from memory
		r.disk.faults(func() { r.disk.leaseErr = nil })
		time.Sleep(2 * time.Second)
		r.wantRequests(2)
		r.wantState(p, StateOK, "")
	})
}

// What a human has to mend in the store is told as that. Nothing is spent, and what there
// is goes on from memory.
func TestWhatIsWrongWithTheStoreIsTold(t *testing.T) {
	for _, test := range []struct {
		err   error
		state State
		cause string
	}{
		{store.ErrUnavailable, StateBackoff, finding.CauseStore},
		{store.ErrRefused, StateMisconfigured, finding.CauseStoreRefused},
		{store.ErrUnsafe, StateMisconfigured, finding.CauseStoreUnsafe},
		{store.ErrFull, StateBackoff, finding.CauseStoreFull},
	} {
		t.Run(test.cause, func(t *testing.T) {
			shared(t, func(t *testing.T, r *rig) {
				p := r.boot()
				p.token()
				time.Sleep(30 * time.Minute)
				r.disk.refuseLoads(fmt.Errorf("load: %w", test.err))
				time.Sleep(25 * time.Minute)
				st := r.wantState(p, test.state, test.cause)
				if said := p.said(st.Trouble); said.Remedy == "" || !strings.Contains(said.Detail, test.err.Error()) {
					t.Errorf("said %+v", said)
				}
				p.token()
				time.Sleep(10 * time.Minute)
				p.unavailable()
				r.wantRequests(1)
				r.disk.refuseLoads(nil)
				time.Sleep(6 * time.Minute)
				r.wantState(p, StateOK, "")
				r.wantUse(p)
			})
		})
	}
}

// three boots three replicas that look at the disk soon after another has written.
func (r *rig) three(edits ...func(*Settings)) []*machine {
	r.disk.faults(func() { r.disk.notice = 50 * time.Millisecond })
	for range 3 {
		r.boot(edits...)
	}
	return r.processes
}

// A request of a replica that only follows carries no token that dies under way, if it is
// short: it is held as those of the holder are.
func TestReplicasHoldTheirRequestsWhileOneOfThemReplacesTheToken(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		r.server.edit(func(s *server) { s.strict, s.latency = true, 10*time.Millisecond })
		r.server.always(fault{after: time.Second})
		all := r.three(drain)
		for _, p := range all {
			p.token()
		}
		var held [3]atomic.Int32
		for range 30_000 { // 50 minutes
			for _, p := range all {
				go func() {
					pass, waited := p.send()
					if waited > 500*time.Millisecond {
						held[p.number].Add(1)
					}
					time.Sleep(20 * time.Millisecond)
					if !r.server.accepts(pass.Token.AccessToken) {
						t.Errorf("a token died under way at %s", p.name())
					}
					p.keeper.Answered(pass)
				}()
			}
			time.Sleep(100 * time.Millisecond)
		}
		r.wantRequests(2)
		for i := range held {
			if n := held[i].Load(); n < 3 {
				t.Errorf("replica %d held only %d requests", i, n)
			}
		}
		time.Sleep(5 * time.Second)
	})
}

// Nobody holds requests for an attempt that may have ended long ago.
func TestNoRequestIsHeldForTheAttemptOfAReplicaThatDiedLongAgo(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		r.server.edit(func(s *server) { s.strict = true })
		p := r.diesAsking(drain)
		time.Sleep(6 * time.Second)
		if pass, waited := p.send(); waited > 0 {
			t.Errorf("held for %v", waited)
		} else {
			p.keeper.Answered(pass)
		}
		late := r.boot(drain)
		time.Sleep(time.Second)
		if pass, waited := late.send(); waited > 0 {
			t.Errorf("held for %v", waited)
		} else {
			late.keeper.Answered(pass)
		}
	})
}

func TestReplicasTogetherAskAServerInTroubleNoMoreOftenThanOne(t *testing.T) {
	for name, f := range map[string]fault{"503": unavailable(503, 0), "429": unavailable(429, 0), "asks to wait": unavailable(429, 10*time.Minute)} {
		t.Run(name, func(t *testing.T) {
			count := func(t *testing.T, replicas int) (n int) {
				shared(t, func(t *testing.T, r *rig) {
					all := r.three()[:replicas]
					for _, p := range r.processes[replicas:] {
						p.halt()
					}
					all[0].token()
					time.Sleep(30 * time.Minute)
					r.server.always(f)
					time.Sleep(40 * time.Minute)
					n = r.server.count()
					r.server.heal()
					time.Sleep(11 * time.Minute)
					for _, p := range all {
						r.wantUse(p)
						r.wantState(p, StateOK, "")
					}
				})
				return n
			}
			if one, three := count(t, 1), count(t, 3); three > one+one/8+1 || one < 3 {
				t.Errorf("%d requests of three, %d of one", three, one)
			}
		})
	}
}

// The attempt of a replica has failed, and it says so before it dies: there is no answer to
// wait for.
func TestAReplicaRepeatsWhatHasFailedElsewhereAfterThePause(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		first, second := r.boot(), r.boot()
		first.token()
		second.token()
		r.server.script(unavailable(503, 0))
		first.refresh(false)
		first.kill()
		time.Sleep(20 * time.Second) // until its lease is over
		r.wantRequests(3)
		r.wantState(second, StateOK, "")
	})
}

// What another replica was told to wait, this one waits too.
func TestTheTimeThatAServerAsksToWaitBindsAllReplicas(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		all := r.three()
		for _, p := range all {
			p.token()
		}
		r.server.script(unavailable(429, 5*time.Minute))
		all[1].refresh(false)
		time.Sleep(time.Second)
		res := all[2].refresh(false)
		if res.Trouble.Cause != finding.CauseRetryAfter {
			t.Errorf("got %+v", res)
		}
		r.wantRequests(2)
		st := r.wantState(all[2], StateBackoff, "server_error")
		if said := all[2].said(st.Trouble); said.Detail == "" || said.Remedy == "" {
			t.Errorf("said %+v", said)
		}
		time.Sleep(6 * time.Minute)
		r.wantState(all[2], StateOK, "")
	})
}

func TestReplicasWithoutARefreshTokenAskOnceALifetime(t *testing.T) {
	for name, edits := range map[string][]func(*Settings){"overlap": {cacheOnly}, "no overlap": {cacheOnly, drain}} {
		t.Run(name, func(t *testing.T) {
			shared(t, func(t *testing.T, r *rig) {
				r.seed = ""
				r.server.edit(func(s *server) { s.latency = time.Second })
				all := r.three(edits...)
				for _, p := range all {
					p.token()
				}
				r.wantRequests(1) // although all of them had none
				for range 24 {
					time.Sleep(time.Hour)
					for _, p := range all {
						r.wantUse(p)
					}
				}
				// One alone asks every 37 to 40 minutes.
				if n := r.server.count(); n < 36 || n > 40 {
					t.Errorf("%d requests in a day", n)
				}
			})
		})
	}
}

func TestReplicasWithoutARefreshTokenGoOnWithoutTheStore(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		r.seed = ""
		all := r.three(cacheOnly)
		all[2].token()
		for _, p := range all {
			p.store.cutOff()
		}
		time.Sleep(3 * time.Hour)
		for _, p := range all {
			r.wantUse(p)
		}
	})
}

// A replica that follows is told by an upstream that its token is dead, a moment before
// it reads of the new one.
func TestA401ReadsTheRecordFirst(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		all := r.three()
		for _, p := range all {
			p.token()
		}
		for _, p := range all[1:] {
			p.store.unwatch()
		}
		for i, old := range []*Token{all[1].token(), all[2].token()} {
			if i == 0 {
				all[0].refresh(false)
			}
			if v := all[i+1].unauthorized(old); v != Stale {
				t.Errorf("verdict %v, want Stale", v)
			}
		}
		r.wantRequests(2)
		// … also where nothing may be forced again.
		all[1].unauthorized(all[1].token())
		time.Sleep(10 * time.Minute)
		old := all[1].token()
		all[1].store.reads.Store(0)
		for range 50 {
			go all[1].unauthorized(old)
			time.Sleep(100 * time.Millisecond)
		}
		if n := all[1].store.reads.Load(); n < 4 || n > 12 {
			t.Errorf("%d reads in 5 s", n)
		}
	})
}

// A refresh that an upstream forced failed, and another replica has rotated since.
func TestA401ReadsTheRecordThatAnotherReplicaWroteAfterItForcedARefresh(t *testing.T) {
	shared(t, func(t *testing.T, r *rig) {
		first, second := r.boot(), r.boot()
		first.token()
		old := second.token()
		second.store.unwatch()
		r.server.script(unavailable(503, 0))
		if v := second.unauthorized(old); v != Final {
			t.Fatalf("verdict %v", v)
		}
		first.refresh(false)
		if v := second.unauthorized(old); v != Stale {
			t.Errorf("verdict %v, want Stale", v)
		}
		r.wantUse(second)
	})
}

// The clock of a machine is minutes wrong. What it reads of the others it takes for as
// old as the store says.
func TestAReplicaWithAWrongClockNeitherServesExpiredTokensNorRefreshesEarly(t *testing.T) {
	for name, skew := range map[string]time.Duration{"fast": 30 * time.Minute, "slow": -30 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			shared(t, func(t *testing.T, r *rig) {
				first := r.boot()
				first.token()
				time.Sleep(10 * time.Minute)
				wrong := r.newProcess()
				wrong.skew.Store(int64(skew))
				wrong.start()
				for range 24 * 60 {
					time.Sleep(time.Minute)
					r.wantUse(first)
					r.wantUse(wrong)
				}
				if n := r.server.count(); n < 36 || n > 40 {
					t.Errorf("%d requests in a day", n)
				}
			})
		})
	}
}
